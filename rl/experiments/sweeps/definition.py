"""What a sweep is: methods, seeds, and the flags of each method, as data."""

import dataclasses
import runpy
import traceback
from pathlib import Path
from typing import Mapping, Sequence, Union

from rl.config import UserError
from rl.experiments.rundir import check_plain

Value = Union[bool, int, float, str, Sequence[bool], Sequence[int], Sequence[float], Sequence[str]]
# Values of flags of training by name.
Flags = Mapping[str, Value]
# Flags that the sweep itself decides.
OWN = ("seed", "exp_name", "data_dir", "overwrite")
# What names the run that a method adapts, among flags that are then those of `meta-test`.
META_TEST = "meta_test"


@dataclasses.dataclass(frozen=True)
class Sweep:
    """Methods times seeds.

    Args:
      name: of the sweep's folder in data_dir.
      methods: name -> flags of its runs; or a list of such flags, its stages: each is a run that
        begins with the networks of the one before, see `--start_from`. With "meta_test", the
        directory of a run, flags are those of `meta-test`, which adapts it.
      seeds: each method is trained with every one. In a text among the flags "{seed}" stands for
        it, and "{sweep}" for the sweep's folder: `"start_from": "{sweep}/x/x_s{seed}"`.
      common: flags of every method that is trained, where it doesn't have others.
      eval_episodes: of each task, that `eval --save` plays with the last policy of each run; 0:
        none.

    Raises:
      UserError: a name is not that of a plain folder, there is no method or no seed, a seed is
        given twice, or a flag is one that the sweep decides.
    """

    name: str
    methods: Mapping[str, Union[Flags, Sequence[Flags]]]
    seeds: Sequence[int] = (0,)
    common: Flags = dataclasses.field(default_factory=dict)
    eval_episodes: int = 0

    def __post_init__(self) -> None:
        check_name(self.name, "sweep")
        if not isinstance(self.methods, Mapping) or not self.methods:
            raise UserError(f"sweep {self.name}: methods must be a dict with one method or more")
        check_seeds(self.seeds)
        check_flags(self.common, "common")
        check_episodes(self.eval_episodes)
        for method in self.methods:
            check_name(method, "method")
            stages = self.stages(method)
            for number, flags in enumerate(stages, start=1):
                check_flags(flags, f"method {method}")
                if META_TEST in flags and len(stages) > 1:
                    raise UserError(f"method {method}: {META_TEST} is no stage, but a whole method")
                if number > 1 and "start_from" in flags:
                    raise UserError(
                        f"method {method}: stage {number} starts from the stage before it, not by "
                        "--start_from"
                    )

    def stages(self, method: str) -> list[dict[str, Value]]:
        """The flags of each of a method's stages; one for most methods. The common ones are
        included, but for META_TEST: what isn't given is then as in the run that is adapted.

        Raises:
          UserError: it is neither a dict of flags nor a list of some.
        """
        given = self.methods[method]
        stages = [given] if isinstance(given, Mapping) else given
        is_list = isinstance(stages, (list, tuple)) and len(stages) > 0
        if not is_list or not all(isinstance(stage, Mapping) for stage in stages):
            raise UserError(f"method {method} must be a dict of flags, or a list of such dicts")
        return [dict(stage) if META_TEST in stage else {**self.common, **stage} for stage in stages]


def check_name(name: str, what: str) -> None:
    """Raises a UserError unless a sweep or a method is called as a plain folder can be."""
    if not isinstance(name, str) or not name:
        raise UserError(f"the name of a {what} must be a text, got {name!r}")
    check_plain(name, f"the name of a {what}")


def check_seeds(seeds: Sequence[int]) -> None:
    """Raises a UserError unless there are seeds, all different. Their range is training's to
    check."""
    if not isinstance(seeds, (list, tuple, range)) or not seeds:
        raise UserError(f"seeds must be a list of whole numbers, got {seeds!r}")
    if not all(isinstance(seed, int) and not isinstance(seed, bool) for seed in seeds):
        raise UserError(f"seeds must be whole numbers, got {seeds!r}")
    if len(set(seeds)) < len(seeds):
        raise UserError(f"each seed makes a run, so none can be given twice, got {list(seeds)}")


def check_episodes(count: int) -> None:
    """Raises a UserError unless these are so many episodes, or none."""
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise UserError(f"eval_episodes must be a whole number, 0 or more, got {count!r}")


def check_flags(flags: Flags, place: str) -> None:
    """Raises a UserError unless these are values by name, of no flag that the sweep decides."""
    if not isinstance(flags, Mapping) or not all(isinstance(name, str) for name in flags):
        raise UserError(f"{place}: flags must be a dict from names to values, got {flags!r}")
    decided = [name for name in OWN if name in flags]
    if decided:
        raise UserError(f"{place}: --{decided[0]} follows from the sweep's methods and seeds")


def load_sweep(path: Path) -> Sweep:
    """What a Python file that the user named calls `sweep`. Raises what `load_definition` does."""
    found = load_definition(path, "sweep")
    if not isinstance(found, Sweep):
        raise UserError(f"{path} has no sweep: it needs a line such as sweep = rl.Sweep(...)")
    return found


def load_definition(path: Path, name: str) -> object:
    """Runs a Python file that the user named.

    Returns:
      What it calls `name`; None where there is no such thing.

    Raises:
      UserError: there is no such file, or it fails.
    """
    if not path.is_file():
        raise UserError(f"there is no file {path}")
    try:
        names = runpy.run_path(str(path))
    except UserError:
        raise
    except Exception as error:  # pylint: disable=broad-exception-caught  # of the user's code
        refusal = UserError(f"{path} raised {type(error).__name__}: {error}")
        setattr(refusal, "details", traceback.format_exc())
        raise refusal from error
    return names.get(name)
