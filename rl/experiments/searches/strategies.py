"""Strategies: which configuration is tried next, as a function of those tried before.

    random    each value drawn by itself
    grid      every point of the grid, once, the last flag's values changing fastest
    ic_grid   iterated coordinates on the grid          coordinates.py
    auto_ic   the same, with coordinates by their gain  coordinates.py
    tpe       Optuna's TPESampler                       tpe.py

A strategy has no state. What it needs to know beside values it notes with each configuration, and
its random draws come from the search's seed and the trial's number; so a search that was killed
goes on as if it had not been.
"""

import dataclasses
import itertools
import math
from typing import Mapping, Optional, Protocol, Sequence, Union

import numpy as np

from rl.experiments.searches.spaces import Point, Space

Note = Mapping[str, Union[str, float, Sequence[Point]]]


@dataclasses.dataclass(frozen=True)
class Tried:
    """A configuration that was chosen before.

    Attributes:
      state: "running", "complete", "pruned" or "failed".
      value: its fitness, of which more is better; None where it isn't known.
      step: the last row that "curves" pruning has seen; -1 where there is none.
      note: what the strategy noted when it chose it.
    """

    params: Mapping[str, Point]
    state: str
    value: Optional[float]
    step: int
    note: Note


@dataclasses.dataclass(frozen=True)
class Proposal:
    """A configuration to try, and what the strategy notes with it."""

    params: dict[str, Point]
    note: Note = dataclasses.field(default_factory=dict)


class Strategy(Protocol):
    """What chooses configurations."""

    def propose(self, tried: Sequence[Tried], rng: np.random.Generator) -> Optional[Proposal]:
        """The next configuration; None: there is nothing left to try, as far as is known.

        Args:
          tried: in the order in which they were chosen.
          rng: of this trial alone.
        """


class Random:
    """Draws the value of each flag by itself."""

    def __init__(self, space: Mapping[str, Space]) -> None:
        self.space = space

    def propose(self, tried: Sequence[Tried], rng: np.random.Generator) -> Optional[Proposal]:
        """A random configuration."""
        del tried
        return Proposal({name: space.draw(rng) for name, space in self.space.items()})


class Grid:
    """Every point of the grid, once."""

    def __init__(self, space: Mapping[str, Space]) -> None:
        self.space = space

    def propose(self, tried: Sequence[Tried], rng: np.random.Generator) -> Optional[Proposal]:
        """The first point of the grid that wasn't tried; None: there is none."""
        del rng
        visited = [dict(before.params) for before in tried]
        grids = [space.grid() for space in self.space.values()]
        for points in itertools.product(*grids):
            params = dict(zip(self.space, points))
            if params not in visited:
                return Proposal(params)
        return None


def best_of(tried: Sequence[Tried]) -> Optional[Tried]:
    """The first of the best configurations that weren't given up by their curves; None where there
    is none."""
    best = None
    highest = -math.inf
    for before in tried:
        if before.state == "complete" and before.value is not None and before.value > highest:
            best = before
            highest = before.value
    return best
