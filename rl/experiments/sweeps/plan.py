"""From a sweep to the runs that it needs: where each is, its command line, and whether what is
there already agrees. `sweep.json` in the sweep's folder holds it."""

import json
import os
from pathlib import Path
from typing import Any, Mapping, Sequence

from rl.config import UserError
from rl.envs import make, resolve
from rl.experiments.adapted_flags import adapted_flags
from rl.experiments.commands import meta_test
from rl.experiments.commands.training_flags import CHOICES, parse
from rl.experiments.environments import env_options
from rl.experiments.run import check_start
from rl.experiments.rundir import CONFIG, RunDir, check_trusted
from rl.experiments.sweeps.definition import (
    META_TEST,
    Sweep,
    Value,
    check_episodes,
    check_name,
    check_seeds,
)
from rl.experiments.sweeps.runs import Stage, SweepRun
from rl.experiments.sweeps.sources import place_of, with_sources
from rl.files import read_text, write_json
from rl.flags.binding import FREE
from rl.flags.torsos import refuse_adapted

FILE = "sweep.json"

# From a definition -----------------------------------------------------------------


def make_plan(sweep: Sweep, data_dir: Path) -> list[SweepRun]:
    """All runs of a sweep, those of a seed before those of the next. Writes nothing.

    Raises:
      UserError: a value is refused, or a run that is there already has other flags.
    """
    folder = data_dir / sweep.name
    planned: dict[Path, dict[str, Any]] = {}
    of_method = {}
    for method in sweep.methods:
        if META_TEST in sweep.stages(method)[0]:
            of_method[method] = _adapting_runs(sweep, method, folder, planned)
        else:
            of_method[method] = _method_runs(sweep, method, folder, planned)
    runs = []
    for number in range(len(sweep.seeds)):
        runs += [of_method[method][number] for method in sweep.methods]
    return with_sources(runs, list(sweep.methods))


def _method_runs(
    sweep: Sweep, method: str, folder: Path, planned: dict[Path, dict[str, Any]]
) -> list[SweepRun]:
    """The runs of a method that is trained, one for each seed.

    Args:
      planned: flags by the place of a run directory; those of this method are added.
    """
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
            values_of_seed = filled(values, seed, folder)
            flags = checked_flags(values_of_seed, seed, place)
            if before and not first_flags:
                _check_stages(flags, before, place)
            first_flags = first_flags or flags
            start_from = str(stages[seed][-1].run) if before else ""
            stage = _make_stage(values_of_seed, data_dir, name, seed, start_from, flags)
            _refuse_contradiction(stage.run, flags, ("start_from",) if before else ())
            stages[seed].append(stage)
            planned[place_of(stage.run.path)] = flags
        before = first_flags
    runs = []
    for seed in sweep.seeds:
        of_seed = tuple(stages[seed])
        runs.append(SweepRun(method, seed, folder / method, of_seed, sweep.eval_episodes))
    return runs


def _adapting_runs(
    sweep: Sweep, method: str, folder: Path, planned: Mapping[Path, dict[str, Any]]
) -> list[SweepRun]:
    """The runs of a method that adapts others by `meta-test`, one for each seed.

    Args:
      planned: flags of runs that may not have begun yet, by the place of their directory.
    """
    (values,) = sweep.stages(method)
    env: Any = None  # as that of the first seed's source, to look at
    runs = []
    for seed in sweep.seeds:
        words_of_seed = filled(values, seed, folder)
        source = RunDir(str(words_of_seed.pop(META_TEST)))
        try:
            argv = ["meta-test", str(source), *flag_words(words_of_seed)]
            argv += [f"--data_dir={folder}", f"--exp_name={method}", f"--seed={seed}"]
            _, asked, training = meta_test.parse_command(argv[1:])
            # What the sweep itself trains is trusted, since the definition names its env.
            saved = planned.get(place_of(source.path)) or source.load_config(asked.trust)
            meta_test.check(source, saved)
            meta_test.check_flags(source, saved, training)
            if env is None:
                env = make(saved["env"], 1, **env_options(saved))
                env.close()
            flags = adapted_flags(saved, asked, training, env)
        except UserError as error:
            raise UserError(f"method {method}: {error}") from None
        trust = not is_trusted(saved)
        if trust:
            argv.append("--trust")
        run = RunDir.of(flags)
        _refuse_other_start(run, source, asked)
        _refuse_contradiction(run, flags, ("meta_copies",))
        epoch_steps = flags["steps_per_epoch"]
        stage = Stage(run, tuple(argv), flags["epochs"] * epoch_steps, trust, epoch_steps)
        runs.append(SweepRun(method, seed, folder / method, (stage,), sweep.eval_episodes))
    return runs


def check_run(values: Mapping[str, Value], seed: int, place: str, folder: Path) -> None:
    """Raises a UserError, which begins with `place`, unless these are flags of training, or those
    of a `meta-test` with a run that is there. Makes no env.

    Args:
      folder: what "{sweep}" stands for.
    """
    if META_TEST not in values:
        checked_flags(values, seed, place)
        return
    words = filled(values, seed, folder)
    source = RunDir(str(words.pop(META_TEST)))
    try:
        argv = [str(source), *flag_words(words), f"--seed={seed}"]
        _, asked, training = meta_test.parse_command(argv)
        saved = source.load_config(asked.trust)
        meta_test.check(source, saved)
        meta_test.check_flags(source, saved, training)
    except UserError as error:
        raise UserError(f"{place}: {error}") from None


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


def filled(values: Mapping[str, Value], seed: int, folder: Path) -> dict[str, Value]:
    """The values for the run of a seed: in a text "{seed}" stands for it, and "{sweep}" for the
    sweep's folder."""
    replaced = dict(values)
    for name, value in values.items():
        if isinstance(value, str):
            replaced[name] = value.replace("{seed}", str(seed)).replace("{sweep}", str(folder))
    return replaced


def checked_flags(values: Mapping[str, Value], seed: int, place: str) -> dict[str, Any]:
    """The values of all flags of training, as a run's config has them, but for its name.

    Raises:
      UserError: a value is refused; the message begins with `place`.
    """
    try:
        flags = parse([*flag_words(values), f"--seed={seed}"])
        refuse_adapted(flags["network"])
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
    epoch_steps = flags["steps_per_epoch"]
    steps = flags["epochs"] * epoch_steps
    return Stage(run, tuple(argv), steps, not is_trusted(flags), epoch_steps)


def is_trusted(flags: Mapping[str, Any]) -> bool:
    """Whether a run with these flags runs no code but this package's; see `check_trusted`."""
    try:
        check_trusted(flags, Path())
    except UserError:
        return False
    return True


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


def _refuse_contradiction(run: RunDir, flags: Mapping[str, Any], decided: Sequence[str]) -> None:
    """Raises a UserError if there is a run whose config says something else than `flags`.

    Args:
      decided: names of flags that are not the definition's to choose.
    """
    if not os.path.lexists(run.path / CONFIG):
        return
    config = run.load_config(trust=True)
    free = {*FREE, *decided}
    for name in [*CHOICES, *sorted(set(flags) - free)]:  # with another choice flags are missing
        if config[name] != flags[name]:
            raise UserError(
                f"{run} was made with --{name} {config[name]}, and the sweep says {flags[name]}; "
                "give the method or the sweep another name"
            )


def _refuse_other_start(run: RunDir, source: RunDir, asked: Any) -> None:
    """Raises a UserError if there is a run of `meta-test` that began otherwise: from another run
    than `source`, or not as `--checkpoint` and `--start` say.

    Args:
      asked: rl.experiments.commands.meta_test's Config.
    """
    if not os.path.lexists(run.path / CONFIG):
        return
    config = run.load_config(trust=True)
    start = "best" if "meta_start" in config else "equal"
    checkpoint = config.get("meta_checkpoint", "last")
    same_source = place_of(config.get("meta_run", "")) == place_of(source.path)
    if not same_source or (checkpoint, start) != (asked.checkpoint, asked.start):
        raise UserError(
            f"{run} was made from {config.get('meta_run')} with --checkpoint {checkpoint} --start "
            f"{start}; the sweep says {source} with --checkpoint {asked.checkpoint} --start "
            f"{asked.start}; give the method or the sweep another name"
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
        entry = {"method": run.method, "seed": run.seed, "stages": stages}
        entries.append({**entry, "eval_episodes": run.eval_episodes})
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
        OverflowError,
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
        steps = int(stage["steps"])
        if steps < 1:
            raise ValueError(f"{method} has a stage of {steps} steps")
        stages.append(Stage(run, argv, steps, trust=False))
    eval_episodes = entry.get("eval_episodes", 0)  # sweeps of before had none
    check_episodes(eval_episodes)
    return SweepRun(method, seed, folder / method, tuple(stages), eval_episodes)
