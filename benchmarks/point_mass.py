"""Networks and gradient methods on the test bed PointMass-MT4: returns over seeds, with intervals,
and parameters used.

    .venv/bin/python benchmarks/point_mass.py --out benchmarks/results/point_mass.csv

Layers (32, 32). DDPG takes 16k env steps of all tasks together with 128 transitions a task, PPO
160k. With DDPG the input has no one-hot code but for `shared`, which could not tell the tasks
apart. A run's score is the mean over tasks of the test return, 20 episodes a task, over the last
three tests. Printed are means over seeds with 95% t intervals. Parameters are those of actor and
critic that some task uses, as a fraction of `independent`'s.

The `uneven` ones are `shared` on PointMass-Uneven4, where one group's rewards are 30 times as
large. A score is its returns divided by that, so every task counts alike. They take 8k steps, five
tests of 100 episodes a task, a discount of 0.5, and of nine pairs of learning rates the one best
for the sum on seeds 100 and 101. Gradients grow with rewards: the sum goes where the loud group
pulls, even against the quiet one; PCGrad takes off each gradient what is against another.
"""

import argparse
import csv
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3"}
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np  # noqa: E402
from scipy import stats  # noqa: E402

from rl.envs.point_mass import SCALES  # noqa: E402
from rl.experiments import build  # noqa: E402
from rl.experiments.commands.training_flags import parse  # noqa: E402
from rl.experiments.rundir import RunDir  # noqa: E402

FLAGS = "--env PointMass-MT4 --num_test_episodes 20 --hidden_sizes 32 32 --tensorboard false --save_freq 1000"
DDPG = f"--algo ddpg {FLAGS} --epochs 10 --steps_per_epoch 1600 --start_steps 800 --update_after 800 --update_every 40"
DDPG += " --batch_size 128"
PPO = f"--algo ppo {FLAGS} --epochs 20 --steps_per_epoch 8000 --num_envs 4 --rollout_steps 100 --batch_size 100"
PPO += " --lr 1e-3 --lr_schedule constant --gamma 0.95 --log_std -0.5"
MOST = "--split_min_sharing 0.3"
UNEVEN = f"{DDPG} --network mlp --env PointMass-Uneven4 --epochs 5 --num_test_episodes 100 --gamma 0.5 --q_lr 3e-2"
UNEVEN += " --pi_lr 1e-2"


def contenders(flags: str, own: str, splitting: str) -> dict[str, str]:
    """Name -> flags of a run, `flags` those of all, `own` and `splitting` of networks with parts
    for a task."""
    splitting = f"--split_warmup 100 --split_every 20 {splitting}"
    split = f"--network splitting {splitting}"
    found = {
        "shared": "--network mlp",
        "shared, pcgrad": "--network mlp --gradient pcgrad",
        "multi_head": f"--network multi_head {own}",
        "independent": f"--network independent {own}",
        "conflict": f"{split} {own}",
        "conflict, pcgrad": f"{split} {own} --gradient pcgrad",
        "halfbatch": f"{split} {own} --split_criterion halfbatch",
        "v1": f"{split} {own} --split_criterion v1 --split_reset false",
        "v2": f"{split} {own} --split_criterion v2 --split_every 500 --split_reset false",
        "sparse": f"--network sparse_splitting {splitting} {own}",
        "weights": f"--network sparse_splitting --split_weights {splitting} {own} --splits_per_check 20",
        "pre-split": f"{split} {own} --split_map {{}}",
    }
    return {name: f"{flags} {flag}" for name, flag in found.items()}


CONTENDERS = {
    **{
        f"ddpg, {name}": flags
        for name, flags in contenders(DDPG, "--task_onehot false", MOST).items()
    },
    **{f"ppo, {name}": flags for name, flags in contenders(PPO, "", "").items()},
    "uneven": UNEVEN,
    "uneven, pcgrad": f"{UNEVEN} --gradient pcgrad",
}


def run(flags: str, seed: int, directory: Path) -> tuple[float, int, float]:
    """Score, parameters used and sharing score (nan without splits) of one run."""
    values = parse(flags.split()) | {"seed": seed}
    directory.mkdir(parents=True)
    loop = build.make_loop(values, directory)
    loop.train(loop.session.total_steps)
    rows = RunDir(directory).rows
    returns = np.array([rows[f"TestEpRet/{task}"][-3:] for task in loop.env.spec.tasks])
    scales = np.broadcast_to(SCALES.get(values["env"], 1.0), len(returns))
    score = float(np.mean(returns / scales[:, None]))
    return score, loop.algo.parameters(), mean_sharing(loop.algo)


def mean_sharing(algo: Any) -> float:
    """The mean sharing score of an algorithm's networks; nan where none splits."""
    networks = algo.splits().get("networks", {})
    return (
        float(np.mean([network["sharing"] for network in networks.values()]))
        if networks
        else float("nan")
    )


def interval(values: list[float]) -> tuple[float, float]:
    """Mean, and half width of its 95% t interval."""
    spread = (
        float(np.std(values, ddof=1)) / np.sqrt(len(values)) if len(values) > 1 else float("nan")
    )
    return float(np.mean(values)), float(stats.t.ppf(0.975, len(values) - 1)) * spread


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", nargs="+", default=list(CONTENDERS), choices=list(CONTENDERS))
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    found: dict[str, list[Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        place = lambda name, seed: Path(folder) / name.replace(", ", "_") / str(seed)
        for name in args.only:
            algo = name.split(",", maxsplit=1)[0]
            for seed in range(args.seeds):
                flags = CONTENDERS[name].format(place(f"{algo}, conflict", seed))
                found.setdefault(name, []).append(run(flags, seed, place(name, seed)))
                print(f"{name}, seed {seed}: {found[name][-1]}", file=sys.stderr, flush=True)
    for name, runs in found.items():
        own = [count for _, count, _ in found.get(f"{name.split(',')[0]}, independent", [])]
        mean, half = interval([score for score, _, _ in runs])
        share = np.mean([count for _, count, _ in runs]) / own[0] if own else float("nan")
        sharing = np.mean([sharing for _, _, sharing in runs])
        print(
            f"{name:22} return {mean:.2f} +- {half:.2f}  parameters {share:.2f}  sharing {sharing:.2f}"
        )
    if args.out:
        with args.out.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("contender", "seed", "return", "parameters", "sharing"))
            writer.writerows(
                (name, seed, *each)
                for name, runs in found.items()
                for seed, each in enumerate(runs)
            )


if __name__ == "__main__":
    main()
