"""Meta-splitting against training from scratch on held-out point masses: returns after K episodes
of each test task.

    .venv/bin/python benchmarks/meta_point_mass.py --out benchmarks/results/meta_point_mass.csv

PPO on PointMass-ML4, layers (32, 32), 160k steps with `--network splitting`; then 48 episodes of 20
steps of each of the two test tasks, an update for every two, by `meta-test` from either start, the
four episodes that find the best
counted, and by independent networks from scratch: by PPO at two learning rates, and by DDPG, which
learns from fewer steps, with ten updates for each. Printed are means over seeds of the mean test
return, 20 episodes a task, with 95% t intervals, and how many numbers are trained for a task, as a
fraction of an independent network's.
"""

import argparse
import contextlib
import csv
import io
import os
import sys
import tempfile
from pathlib import Path
from typing import Sequence

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3"}
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np  # noqa: E402
from point_mass import interval  # noqa: E402

from rl import __main__ as front_door  # noqa: E402
from rl import envs  # noqa: E402
from rl.experiments import build  # noqa: E402
from rl.experiments.plots.columns import Run, column  # noqa: E402
from rl.experiments.plots.runs import find_runs  # noqa: E402

FLAGS = "--num_test_episodes 20 --hidden_sizes 32 32 --tensorboard false --save_freq 1000 --env PointMass-ML4"
FLAGS += " --task_onehot false"
PPO = "--algo ppo --lr_schedule constant --gamma 0.95 --log_std -0.5"
SOURCE = f"{PPO} --network splitting --split_warmup 100 --split_every 20 --epochs 20 --steps_per_epoch 8000"
SOURCE += " --num_envs 4 --rollout_steps 100 --batch_size 100 --lr 1e-3"
SHORT = "--rollout_steps 40 --batch_size 40"
SCRATCH = "--split test --network independent --epochs 48 --steps_per_epoch 40"
DDPG = "--algo ddpg --batch_size 128 --updates_per_step 10 --start_steps 0 --update_after 40 --update_every 40"
META = f"{SHORT} --episodes 48 --num_envs 1 --lr 1e-2"
CONTENDERS = {
    "scratch": f"{SCRATCH} {PPO} {SHORT} --lr 3e-3",
    "scratch-1e-2": f"{SCRATCH} {PPO} {SHORT} --lr 1e-2",
    "scratch-ddpg": f"{SCRATCH} {DDPG}",
    "meta-equal": META,
    "meta-best": f"{META} --start best",
    "meta-best-weights": f"{META} --start best --meta_mix weights",
}
SHOWN = (0, 4, 8, 16, 24, 48)


def run(name: str, seed: int, folder: Path) -> tuple[Run, int]:
    """The run of a contender, and how many numbers it trained, all tasks together."""
    place = ["--exp_name", name, "--data_dir", str(folder), "--seed", str(seed)]
    if name.startswith("meta"):
        source = folder / "source" / f"source_s{seed}"
        if not source.exists():
            own = ["--exp_name", "source", "--data_dir", str(folder), "--seed", str(seed)]
            main_py([*FLAGS.split(), *SOURCE.split(), *own])
        main_py(["meta-test", str(source), *CONTENDERS[name].split(), *place])
    else:
        main_py([*FLAGS.split(), *CONTENDERS[name].split(), *place])
    ((made,),) = find_runs([str(folder / name / f"{name}_s{seed}")])
    algo = build.make_algo(made.config, envs.make("PointMass-ML4", split="test").spec)
    nets = [
        algo.actor,
        *([algo.q] if made.config["algo"] == "ddpg" else []),
    ]  # PPO's value is part of its actor
    return made, sum(int(np.prod(v.shape)) for net in nets for v in net.trainable_variables)


def main_py(argv: Sequence[str]) -> None:
    """Runs a command of the front door, silently."""
    with contextlib.redirect_stdout(io.StringIO()):
        if front_door.main(argv):
            sys.exit(f"main.py {' '.join(argv)} failed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(10)))
    parser.add_argument("--only", nargs="+", default=list(CONTENDERS), choices=list(CONTENDERS))
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    lines, own = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for name in args.only:
            runs, trained = zip(*[run(name, seed, Path(folder)) for seed in args.seeds])
            own = own or trained[0]
            curves = np.array([column(each, "AverageTestEpRet") for each in runs])
            episodes = column(runs[0], "Epoch").astype(int).tolist()
            for seed, curve in zip(args.seeds, curves):
                lines += [
                    (name, seed, k, f"{value:.6g}", trained[0]) for k, value in zip(episodes, curve)
                ]
            shown = [(k, *interval(curves[:, episodes.index(k)])) for k in SHOWN if k in episodes]
            text = "  ".join(f"{k}: {mean:.1f} +- {half:.1f}" for k, mean, half in shown)
            print(f"{name:17} trained {trained[0] / own:.3f}  {text}", flush=True)
    if args.out:
        with args.out.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("contender", "seed", "episodes", "return", "trained"))
            writer.writerows(lines)


if __name__ == "__main__":
    main()
