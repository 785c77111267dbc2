"""Strategies that tune one flag at a time, with the others as in the best configuration so far.

Both begin with the middle of the space. A *tuning* then tries values of one flag, and the best
configuration of all so far is where the next tuning begins. Configurations that were tried are not
tried again.
"""

import abc
import dataclasses
from typing import Mapping, Optional, Sequence, Union

import numpy as np

from rl.experiments.searches.spaces import Choice, Point, Space
from rl.experiments.searches.strategies import Proposal, Tried, best_of

CELLS = 4  # values that auto_ic tries in an interval
SHRINKING = 0.5  # an interval's length by that of the one before


@dataclasses.dataclass(frozen=True)
class Tuning:
    """Values of a flag that are to be tried.

    Attributes:
      parameter: the flag; "" for the first configuration of all.
      low, high: the interval that the values are from, as fractions of the range.
      left: values after this one.
      number: of the tuning, from 0.
    """

    parameter: str
    low: float
    high: float
    left: tuple[Point, ...]
    number: int

    def note(self) -> dict[str, Union[str, float, list[Point]]]:
        """As a note with a configuration, from which `read_tuning` makes it again."""
        return {**dataclasses.asdict(self), "left": list(self.left)}


def read_tuning(tried: Tried) -> Tuning:
    """The tuning that a configuration was chosen for."""
    note = dict(tried.note)
    left = note.pop("left")
    return Tuning(left=tuple(left), **note)  # type: ignore[arg-type]


class Coordinates(abc.ABC):
    """Tunes one flag after another."""

    def __init__(self, space: Mapping[str, Space]) -> None:
        self.space = space

    def propose(self, tried: Sequence[Tried], rng: np.random.Generator) -> Optional[Proposal]:
        """The next value of the tuning that goes on, or the first one of a new tuning; None: no
        tuning has a value that wasn't tried."""
        chosen = [before for before in tried if before.note]
        if not chosen:
            start = Tuning("", 0.0, 1.0, left=(), number=0)
            return Proposal(self.middle(), start.note())
        last = read_tuning(chosen[-1])
        if last.left:
            params = {**chosen[-1].params, last.parameter: last.left[0]}
            return Proposal(params, dataclasses.replace(last, left=last.left[1:]).note())
        best = best_of(tried) or chosen[0]
        tuning = self.next_tuning(tried, best, rng)
        if tuning is None:
            return None
        params = {**best.params, tuning.parameter: tuning.left[0]}
        return Proposal(params, dataclasses.replace(tuning, left=tuning.left[1:]).note())

    def middle(self) -> dict[str, Point]:
        """The configuration in the middle of all grids."""
        grids = {name: space.grid() for name, space in self.space.items()}
        return {name: grid[(len(grid) - 1) // 2] for name, grid in grids.items()}

    def untried(
        self, tried: Sequence[Tried], best: Tried, parameter: str, values: Sequence[Point]
    ) -> tuple[Point, ...]:
        """Those of the values of a flag that weren't tried with the other flags as in `best`."""
        visited = [dict(before.params) for before in tried]
        left = [value for value in values if {**best.params, parameter: value} not in visited]
        return tuple(dict.fromkeys(left))

    @abc.abstractmethod
    def next_tuning(
        self, tried: Sequence[Tried], best: Tried, rng: np.random.Generator
    ) -> Optional[Tuning]:
        """A tuning with at least one value, around `best`; None: there is none."""


class ICGrid(Coordinates):
    """Iterated coordinates on the grid: tunes the flags in their order, again and again, over all
    points of their grids. It ends when no flag has a point that wasn't tried, with the others as in
    the best configuration."""

    def next_tuning(
        self, tried: Sequence[Tried], best: Tried, rng: np.random.Generator
    ) -> Optional[Tuning]:
        """The next flag in order that has a point left."""
        del rng
        names = list(self.space)
        last = read_tuning([before for before in tried if before.note][-1])
        first = names.index(last.parameter) + 1 if last.parameter else 0
        for offset in range(len(names)):
            name = names[(first + offset) % len(names)]
            left = self.untried(tried, best, name, self.space[name].grid())
            if left:
                return Tuning(name, 0.0, 1.0, left, last.number + 1)
        return None


class AutoIC(Coordinates):
    """Iterated coordinates that chooses which flag to tune, and over what interval.

    1. The first trial is the middle of the space.
    2. Each flag is tuned once, in order, over its whole range.
    3. Then the flag to tune is drawn, with a probability in proportion to an estimate of what
       tuning it may gain: the standard deviation of the fitnesses of its last tuning. A flag whose
       tuning has fewer than two fitnesses has the estimate 0; if all are 0, all are equally likely.
    4. Its interval is SHRINKING times as long as that of its last tuning, with the best
       configuration's value in the middle, less what lies outside the range. Lengths and middles
       are those of the flag's own scale: of a Uniform or an IntUniform the interval is
       [best - d, best + d], of a LogUniform [best / r, best * r].
    5. A tuning divides its interval into CELLS of equal length on that scale, and tries the middle
       of each. A Choice has no interval: all its values are tried.
    6. A flag without a value that wasn't tried is left out of the draw. If all are, the search
       ends.
    """

    def next_tuning(
        self, tried: Sequence[Tried], best: Tried, rng: np.random.Generator
    ) -> Optional[Tuning]:
        """The first tuning of a flag that had none yet, or one of a flag that is drawn."""
        chosen = [before for before in tried if before.note]
        number = read_tuning(chosen[-1]).number + 1
        candidates: dict[str, Tuning] = {}
        for name in self.space:
            tuning = self._tuning_of(name, chosen, best, number)
            if tuning.left:
                candidates[name] = tuning
        for name, tuning in candidates.items():
            if not last_tuning(chosen, name):
                return tuning
        if not candidates:
            return None
        gains = np.array([gain(last_tuning(chosen, name)) for name in candidates])
        total = gains.sum()
        probabilities = gains / total if total > 0 else np.full(len(gains), 1 / len(gains))
        place = int(rng.choice(len(gains), p=probabilities))
        return list(candidates.values())[place]

    def _tuning_of(self, name: str, chosen: Sequence[Tried], best: Tried, number: int) -> Tuning:
        """The next tuning of a flag, whose values may all have been tried."""
        space = self.space[name]
        if isinstance(space, Choice):
            left = self.untried(chosen, best, name, space.grid())
            return Tuning(name, 0.0, 1.0, left, number)
        low = 0.0
        high = 1.0
        before = last_tuning(chosen, name)
        if before:
            tuning = read_tuning(before[-1])
            half = SHRINKING * (tuning.high - tuning.low) / 2
            centre = space.fraction(best.params[name])
            low = max(0.0, centre - half)
            high = min(1.0, centre + half)
        cell = (high - low) / CELLS
        values = [space.at(low + (index + 0.5) * cell) for index in range(CELLS)]
        return Tuning(name, low, high, self.untried(chosen, best, name, values), number)


def last_tuning(tried: Sequence[Tried], name: str) -> list[Tried]:
    """The configurations of the last tuning of a flag, in order."""
    tunings = [before for before in tried if read_tuning(before).parameter == name]
    if not tunings:
        return []
    number = read_tuning(tunings[-1]).number
    return [before for before in tunings if read_tuning(before).number == number]


def gain(tuning: Sequence[Tried]) -> float:
    """The standard deviation of a tuning's fitnesses; 0 where there are fewer than two."""
    values = [before.value for before in tuning if before.value is not None]
    return float(np.std(values)) if len(values) > 1 else 0.0
