"""How often each criterion calls for a split of identical tasks, by Monte Carlo: moments of z, and
sizes of the tests.

    .venv/bin/python benchmarks/splitting_sizes.py --out benchmarks/results/splitting_sizes.csv

In each of 1002 regions of 16 parameters the gradients of 3 tasks are normal around one mean,
independent from update to update; they go through `measure`, the averages of training at their
default decay, and `judge`. z and sizes are over
all regions and pairs, at one look after so many updates: at 5%, z over 1.645, and at the default
threshold. z is that of all pairs; sizes of `conflict` heed the sign of the cosine, too. `v1` has
one variance for the regions, here as well known as in a large network. `v2` splits by rank,
whatever the noise: it has no test, so no size. `orthogonal means` is the edge of what `conflict`
tests, whose tasks need not be identical.
"""

import argparse
import csv
import dataclasses
import os
import sys
from pathlib import Path
from statistics import NormalDist
from typing import Any, Iterator, NamedTuple, Sequence

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3"}
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from rl.gradients.per_task import Products  # noqa: E402
from rl.splitting import CRITERIA, Config  # noqa: E402
from rl.splitting.moments import Moments, Stat  # noqa: E402

REGIONS, TASKS, SIZE = 1002, 3, 16
LOOKS = (200, 2000, 6000)
COLUMNS = (
    "criterion",
    "setting",
    "samples",
    "mean z",
    "sd z",
    "size at 5%",
    "threshold",
    "size at threshold",
)


class Setting(NamedTuple):
    """Gradients of a batch are `scale * (mean + noise)`; noise is `factor` times independent
    standard normals.

    mean: `(size,)`, or `(tasks, size)`. factor: `(size, size)`. scale: `(regions,)`.
    """

    mean: np.ndarray = np.zeros(SIZE)
    factor: np.ndarray = np.eye(SIZE)
    scale: np.ndarray = np.ones(REGIONS)

    @property
    def sizes(self) -> np.ndarray:
        """`(regions,)`, see `Criterion.measure`."""
        return np.full(len(self.scale), float(len(self.factor)))

    def draw(self, seed: tf.Tensor, tasks: int) -> Products:
        """What one update's gradients are."""
        mean, factor, scale = (tf.constant(array, tf.float32) for array in self)
        shape = (2, len(self.scale), tasks, len(self.factor))
        noise = (
            tf.sqrt(2.0) * tf.random.stateless_normal(shape, seed) @ tf.transpose(factor)
        )  # of half a batch each
        first, second = tf.unstack(scale[:, None, None] * (mean + noise))
        whole = (first + second) / 2
        gram, cross = (
            tf.matmul(left, right, transpose_b=True)
            for left, right in ((whole, whole), (first, second))
        )
        cross = (cross + tf.linalg.matrix_transpose(cross)) / 2
        return Products(gram, tf.reduce_sum(whole, axis=-1), cross, tf.linalg.diag_part(cross))


SETTINGS = {
    "alike": Setting(),
    "variances over two decades": Setting(factor=np.diag(np.logspace(-1, 0, SIZE))),
    "correlated by 0.5": Setting(factor=np.linalg.cholesky(0.5 * np.eye(SIZE) + 0.5)),
    "scales": Setting(scale=np.repeat([0.1, 1.0, 10.0], REGIONS // 3)),
    "large mean": Setting(mean=np.random.default_rng(0).normal(size=SIZE)),
    "orthogonal means": Setting(mean=4 * np.eye(TASKS, SIZE)),
}


def watch(
    configs: Sequence[Config],
    setting: Setting,
    looks: Sequence[int],
    tasks: int = TASKS,
    seed: int = 0,
) -> Iterator[list[tuple[Any, dict[str, Stat]]]]:
    """After each of `looks` updates the criterion of each of `configs` and its averages, all of the
    same gradients."""
    sizes = setting.sizes
    watched: list[tuple[Any, dict[str, Moments]]] = [
        (CRITERIA[own.split_criterion](own), {}) for own in configs
    ]
    for criterion, moments in watched:
        for name, value in criterion.measure(setting.draw((seed, 0), tasks), sizes).items():
            moments[name] = Moments(tuple(value.shape), criterion.decay)

    @tf.function  # without XLA, whose normals take ten times as long
    def observe(start: tf.Tensor, stop: tf.Tensor) -> None:
        for number in tf.range(start, stop):
            drawn = setting.draw((seed, number), tasks)
            for criterion, moments in watched:
                for name, value in criterion.measure(drawn, sizes).items():
                    moments[name].update(value)

    for start, stop in zip((0, *looks), looks):
        observe(tf.constant(start), tf.constant(stop))
        yield [
            (criterion, {name: own.stat() for name, own in moments.items()})
            for criterion, moments in watched
        ]


def rows(name: str, setting: Setting) -> Iterator[tuple[Any, ...]]:
    """The table's, of one setting."""
    tested = (
        ["conflict"] if setting.mean.ndim == 2 else ["conflict", "halfbatch", "v1", "v1_region"]
    )
    averages = watch([Config(split_criterion=criterion) for criterion in tested], setting, LOOKS)
    pair, nominal = np.triu_indices(TASKS, 1), NormalDist().inv_cdf(0.95)
    for samples, watched in zip(LOOKS, averages):
        for criterion, stats in watched:
            any_cosine = type(criterion)(dataclasses.replace(criterion.config, split_cosine=-2.0))
            for scale in np.unique(setting.scale):
                judged = (own.judge(stats, setting.sizes).score for own in (any_cosine, criterion))
                z, score = (own[setting.scale == scale][:, *pair] for own in judged)
                label = f"{name}: {scale:g}" if setting.scale.std() else name
                sizes = (
                    np.mean(score > nominal),
                    criterion.threshold(),
                    np.mean(score > criterion.threshold()),
                )
                yield criterion.config.split_criterion, label, samples, z.mean(), z.std(), *sizes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    tf.get_logger().setLevel("ERROR")  # each setting has a trace, which TensorFlow warns of
    table = [row for name, setting in SETTINGS.items() for row in rows(name, setting)]
    lines = [
        [f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row]
        for row in sorted(table)
    ]
    for line in (COLUMNS, *lines):
        print("".join(cell.ljust(28 if k == 1 else 12) for k, cell in enumerate(line)))
    if args.out:
        with args.out.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *lines])


if __name__ == "__main__":
    main()
