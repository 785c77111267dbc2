"""What a search is: a space of configurations, how they are chosen, and what their fitness is."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any, Mapping, Optional, Sequence

from rl.config import UserError
from rl.experiments.comparison.run_scores import CHOICES, LAST_ROWS
from rl.experiments.searches.spaces import Choice, IntUniform, Point, Space, Uniform
from rl.experiments.sweeps.definition import (
    OWN,
    Flags,
    Value,
    check_flags,
    check_name,
    check_seeds,
    load_definition,
)
from rl.experiments.sweeps.plan import check_run

STRATEGIES = ("random", "grid", "ic_grid", "auto_ic", "tpe")
WITH_AN_END = ("grid", "ic_grid")  # strategies that need no number of trials
PRUNERS = ("none", "seeds", "curves")
INSIDE = 1 / math.pi  # a fraction of a range that no whole number is at


@dataclasses.dataclass(frozen=True)
class Search:
    """A search for flags of training.

    A configuration that is tried is a trial: a run with every seed. Its fitness is the mean of
    theirs.

    Args:
      name: of the search's folder in data_dir.
      space: flag -> what it may be set to.
      common: flags of all runs. With "meta_test", the directory of a run, flags are those of
        `meta-test`; texts as a Sweep's.
      strategy: of STRATEGIES, see rl/experiments/searches/strategies.py and coordinates.py.
      trials: how many; None: until the strategy has nothing left to try, which is for WITH_AN_END.
      seeds: each configuration is trained with every one.
      fitness: a column of the runs' rows.
      score: of a run: "last", its last row; "mean" of its last `rows` rows; "best" of all rows.
      maximise: whether a high fitness is good.
      prune: of PRUNERS: "seeds" gives a trial up after some of its runs, when on the same seeds and
        tasks it is worse than the best trial by a Wilcoxon test; "curves" when its first run is
        worse than the median of the trials before; None: "seeds" if there are several seeds, else
        "none".
      seed: of the search's own random draws.

    Raises:
      UserError: a value is none of these.
    """

    name: str
    space: Mapping[str, Space]
    common: Flags = dataclasses.field(default_factory=dict)
    strategy: str = "tpe"
    trials: Optional[int] = None
    seeds: Sequence[int] = (0,)
    fitness: str = "Performance"
    score: str = "last"
    rows: int = LAST_ROWS
    maximise: bool = True
    prune: Optional[str] = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_name(self.name, "search")
        check_seeds(self.seeds)
        check_space(self.space)
        check_flags(self.common, "common")
        both = sorted(set(self.space) & set(self.common))
        if both:
            raise UserError(f"--{both[0]} is in the space and among the common flags")
        check_choice("strategy", self.strategy, STRATEGIES)
        check_choice("score", self.score, CHOICES)
        check_choice("prune", self.pruning, PRUNERS)
        if not isinstance(self.fitness, str) or not self.fitness:
            raise UserError(f"fitness must be the name of a column, got {self.fitness!r}")
        check_count("rows", self.rows, 1)
        check_count("seed", self.seed, 0)
        if self.trials is not None:
            check_count("trials", self.trials, 1)
        elif self.strategy not in WITH_AN_END:
            raise UserError(f"a search by {self.strategy} needs a number of trials")

    @property
    def pruning(self) -> str:
        """How trials are given up, of PRUNERS."""
        if self.prune is not None:
            return self.prune
        return "seeds" if len(self.seeds) > 1 else "none"

    def flags(self, params: Mapping[str, Point]) -> dict[str, Value]:
        """The flags of a configuration's runs, but for name and seed."""
        return {**self.common, **self.values(params)}

    def values(self, params: Mapping[str, Point]) -> dict[str, Value]:
        """What a configuration sets flags to."""
        return {name: self.space[name].value(point) for name, point in params.items()}

    def identity(self) -> dict[str, Any]:
        """All that the results of a search follow from, as JSON: not its number of trials."""
        fields = dataclasses.asdict(self)
        fields["seeds"] = list(self.seeds)
        fields["prune"] = self.pruning
        for name in ("name", "trials"):
            del fields[name]
        for name, space in self.space.items():
            fields["space"][name] = {"kind": type(space).__name__, **dataclasses.asdict(space)}
        return json.loads(json.dumps(fields))


def check_space(space: Mapping[str, Space]) -> None:
    """Raises a UserError unless these are spaces by names of flags that a search may set."""
    if not isinstance(space, Mapping) or not space:
        raise UserError("space must be a dict with one flag or more")
    for name, values in space.items():
        if not isinstance(values, (Uniform, IntUniform, Choice)):
            raise UserError(
                f"space {name} must be a Uniform, LogUniform, IntUniform or Choice, got {values!r}"
            )
        if name in OWN:
            raise UserError(f"space {name}: --{name} follows from the search's trials and seeds")


def check_choice(what: str, value: str, known: Sequence[str]) -> None:
    """Raises a UserError unless a value is one of those that are known."""
    if value not in known:
        raise UserError(f"{what} must be one of {', '.join(known)}, got {value!r}")


def check_count(what: str, value: int, low: int) -> None:
    """Raises a UserError unless a value is a whole number of at least `low`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < low:
        raise UserError(f"{what} must be a whole number of at least {low}, got {value!r}")


def check_values(search: Search, data_dir: Path = Path("data")) -> None:
    """Tries the flags with the ends of every range and with every choice, one flag after another,
    the others at their first values.

    Args:
      data_dir: folder of the search's folder.

    Raises:
      UserError: a flag is unknown, or refuses a value; the message names the space.
    """
    folder = data_dir / search.name
    first = {name: space.grid()[0] for name, space in search.space.items()}
    for name, space in search.space.items():
        points = space.grid()
        if not isinstance(space, Choice):
            points = [points[0], space.at(INSIDE), points[-1]]
        for point in points:
            flags = search.flags({**first, name: point})
            check_run(flags, search.seeds[0], f"space {name}", folder)
    for seed in search.seeds:
        check_run(search.flags(first), seed, f"search {search.name}", folder)


def load_search(path: Path) -> Search:
    """What a Python file that the user named calls `search`. Raises what `load_definition` does."""
    found = load_definition(path, "search")
    if not isinstance(found, Search):
        raise UserError(f"{path} has no search: it needs a line such as search = rl.Search(...)")
    return found
