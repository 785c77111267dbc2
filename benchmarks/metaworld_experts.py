"""Success and return of Meta-World's scripted experts on its tasks as this project serves them and
as its package does.

    .venv/bin/python benchmarks/metaworld_experts.py --out benchmarks/results/metaworld_experts.csv

The first goals of `MT1-<task>`, an episode of 500 steps of each: once through `rl.envs`, once
through the package's env class and its `set_task`, `reset` and `step`, with the goals its own MT1
draws. An episode is a success if any step of it is one. The expert sees float32 observations in
both, which is what `rl.envs` gives; with `--float64` it sees the package's own in the package's
envs. Episodes are compared one by one, exactly.
"""

import argparse
import csv
import functools
import multiprocessing
import sys
import time
from pathlib import Path
from typing import Any, Callable

sys.path.insert(0, str(Path(__file__).parents[1]))

import metaworld  # noqa: E402
import numpy as np  # noqa: E402
from metaworld.policies import ENV_POLICY_MAP  # noqa: E402

from rl import envs  # noqa: E402

TASKS, HORIZON, SEED = sorted(ENV_POLICY_MAP), 500, 0
COLUMNS = ("task", "episodes", "our_success", "package_success", "our_return", "package_return")
Step = Callable[
    [np.ndarray], tuple[np.ndarray, float, bool]
]  # action -> observation, reward, success


def play(task: str, obs: np.ndarray, step: Step) -> tuple[bool, float]:
    """The expert's episode from its first observation: whether a step of it was a success, and its
    return."""
    expert, met, total = ENV_POLICY_MAP[task](), False, 0.0  # type: ignore[abstract]
    for _ in range(HORIZON):
        obs, rew, success = step(np.clip(expert.get_action(obs), -1, 1).astype(np.float32))
        met, total = met or success, total + rew
    return met, total


def play_ours(task: str, goals: int) -> np.ndarray:
    """Success and return of an episode of each goal, `(goals, 2)`."""
    env = envs.make(f"MT1-{task}", seed=SEED)

    def step(act: np.ndarray) -> tuple[np.ndarray, float, bool]:
        after = env.step(act[None])
        return after.obs2[0], float(after.rew[0]), bool(after.success[0])

    played = [play(task, env.reset(0, goals=[goal])[0], step) for goal in range(goals)]
    env.close()
    return np.array(played, float)


def play_package(task: str, goals: int, dtype: Any) -> np.ndarray:
    """As `play_ours`, on the package alone; observations reach the expert as `dtype`."""
    benchmark = metaworld.MT1(task, seed=SEED)
    env, played = benchmark.train_classes[task](), []

    def step(act: np.ndarray) -> tuple[np.ndarray, float, bool]:
        obs, rew, _, _, info = env.step(act)
        return obs.astype(dtype), float(rew), info["success"] > 0

    for goal in benchmark.train_tasks[:goals]:
        env.set_task(goal)
        played.append(play(task, env.reset()[0].astype(dtype), step))
    env.close()
    return np.array(played, float)


def compare(task: str, goals: int, dtype: Any) -> tuple[list[Any], np.ndarray, float]:
    """A row of the table, whether all successes and all returns are the same, and the seconds it
    took."""
    begin = time.perf_counter()
    ours, package = play_ours(task, goals), play_package(task, goals, dtype)
    rates, returns = zip(ours.mean(0), package.mean(0))
    row = [task, goals, *(f"{rate:.3f}" for rate in rates), *(f"{value:.3f}" for value in returns)]
    return row, (ours == package).all(0), time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument(
        "--goals", type=int, default=10, help="goals, of 50, and so episodes of a task"
    )
    parser.add_argument(
        "--tasks", nargs="+", default=TASKS, choices=TASKS, metavar="TASK", help="default: all 50"
    )
    parser.add_argument(
        "--float64",
        action="store_true",
        help="the package's expert sees the package's observations",
    )
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, help="write the table there as CSV")
    args = parser.parse_args()
    work = functools.partial(
        compare, goals=args.goals, dtype=np.float64 if args.float64 else np.float32
    )
    rows, same, form = [], [], "{:28} {:>8} {:>12} {:>16} {:>11} {:>15}"
    print(form.format(*COLUMNS))
    with multiprocessing.Pool(args.processes) as pool:
        for row, agrees, seconds in pool.imap(work, args.tasks):
            rows.append(row)
            same.append(agrees)
            note = "" if agrees.all() else "  returns differ" if agrees[0] else "  successes differ"
            print(f"{form.format(*row)}  {seconds:4.0f} s{note}", flush=True)
    if args.out:
        with args.out.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])
    successes, returns = np.sum(same, axis=0)
    print(
        f"{successes} of {len(rows)} tasks agree in the success of every episode, {returns} in every return"
    )


if __name__ == "__main__":
    main()
