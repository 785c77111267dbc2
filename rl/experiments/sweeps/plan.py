"""From a sweep to the runs that it needs: where each is, its command line, and whether what is
there already agrees. `sweep.json` in the sweep's folder holds it."""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any, Mapping, Sequence

from rl.config import UserError
from rl.envs import make, resolve
from rl.experiments.commands.training_flags import CHOICES, parse
from rl.experiments.environments import env_options
from rl.experiments.run import check_start
from rl.experiments.rundir import CONFIG, RunDir, check_trusted
from rl.experiments.sweeps.definition import Sweep, Value, check_name, check_seeds
from rl.files import read_text, write_json
from rl.flags.binding import FREE

FILE = "sweep.json"


@dataclasses.dataclass(frozen=True)
class Stage:
    """A run directory of a sweep, and the command that trains it.

    Attributes:
      argv: of `main.py`. steps: env steps of the whole of it. trust: whether `resume` needs
        `--trust`, since the definition names an env that runs code.
    """

    run: RunDir
    argv: tuple[str, ...]
    steps: int
    trust: bool


@dataclasses.dataclass(frozen=True)
class SweepRun:
    """A method with a seed: a run, or several stages one after another.

    Attributes:
      folder: of the method, which has run directories, outputs and marks of failures.
    """

    method: str
    seed: int
    folder: Path
    stages: tuple[Stage, ...]

    @property
    def name(self) -> str:
        """Such as "ddpg_s0"."""
        return f"{self.method}_s{self.seed}"

    @property
    def log(self) -> Path:
        """The file with the output of its processes."""
        return self.folder / f"{self.name}.log"

    @property
    def failure(self) -> Path:
        """The file that is there while the run is one that failed; it holds the reason."""
        return self.folder / f"{self.name}.failed"


# From a definition -----------------------------------------------------------------


def make_plan(sweep: Sweep, data_dir: Path) -> list[SweepRun]:
    """All runs of a sweep, those of a seed before those of the next. Writes nothing.

    Raises:
      UserError: a value is refused, or a run that is there already has other flags.
    """
    folder = data_dir / sweep.name
    of_method = {method: _method_runs(sweep, method, folder) for method in sweep.methods}
    runs = []
    for number in range(len(sweep.seeds)):
        runs += [of_method[method][number] for method in sweep.methods]
    return runs


def _method_runs(sweep: Sweep, method: str, folder: Path) -> list[SweepRun]:
    """The runs of a method, one for each seed."""
    given = sweep.stages(method)
    data_dir = stage_data_dir(folder, method, len(given))
    names = stage_names(method, len(given))
    stages: dict[int, list[Stage]] = {seed: [] for seed in sweep.seeds}
    before: dict[str, Any] = {}
    for name, values in zip(names, given):
        place = f"method {method}" if len(given) == 1 else f"method {method}, {name}"
        check_name(name, "method")
        first_flags: dict[str, Any] = {}  # of the first seed
        for seed in sweep.seeds:
            values_of_seed = with_seed(values, seed)
            flags = checked_flags(values_of_seed, seed, place)
            if before and not first_flags:
                _check_stages(flags, before, place)
            first_flags = first_flags or flags
            start_from = str(stages[seed][-1].run) if before else ""
            stage = _make_stage(values_of_seed, data_dir, name, seed, start_from, flags)
            _refuse_contradiction(stage.run, flags, bool(before))
            stages[seed].append(stage)
        before = first_flags
    return [SweepRun(method, seed, folder / method, tuple(stages[seed])) for seed in sweep.seeds]


def _check_stages(flags: Mapping[str, Any], before: Mapping[str, Any], place: str) -> None:
    """Makes an env of each of two stages, to look at its spaces.

    Raises:
      UserError: the second can't begin with the networks of the first; the message begins with
        `place`.
    """
    try:
        check_start(flags, before, "the stage before")
        spaces = _spaces_of(flags)
        others = _spaces_of(before)
    except UserError as error:
        raise UserError(f"{place}: {error}") from None
    for what, value in spaces.items():
        if value != others[what]:
            raise UserError(
                f"{place}: {what} of {flags['env']} is {value}, and {others[what]} of "
                f"{before['env']}, the stage before"
            )


def _spaces_of(flags: Mapping[str, Any]) -> dict[str, object]:
    """What the shapes of networks depend on, in words, for the env that flags name."""
    env = make(flags["env"], 1, **env_options(flags))
    env.close()
    return {
        "the shape of observations": env.spec.obs.shape,
        "the size of actions": env.spec.act_dim,
        "the number of choices": env.spec.choices,
        "the number of tasks": env.spec.num_tasks,
    }


def stage_names(method: str, count: int) -> list[str]:
    """Names of the experiments of a method's stages: its own, if there is one."""
    if count == 1:
        return [method]
    return [f"{method}_stage{number}" for number in range(1, count + 1)]


def stage_data_dir(folder: Path, method: str, count: int) -> Path:
    """The folder of the experiments of a method's stages: the sweep's, if there is one stage, else
    the method's in it."""
    return folder if count == 1 else folder / method


def with_seed(values: Mapping[str, Value], seed: int) -> dict[str, Value]:
    """The values for the run of a seed: "{seed}" in a text stands for it."""
    replaced: dict[str, Value] = {}
    for name, value in values.items():
        replaced[name] = value.replace("{seed}", str(seed)) if isinstance(value, str) else value
    return replaced


def checked_flags(values: Mapping[str, Value], seed: int, place: str) -> dict[str, Any]:
    """The values of all flags of training, as a run's config has them, but for its name.

    Raises:
      UserError: a value is refused; the message begins with `place`.
    """
    try:
        flags = parse([*flag_words(values), f"--seed={seed}"])
        if flags["network"] == "meta_splitting":
            raise UserError("--network meta_splitting is made from a run, by meta-test")
        return flags | {"env": resolve(flags["env"]), "seed": seed}
    except UserError as error:
        raise UserError(f"{place}: {error}") from None


def _make_stage(
    values: Mapping[str, Value],
    data_dir: Path,
    name: str,
    seed: int,
    start_from: str,
    flags: Mapping[str, Any],
) -> Stage:
    argv = flag_words(values)
    argv += [f"--data_dir={data_dir}", f"--exp_name={name}", f"--seed={seed}"]
    if start_from:
        argv.append(f"--start_from={start_from}")
    run = RunDir(data_dir / name / f"{name}_s{seed}")
    steps = flags["epochs"] * flags["steps_per_epoch"]
    try:
        check_trusted(flags, run.path)
        trust = False
    except UserError:
        trust = True
    return Stage(run, tuple(argv), steps, trust)


def flag_words(values: Mapping[str, Value]) -> list[str]:
    """The command line that gives flags these values.

    Raises:
      UserError: a value is of no type that a flag has, or an empty list.
    """
    words = []
    for name, value in values.items():
        if not isinstance(value, (list, tuple)):
            words.append(f"--{name}={_word(name, value)}")
        elif value:
            words += [f"--{name}", *(_word(name, item) for item in value)]
        else:
            raise UserError(f"--{name}: an empty list; leave it out for the default")
    return words


def _word(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float, str)):
        return str(value)
    raise UserError(f"--{name} must be a number, a truth, a text or a list, got {value!r}")


def _refuse_contradiction(run: RunDir, flags: Mapping[str, Any], is_later: bool) -> None:
    """Raises a UserError if there is a run whose config says something else than `flags`.

    Args:
      is_later: whether it is a later stage, whose source is the sweep's to choose.
    """
    if not os.path.lexists(run.path / CONFIG):
        return
    config = run.load_config(trust=True)
    free = {*FREE, "start_from"} if is_later else set(FREE)
    for name in [*CHOICES, *sorted(set(flags) - free)]:  # with another choice flags are missing
        if config[name] != flags[name]:
            raise UserError(
                f"{run} was made with --{name} {config[name]}, and the sweep says {flags[name]}; "
                "give the method or the sweep another name"
            )


# sweep.json ------------------------------------------------------------------------


def save_plan(folder: Path, runs: Sequence[SweepRun], argv: Sequence[str]) -> None:
    """Writes `sweep.json`: these runs, and those that it had before and that are none of these.

    Args:
      argv: the sweep's own command line.
    """
    planned = {run.name: run for run in runs}
    earlier = read_plan(folder) if os.path.lexists(folder / FILE) else []
    everything = {run.name: run for run in earlier} | planned
    entries = []
    for run in everything.values():
        stages = [{"argv": list(stage.argv), "steps": stage.steps} for stage in run.stages]
        entries.append({"method": run.method, "seed": run.seed, "stages": stages})
    write_json(folder / FILE, {"argv": list(argv), "runs": entries})


def read_plan(folder: Path) -> list[SweepRun]:
    """The runs of the sweep in a folder, to look at; nothing that is written there is executed.

    Raises:
      UserError: there is no `sweep.json`, or it is not one.
    """
    file = folder / FILE
    try:
        written = json.loads(read_text(file))
        return [_read_run(folder, entry) for entry in written["runs"]]
    except (
        OSError,
        UserError,
        ValueError,
        RecursionError,
        KeyError,
        TypeError,
    ) as error:
        raise UserError(f"{folder} is not a sweep's folder: {FILE}: {error}") from None


def _read_run(folder: Path, entry: Mapping[str, Any]) -> SweepRun:
    """A run of `sweep.json`. Raises a UserError, KeyError, TypeError or ValueError where it isn't
    as `save_plan` writes it."""
    method = entry["method"]
    seed = entry["seed"]
    check_name(method, "method")
    check_seeds([seed])
    names = stage_names(method, len(entry["stages"]))
    if not names:
        raise ValueError(f"{method} has no stages")
    data_dir = stage_data_dir(folder, method, len(names))
    stages = []
    for name, stage in zip(names, entry["stages"]):
        run = RunDir(data_dir / name / f"{name}_s{seed}")
        argv = tuple(map(str, stage["argv"]))
        stages.append(Stage(run, argv, int(stage["steps"]), trust=False))
    return SweepRun(method, seed, folder / method, tuple(stages))
