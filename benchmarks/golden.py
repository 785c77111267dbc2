"""Whether a change of the code changes what runs compute: short runs before and after, compared.

    git worktree add /somewhere/before COMMIT
    .venv/bin/python benchmarks/golden.py record /somewhere/golden --checkout /somewhere/before
    .venv/bin/python benchmarks/golden.py compare /somewhere/golden

`record` trains every run of RUNS with the code of a checkout; `compare` trains those that were
recorded with this one, and compares rows, but for what depends on the machine, and final weights,
byte for byte. Both take `--only NAME ...`. With `--quick` XLA compiles without optimising, in half
the time; both sides must then have it.
"""

import argparse
import concurrent.futures
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple, Optional

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from rl.files import load_tree  # noqa: E402
from rl.logging import depends_on_machine  # noqa: E402

QUICK = (
    "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false "
    "--xla_cpu_parallel_codegen_split_count=1"
)
FRAME = "--hidden_sizes 16 16 --num_test_episodes 2 --tensorboard false --epochs 3"
OFF_POLICY = (
    "--batch_size 16 --replay_size 3000 --start_steps 100 --update_after 100 --update_every 20"
)
ON_POLICY = "--batch_size 32 --update_epochs 2"
EVERYTHING = "--obs_norm --rew_norm --replay prioritised --n_step 3 --lr_schedule cosine"
SPLITTING = "--split_every 40 --split_block 10 --split_min_blocks 3 --split_z 1"
SPLITS = f"--network splitting --split_start shared {SPLITTING}"


class Run(NamedTuple):
    """A run of the golden set.

    train: flags. killed_after: how many rows it has when it is killed, to be resumed; None: it
      isn't. meta_test: flags of the `meta-test` that follows, whose run is compared; "": none does.
    """

    train: str
    killed_after: Optional[int] = None
    meta_test: str = ""


RUNS = {
    "ddpg": Run(f"--algo ddpg --env Pendulum --steps_per_epoch 200 {OFF_POLICY}"),
    "ddpg_noise": Run(
        f"--algo ddpg --env Pendulum --noise ou --overlap false --steps_per_epoch 200 {OFF_POLICY}"
    ),
    "td3_workers": Run(
        "--algo td3 --env Pendulum --num_envs 4 --env_backend async --num_workers 2 "
        f"--steps_per_epoch 200 {EVERYTHING} {OFF_POLICY}"
    ),
    "sac_splitting": Run(
        f"--algo sac --env PointMass-MT4 --gradient pcgrad {SPLITS} --steps_per_epoch 400 "
        f"{OFF_POLICY}"
    ),
    "sac_metaworld": Run(
        "--algo sac --env MT:reach,push --network multi_head --max_ep_len 50 --num_test_episodes 1 "
        f"--steps_per_epoch 200 {OFF_POLICY}"
    ),
    "ppo_discrete": Run(
        f"--algo ppo --env CartPole --rollout_steps 64 --steps_per_epoch 256 {ON_POLICY}"
    ),
    "ppo_continuous": Run(
        "--algo ppo --env Pendulum --num_envs 4 --rollout_steps 32 --steps_per_epoch 256 "
        f"--norm_value --clip_value 0.2 --target_kl 0.02 {ON_POLICY}"
    ),
    "ppo_std_split": Run(
        f"--algo ppo --env PointMass-MT4 --std split {SPLITS} --rollout_steps 128 "
        f"--steps_per_epoch 1024 {ON_POLICY}"
    ),
    "ppo_linear": Run(
        "--algo ppo --env PointMass-MT4 --critic linear --std shared --rollout_steps 128 "
        f"--steps_per_epoch 1024 {ON_POLICY}"
    ),
    "ppo_shared_torso": Run(
        "--algo ppo --env Pendulum --share_torso --std state --rollout_steps 64 "
        f"--steps_per_epoch 256 {ON_POLICY}"
    ),
    "sac_visits": Run(
        "--algo sac --env PointMass-MT4 --visit shuffle --num_envs 2 --rew_norm --weight_tasks "
        f"--steps_per_epoch 400 {OFF_POLICY}"
    ),
    "ppo_visits": Run(
        "--algo ppo --env PointMass-MT4 --visit random --num_envs 2 --rollout_steps 128 "
        f"--steps_per_epoch 512 {ON_POLICY}"
    ),
    "meta_test": Run(
        f"--algo ddpg --env PointMass-ML4 --task_onehot false {SPLITS} --steps_per_epoch 400 "
        f"{OFF_POLICY}",
        meta_test="--episodes 6 --start best --num_test_episodes 1",
    ),
    "td3_paco": Run(
        "--algo td3 --env PointMass-MT4 --network paco --gradient nash_mtl --steps_per_epoch 400 "
        f"{OFF_POLICY}"
    ),
    "sac_soft_modules": Run(
        "--algo sac --env PointMass-MT4 --network soft_modules --module_units 8 --gradient gradnorm "
        f"--steps_per_epoch 400 {OFF_POLICY}"
    ),
    "sac_care": Run(
        "--algo sac --env PointMass-MT4 --network care --task_embedding 8 --gradient cagrad "
        f"--steps_per_epoch 400 {OFF_POLICY}"
    ),
    "ddpg_moore": Run(
        f"--algo ddpg --env PointMass-MT4 --network moore --gradient famo --steps_per_epoch 400 "
        f"{OFF_POLICY}"
    ),
    "td3_soft_order": Run(
        "--algo td3 --env PointMass-ML4 --task_onehot false --network soft_order --gradient pcgrad "
        f"--steps_per_epoch 400 {OFF_POLICY}",
        meta_test="--episodes 6 --start best --num_test_episodes 1",
    ),
    "sac_permuted": Run(
        "--algo sac --env PointMass-MT4 --network soft_order --order permuted --steps_per_epoch 400 "
        f"{OFF_POLICY}"
    ),
    "ddpg_cross_stitch": Run(
        "--algo ddpg --env PointMass-MT4 --network cross_stitch --gradient imtl_g "
        f"--steps_per_epoch 400 {OFF_POLICY}"
    ),
    "sac_mtan": Run(
        "--algo sac --env PointMass-MT4 --network mtan --gradient slaw --steps_per_epoch 400 "
        f"{OFF_POLICY}"
    ),
    "ddpg_film": Run(
        f"--algo ddpg --env PointMass-MT4 --network film --gradient mgda --steps_per_epoch 400 "
        f"{OFF_POLICY}"
    ),
    "td3_weights": Run(
        f"--algo td3 --env PointMass-MT4 --network sparse_splitting --split_weights {SPLITTING} "
        f"--optimizer adamw --weight_decay 0.01 --steps_per_epoch 400 "
        f"{OFF_POLICY}"
    ),
    "ddpg_killed": Run(
        f"--algo ddpg --env Pendulum --steps_per_epoch 200 {EVERYTHING} {OFF_POLICY}",
        killed_after=1,
    ),
    "ppo_killed": Run(
        "--algo ppo --env Pendulum --num_envs 2 --rollout_steps 48 --steps_per_epoch 256 "
        f"--lr_schedule plateau --lr_patience 1 {ON_POLICY}",
        killed_after=1,
    ),
}


class Trainer:
    """Trains runs with the code of a checkout, in processes of their own.

    Args:
      checkout: the code. data_dir: where the runs go. quick: whether XLA is not to optimise.
    """

    def __init__(self, checkout: Path, data_dir: Path, quick: bool) -> None:
        self.checkout = checkout
        self.data_dir = data_dir
        self.environment = {**os.environ, "PYTHONPATH": str(checkout)}
        if quick:
            self.environment["XLA_FLAGS"] = QUICK

    def train(self, name: str) -> Path:
        """Trains a run of RUNS anew. Returns its directory."""
        run = RUNS[name]
        shutil.rmtree(self.data_dir / name, ignore_errors=True)
        shutil.rmtree(self.data_dir / f"{name}_meta", ignore_errors=True)
        directory = self.data_dir / name / f"{name}_s0"
        flags = f"{FRAME} {run.train} --exp_name {name} --data_dir {self.data_dir}"
        if run.killed_after is None:
            self.call(*flags.split())
        else:
            self.kill(directory, run.killed_after, *flags.split())
            self.call("resume", str(directory))
        if run.meta_test:
            self.call("meta-test", str(directory), *run.meta_test.split())
            directory = self.data_dir / f"{name}_meta" / f"{name}_meta_s0"
        return directory

    def start(self, *argv: str) -> subprocess.Popen[str]:
        """Starts a command of the checkout."""
        command = [sys.executable, str(self.checkout / "main.py"), *argv]
        return subprocess.Popen(
            command,
            cwd=self.checkout,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def call(self, *argv: str) -> None:
        """Runs a command of the checkout to its end."""
        process = self.start(*argv)
        output = process.communicate()[0]
        if process.returncode:
            raise SystemExit(f"{' '.join(argv)}\n{output}")

    def kill(self, directory: Path, count: int, *argv: str) -> None:
        """Trains until the run in `directory` has written `count` rows, and kills it."""
        process = self.start(*argv)
        progress = directory / "progress.txt"
        while not progress.exists() or progress.read_bytes().count(b"\n") <= count:
            if process.poll() is not None:
                raise SystemExit(f"{directory} ended before it was killed")
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.communicate()


def rows(directory: Path) -> list[list[str]]:
    """The cells of `progress.txt`, without the columns that depend on the machine."""
    lines = (directory / "progress.txt").read_text().splitlines()
    cells = [line.split("\t") for line in lines]
    compared = [i for i, name in enumerate(cells[0]) if not depends_on_machine(name)]
    return [[row[i] for i in compared] for row in cells]


def weights(directory: Path) -> dict[str, list[np.ndarray]]:
    """The variables of the newest checkpoint, by the part of the algorithm that they are of."""
    newest = max((directory / "checkpoints").glob("step_*.npz"))
    return load_tree(newest)["algo"]["variables"]


def difference(before: Path, after: Path) -> str:
    """What two runs differ in first, in words; "" if in nothing."""
    for number, (old, new) in enumerate(zip(rows(before), rows(after), strict=True)):
        if old != new:
            return f"row {number}"
    old_weights = weights(before)
    new_weights = weights(after)
    if old_weights.keys() != new_weights.keys():
        return "the parts that have weights"
    for part, old_arrays in old_weights.items():
        new_arrays = new_weights[part]
        if len(old_arrays) != len(new_arrays):
            return f"how many variables {part} has"
        for old_array, new_array in zip(old_arrays, new_arrays):
            if old_array.dtype != new_array.dtype or old_array.shape != new_array.shape:
                return f"the shapes of {part}"
            if old_array.tobytes() != new_array.tobytes():
                return f"the weights of {part}"
    return ""


def recorded(golden: Path, wanted: Optional[list[str]]) -> list[str]:
    """The runs that `golden` has, or those `wanted`, which must be among them."""
    there = [name for name in RUNS if (golden / name).is_dir()]
    missing = [name for name in wanted or () if name not in there]
    if missing or not there:
        raise SystemExit(f"not recorded in {golden}: {' '.join(missing) or 'any run'}")
    return wanted or there


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("command", choices=("record", "compare"))
    parser.add_argument("golden", type=Path, help="folder of the recorded runs")
    parser.add_argument("--checkout", type=Path, default=ROOT, help="of the code that trains")
    parser.add_argument("--only", nargs="+", choices=list(RUNS), help="runs; all by default")
    parser.add_argument("--quick", action="store_true", help="compile without optimising")
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side")
    args = parser.parse_args()
    golden = args.golden.resolve()
    names = args.only or list(RUNS)
    if args.command == "compare":
        names = recorded(golden, args.only)
    with tempfile.TemporaryDirectory() as temporary:
        data_dir = golden if args.command == "record" else Path(temporary)
        trainer = Trainer(args.checkout.resolve(), data_dir, args.quick)
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            directories = dict(zip(names, pool.map(trainer.train, names)))
        if args.command == "record":
            return
        differences = {}
        for name, directory in directories.items():
            differences[name] = difference(golden / directory.relative_to(data_dir), directory)
            print(f"{name}: {differences[name] or 'the same'}", flush=True)
    if any(differences.values()):
        raise SystemExit("runs differ from before")


if __name__ == "__main__":
    main()
