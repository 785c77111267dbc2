"""Which criteria split tasks that are alike, and find groups that differ, where updates draw from
the same samples again and again.

    .venv/bin/python benchmarks/splitting_streams.py --out benchmarks/results/splitting_streams.csv

Four tasks have three regions, vectors that Adam moves towards the tasks' optima by noisy gradients:
of region `alike` all tasks have the same optimum, of region `groups` two tasks have one and two
another, of region `apart` each has its own. What trains and splits them is rl.splitting itself. As
in PPO an update's samples are a minibatch of a rollout, and ten passes are made over each rollout;
a sample's noise is that of the step before times 0.9, and fresh noise. With `--passes 1` and
`--correlation 0` no sample is seen twice and all are independent.

Printed for each criterion, over `--runs` runs: in how many `alike` was split, in how many `groups`
was split into exactly the two groups, by the median of which update, and the final loss per region,
whose least value is 0.
"""

import argparse
import contextlib
import copy
import csv
import dataclasses
import os
import sys
from pathlib import Path
from typing import Any, Iterator, Optional

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3"}
ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from rl.flags.splitting import CRITERIA, Splitting  # noqa: E402
from rl.networks.banks import Bank  # noqa: E402
from rl.networks.groups import Group  # noqa: E402
from rl.spec import Update  # noqa: E402
from rl.splitting import TaskOptimizers  # noqa: E402

TASKS = 4
SIZE = 50  # numbers in a region
STEPS = 128  # of a rollout, of each task
BATCH = 32  # samples of each task in an update
NOISE = 3.0  # standard deviation of each number of a sample
DISTANCE = 0.15  # of each number of an optimum from the middle of all
REGIONS = ("alike", "groups", "apart")
SCHEDULE = {"split_every": 40, "split_warmup": 100}


@dataclasses.dataclass(frozen=True)
class Pass:
    """What went through a region, as rl.gradients.halves reads it."""

    y: tf.Tensor
    bias: tf.Tensor
    kernel: Optional[tf.Tensor] = None
    x: Optional[tf.Tensor] = None


class Vectors:
    """A torso of three vectors, of which each task has a copy."""

    def __init__(self) -> None:
        self.regions = []
        for name in REGIONS:
            variable = tf.Variable(tf.zeros((TASKS, SIZE)), name=name)
            copy = tf.Variable(tf.zeros(TASKS, tf.int32), trainable=False)
            self.regions.append([Bank(variable, 0, TASKS, copy)])
        self.structure: list[tf.Variable] = []
        self.given: list[tf.Tensor] = []
        self.passes: Any = None

    @property
    def trainable_variables(self) -> list[tf.Variable]:
        return [banks[0].variable for banks in self.regions]

    @property
    def groups(self) -> dict[str, Group]:
        return {"LossQ": Group((self,))}

    def expand_copies(self) -> list[tf.Tensor]:
        return [banks[0].expand_copies() for banks in self.regions]

    @contextlib.contextmanager
    def using(self, params: list[tf.Tensor], note: Any = None) -> Iterator[None]:
        self.given = params
        self.passes = note
        yield

    def losses(self, wanted: tf.Tensor) -> tf.Tensor:
        """`(tasks,)`: half the mean squared distance to samples `(regions, tasks, batch, size)`."""
        total = tf.zeros(TASKS)
        for number, value in enumerate(self.given):
            y = tf.broadcast_to(value[:, None], wanted[number].shape)
            if self.passes:
                self.passes(Pass(y, value))
            square = tf.reduce_sum((y - wanted[number]) ** 2, axis=-1)
            total += tf.reduce_mean(square, axis=-1) / 2
        return total


class Stream:
    """Rollouts of samples around the tasks' optima."""

    def __init__(self, seed: int, correlation: float) -> None:
        self.rng = np.random.default_rng(seed)
        self.correlation = correlation
        signs = self.rng.choice([-1.0, 1.0], (len(REGIONS), TASKS, SIZE))
        signs[0, :] = signs[0, :1]
        signs[1, 1] = signs[1, 0]
        signs[1, 2:] = -signs[1, 0]
        self.optima = 1 + DISTANCE * signs
        self.noise = self.rng.normal(size=self.optima.shape)

    def rollout(self) -> np.ndarray:
        """`(regions, tasks, steps, size)`."""
        samples = np.zeros((*self.optima.shape[:2], STEPS, SIZE))
        fresh = np.sqrt(1 - self.correlation**2)
        for step in range(STEPS):
            noise = self.rng.normal(size=self.noise.shape)
            self.noise = self.correlation * self.noise + fresh * noise
            samples[:, :, step] = self.optima + NOISE * self.noise
        return samples


class Learner:
    """Vectors that learn and split by a criterion, compiled once for all runs."""

    def __init__(self, criterion: str, flags: dict[str, Any]) -> None:
        config = Splitting(split_criterion=criterion, **(SCHEDULE | flags))
        self.net = Vectors()
        optimizers = TaskOptimizers(num_tasks=TASKS, changes=config)
        self.optimizer = optimizers.make(0.01, self.net)
        self.splitter = self.optimizer.watches["LossQ"]
        self.update = tf.function(self._update, autograph=False)
        self.variables = [*self.net.trainable_variables, *self.optimizer.variables]
        self.variables += [banks[0].copy for banks in self.net.regions]
        self.first = [variable.numpy() for variable in self.variables]
        self.first_state = copy.deepcopy(self.splitter.state())

    def restart(self) -> None:
        for variable, value in zip(self.variables, self.first, strict=True):
            variable.assign(value)
        self.splitter.load_state(copy.deepcopy(self.first_state))

    def _update(self, wanted: tf.Tensor) -> None:
        update = Update(lr=tf.constant(1.0), seed=tf.constant([0, 0]), number=tf.constant(0))
        self.optimizer.minimise(lambda: (self.net.losses(wanted), {}), update)

    def run(self, seed: int, updates: int, passes: int, correlation: float) -> dict[str, Any]:
        """What came of a run."""
        self.restart()
        stream = Stream(seed, correlation)
        minibatches = STEPS // BATCH
        found_at = None
        wanted_groups = [{0, 1}, {2, 3}]
        while self.splitter.updates < updates:
            rollout = stream.rollout()
            for _ in range(passes):
                order = stream.rng.permutation(STEPS).reshape(minibatches, BATCH)
                for chosen in order:
                    self.update(tf.constant(rollout[:, :, chosen], tf.float32))
            self.optimizer.after(passes * minibatches)
            if found_at is None and groups_of(self.splitter.maps[1]) == wanted_groups:
                found_at = self.splitter.updates
        maps = self.splitter.maps
        is_found = groups_of(maps[1]) == wanted_groups
        line = {"alike": bool(maps[0].any()), "groups": is_found, "found_at": found_at}
        for number, banks in enumerate(self.net.regions):
            point = np.array(banks[0].expand_copies())
            distance = ((point - stream.optima[number]) ** 2).sum(axis=-1) / 2
            line[f"loss_{REGIONS[number]}"] = float(distance.mean())
        return line


def groups_of(copies: np.ndarray) -> list[set[int]]:
    """The tasks of each copy."""
    return [set(np.flatnonzero(copies == copy).tolist()) for copy in dict.fromkeys(copies.tolist())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--criteria", nargs="+", default=list(CRITERIA), choices=list(CRITERIA))
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--updates", type=int, default=2000)
    parser.add_argument("--passes", type=int, default=10)
    parser.add_argument("--correlation", type=float, default=0.9)
    parser.add_argument("--split_z", type=float, default=Splitting.split_z)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    lines = []
    for criterion in args.criteria:
        learner = Learner(criterion, {"split_z": args.split_z})
        of_criterion = []
        for seed in range(args.runs):
            line = learner.run(seed, args.updates, args.passes, args.correlation)
            of_criterion.append({"criterion": criterion, "seed": seed, **line})
        lines += of_criterion
        print(summary(criterion, of_criterion), flush=True)
    if args.out:
        with args.out.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(lines[0]))
            writer.writeheader()
            writer.writerows(lines)


def summary(criterion: str, lines: list[dict[str, Any]]) -> str:
    """One line of print."""
    alike = np.mean([line["alike"] for line in lines])
    groups = np.mean([line["groups"] for line in lines])
    when = [line["found_at"] for line in lines if line["groups"]]
    losses = [np.mean([line[f"loss_{name}"] for line in lines]) for name in REGIONS]
    text = ", ".join(f"{loss:.2f}" for loss in losses)
    median = f"{np.median(when):.0f}" if when else "-"
    return (
        f"{criterion}: alike split {alike:.0%}, groups found {groups:.0%} by {median}, loss {text}"
    )


if __name__ == "__main__":
    main()
