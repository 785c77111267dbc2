"""Whether Meta-World's scripted experts score in EnvPool's envs what they score in the package's,
on the same goals.

    python benchmarks/metaworld_envpool.py --out benchmarks/results/metaworld_envpool.csv

Needs EnvPool, which the extra `fast` installs. EnvPool can't be told its goals, but they are known:
an env of seed s draws them with C++'s std::mt19937(s) and uniform_real_distribution<double>, which
`Twister` repeats. So every episode is played twice on one goal, in EnvPool and in the package's env
as `rl.envs` serves it (bit for bit, see metaworld_experts.py), by an expert that sees float32
observations in both. Several episodes in a row, since an env may keep what it should forget at a
reset. Contacts amplify small differences, so episodes differ where tasks don't; hence a task agrees
if

  1. the 95% confidence interval of the mean difference of the two returns of a goal (1.96 standard
     errors) lies within 5% of the package's mean return, and
  2. at most 5% of episodes are a success in one and none in the other.

A task that isn't shown to agree, be it for noise, counts as one that doesn't.
"""

import argparse
import csv
import functools
import multiprocessing
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np  # noqa: E402
from metaworld.env_dict import ALL_V3_ENVIRONMENTS  # noqa: E402
from metaworld_experts import HORIZON, TASKS, play  # noqa: E402

from rl import envs  # noqa: E402
from rl.envs.metaworld.pool import MetaWorldPool  # noqa: E402
from rl.envs.metaworld.sawyer import make_task  # noqa: E402

SEED, TOLERANCE = 100, 0.05
COLUMNS = (
    "task",
    "episodes",
    "package_success",
    "envpool_success",
    "package_return",
    "envpool_return",
)
COLUMNS += ("difference_low", "difference_high", "agrees")


class Twister:
    """EnvPool's generator of goals, as a task of the package asks for one."""

    def __init__(self, seed: int) -> None:
        self.words = np.random.RandomState(seed)  # the same generator, with the same seeding

    def uniform(self, low: np.ndarray, high: np.ndarray, size: int) -> np.ndarray:
        """A vector `(size,)`, each number made of two words of 32 bits, the lower one first."""
        lower, upper = self.words.randint(0, 2**32, (size, 2), np.uint32).T
        return low + (high - low) * ((lower + upper * 2.0**32) / 2.0**64)


def goals_of(task: str, num_envs: int, episodes: int) -> np.ndarray:
    """Goals of the first episodes of EnvPool's envs, `(num_envs * episodes, dim)`; the package
    rejects as it does."""
    env, goals = ALL_V3_ENVIRONMENTS[task](), []
    env._freeze_rand_vec, env.seeded_rand_vec = False, True
    for i in range(num_envs):
        env.np_random = Twister(SEED + i)
        for _ in range(episodes):
            env.reset_model()
            goals.append(env._last_rand_vec)
    env.close()
    return np.array(goals)


def play_package(task: str, goals: np.ndarray) -> np.ndarray:
    """Success and return of an episode of each goal, `(len(goals), 2)`."""
    env, played = make_task(task, goals, hidden=False, limit=HORIZON), []

    def step(act: np.ndarray) -> tuple[np.ndarray, float, bool]:
        obs, rew, _, _, info = env.step(act)
        return obs.astype(np.float32), float(rew), info["success"] > 0

    for goal in range(len(goals)):
        played.append(play(task, env.reset(options={"goal": goal})[0].astype(np.float32), step))
    env.close()
    return np.array(played, float)


def play_envpool(task: str, num_envs: int, episodes: int) -> np.ndarray:
    """As `play_package`, on EnvPool's goals; refused tasks, too."""
    spec, played = envs.make(f"MT1-{task}").spec, []
    for i in range(num_envs):
        env = MetaWorldPool(spec, 1, HORIZON)
        last = [env.reset(SEED + i)]

        def step(act: np.ndarray) -> tuple[np.ndarray, float, bool]:
            after = env.step(act[None])  # pylint: disable=cell-var-from-loop
            last[0] = after.obs  # pylint: disable=cell-var-from-loop
            return after.obs2[0], float(after.rew[0]), bool(after.success[0])

        played += [play(task, last[0][0], step) for _ in range(episodes)]
        env.close()
    return np.array(played, float)


def compare(task: str, num_envs: int, episodes: int) -> list[Any]:
    """A row of the table."""
    package = play_package(task, goals_of(task, num_envs, episodes))
    envpool = play_envpool(task, num_envs, episodes)
    gap, scale = envpool[:, 1] - package[:, 1], package[:, 1].mean()
    middle, error = gap.mean(), 1.96 * gap.std(ddof=1) / len(gap) ** 0.5
    low, high = (middle - error) / scale, (middle + error) / scale
    agrees = max(-low, high, np.mean(envpool[:, 0] != package[:, 0])) <= TOLERANCE
    rates, returns = zip(package.mean(0), envpool.mean(0))
    row = [
        task,
        len(gap),
        *(f"{rate:.3f}" for rate in rates),
        *(f"{value:.1f}" for value in returns),
    ]
    return [*row, f"{low:.4f}", f"{high:.4f}", "yes" if agrees else "no"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--envs", type=int, default=10, help="envs of a task, each of another seed")
    parser.add_argument("--episodes", type=int, default=5, help="episodes in a row of each env")
    parser.add_argument(
        "--tasks", nargs="+", default=TASKS, choices=TASKS, metavar="TASK", help="default: all 50"
    )
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, help="write the table there as CSV")
    args = parser.parse_args()
    rows, form = [], "{:28} {:>8} {:>15} {:>15} {:>14} {:>14} {:>14} {:>15} {:>6}"
    print(form.format(*COLUMNS))
    with multiprocessing.get_context("spawn").Pool(
        args.processes
    ) as pool:  # EnvPool's threads don't survive a fork
        for row in pool.imap(
            functools.partial(compare, num_envs=args.envs, episodes=args.episodes), args.tasks
        ):
            rows.append(row)
            print(form.format(*row), flush=True)
    if args.out:
        with args.out.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])
    print(f"{sum(row[-1] == 'yes' for row in rows)} of {len(rows)} tasks agree")


if __name__ == "__main__":
    main()
