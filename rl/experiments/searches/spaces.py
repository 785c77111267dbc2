"""What a search may set a flag to: ranges of numbers, and choices.

A strategy sees a value as a `Point`: a number of a range, or the label of a choice. Places in a
range are fractions of the way from its low end to its high end, on the range's own scale, so a
strategy needs not know whether that is arithmetic or geometric.
"""

import dataclasses
import math
from typing import Sequence, Union

import numpy as np

from rl.config import UserError
from rl.experiments.sweeps.definition import Value

Point = Union[int, float, str]
POINTS = 5  # of a range's grid


@dataclasses.dataclass(frozen=True)
class Uniform:
    """Real numbers from `low` to `high`, all equally likely.

    Args:
      points: of its grid, at even distances, both ends included.

    Raises:
      UserError: the ends are no numbers in order, or there are fewer than 2 points.
    """

    low: float
    high: float
    points: int = POINTS

    def __post_init__(self) -> None:
        check_range(self.low, self.high, self.points)

    def at(self, fraction: float) -> float:
        """The value at a fraction of the way, in [0, 1]."""
        value = self.low + fraction * (self.high - self.low)
        return float(min(max(value, self.low), self.high))

    def fraction(self, point: Point) -> float:
        """The inverse of `at`."""
        return (float(point) - self.low) / (self.high - self.low)

    def grid(self) -> list[Point]:
        """The points of the grid, in order."""
        return [self.at(index / (self.points - 1)) for index in range(self.points)]

    def draw(self, rng: np.random.Generator) -> Point:
        """A random value."""
        return self.at(rng.random())

    def value(self, point: Point) -> Value:
        """What the flag is set to."""
        return point


@dataclasses.dataclass(frozen=True)
class LogUniform(Uniform):
    """Real numbers above 0 whose logarithms are all equally likely; its grid is geometric.

    Raises:
      UserError: as Uniform's, or `low` is not above 0.
    """

    def __post_init__(self) -> None:
        check_range(self.low, self.high, self.points)
        if self.low <= 0:
            raise UserError(f"the low end of a LogUniform must be above 0, got {self.low}")

    def at(self, fraction: float) -> float:
        """The value at a fraction of the way, in [0, 1], on the scale of logarithms."""
        value = self.low * (self.high / self.low) ** fraction
        return float(min(max(value, self.low), self.high))

    def fraction(self, point: Point) -> float:
        """The inverse of `at`."""
        return math.log(float(point) / self.low) / math.log(self.high / self.low)


@dataclasses.dataclass(frozen=True)
class IntUniform:
    """Whole numbers from `low` to `high`, both included, all equally likely.

    Args:
      points: of its grid, at even distances but for rounding; fewer where the range has fewer.

    Raises:
      UserError: the ends are no whole numbers in order, or there are fewer than 2 points.
    """

    low: int
    high: int
    points: int = POINTS

    def __post_init__(self) -> None:
        check_range(self.low, self.high, self.points)
        if not isinstance(self.low, int) or not isinstance(self.high, int):
            raise UserError(
                f"the ends of an IntUniform must be whole numbers, got {self.low} and {self.high}"
            )

    def at(self, fraction: float) -> int:
        """The value nearest to a fraction of the way, in [0, 1]."""
        return round(self.low + fraction * (self.high - self.low))

    def fraction(self, point: Point) -> float:
        """The inverse of `at`, but for rounding."""
        return (float(point) - self.low) / (self.high - self.low)

    def grid(self) -> list[Point]:
        """The points of the grid, in order."""
        values = [self.at(index / (self.points - 1)) for index in range(self.points)]
        return list(dict.fromkeys(values))

    def draw(self, rng: np.random.Generator) -> Point:
        """A random value."""
        return int(rng.integers(self.low, self.high + 1))

    def value(self, point: Point) -> Value:
        """What the flag is set to."""
        return point


@dataclasses.dataclass(frozen=True)
class Choice:
    """One of several values, all equally likely: truths, numbers, texts, or lists of these.

    Raises:
      UserError: there are fewer than 2, or two are alike.
    """

    values: Sequence[Value]

    def __post_init__(self) -> None:
        if not isinstance(self.values, (list, tuple)) or len(self.values) < 2:
            raise UserError(f"a Choice needs a list of 2 values or more, got {self.values!r}")
        if len(set(self.labels)) < len(self.labels):
            raise UserError(f"a Choice has a value twice: {', '.join(self.labels)}")

    @property
    def labels(self) -> list[str]:
        """The values as texts, by which a strategy knows them."""
        return [label_of(value) for value in self.values]

    def grid(self) -> list[Point]:
        """All labels."""
        return list(self.labels)

    def draw(self, rng: np.random.Generator) -> Point:
        """A random label."""
        return self.labels[int(rng.integers(len(self.values)))]

    def value(self, point: Point) -> Value:
        """What the flag is set to."""
        return self.values[self.labels.index(str(point))]


Range = Union[Uniform, IntUniform]  # and LogUniform, which is a Uniform
Space = Union[Range, Choice]


def label_of(value: Value) -> str:
    """A value as a text: a list with commas, a truth in small letters."""
    if isinstance(value, (list, tuple)):
        return ",".join(map(label_of, value))
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def check_range(low: float, high: float, points: int) -> None:
    """Raises a UserError unless these make a range with a grid."""
    for end in (low, high):
        is_number = isinstance(end, (int, float)) and not isinstance(end, bool)
        if not is_number or not math.isfinite(end):
            raise UserError(f"the end of a range must be a finite number, got {end!r}")
    if low >= high:
        raise UserError(f"the low end of a range must be below the high end, got {low} and {high}")
    if not isinstance(points, int) or points < 2:
        raise UserError(f"the grid of a range needs 2 points or more, got {points!r}")
