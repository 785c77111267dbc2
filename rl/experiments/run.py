"""Runs: from the values of all flags to a run directory, anew or from where it was."""

import shutil
from pathlib import Path
from typing import Any, Callable, Mapping

from rl import training
from rl.config import SPLITS, UserError, program
from rl.experiments import deferred, rundir
from rl.experiments.environments import make_envs, resolve_env
from rl.experiments.provenance import difference, provenance
from rl.flags.binding import SCHEDULE
from rl.signals import STOPPED


def start(
    values: Mapping[str, Any], prepare: Callable[[Any], dict[str, Any]] = lambda loop: {}
) -> int:
    """Trains with these values of all flags. Returns the exit code.

    Args:
      prepare: may change the loop before it starts, and returns notes for `config.json`. That is
        written when the loop is ready: until then there is nothing that could be resumed.

    Raises:
      UserError: a flag's value is refused, or there is a run already.
    """
    flags = rundir.flags_of(values)
    directory = rundir.directory_of(flags)
    rundir.refuse_existing(directory, flags["overwrite"])
    flags |= {"env": resolve_env(flags), "exp_name": rundir.name_of(flags)}
    envs = make_envs(flags)
    print(f"run directory: {directory}", flush=True)
    loop = deferred.load("rl.experiments.build").make_loop(flags, directory, envs)
    _clear(directory)
    directory.mkdir(parents=True, exist_ok=True)
    notes = prepare(loop)
    _write_difference(directory, "code.diff")
    rundir.write_config(directory, flags | notes | provenance())
    return _go(loop, directory)


def _clear(directory: Path) -> None:
    """Removes what a run has written, and nothing else that is in its folder."""
    for folder in ("checkpoints", "tb"):
        shutil.rmtree(directory / folder, ignore_errors=True)
    for pattern in ("progress.txt", SPLITS, "code*.diff"):
        for path in directory.glob(pattern):
            path.unlink()


def resume(directory: Path, values: Mapping[str, Any], changes: dict[str, Any]) -> int:
    """Goes on with the run in `directory`. Returns the exit code.

    Args:
      values: as `rundir.load_config` returns them. changes: new values of some flags. A schedule
        among them starts at the first update from here and ends at the run's last; without one
        the run's own goes on, over the new length.

    Raises:
      UserError: there is nothing to do, or nothing to go on from.
    """
    values = dict(values) | changes
    flags = rundir.flags_of(values)
    envs = make_envs(flags)
    loop = deferred.load("rl.experiments.build").make_loop(flags, directory, envs)
    done = max(loop.session.checkpoints.steps(), default=0)
    steps = flags["epochs"] * flags["steps_per_epoch"]
    if done >= steps and training.ended(loop.session):
        raise UserError(f"{directory} already has {done} of {steps} steps; extend it with --epochs")
    if set(changes) & set(SCHEDULE):
        values["schedule_from"] = done
    resumes = [*values.get("resumes", []), {"step": done, "changes": changes, **provenance()}]
    values["resumes"] = resumes
    loop.session.schedule_from = values.get("schedule_from", 0)
    loop.session.changed = rundir.changed_flags(values)
    training.restore(loop)
    _write_difference(directory, f"code_{len(resumes)}.diff")
    rundir.write_config(directory, values)
    return _go(loop, directory, from_checkpoint=False)


def _write_difference(directory: Path, name: str) -> None:
    """Keeps what the code differs from its commit by, where it does."""
    patch = difference()
    if patch:
        rundir.write_text(directory / name, patch)


def _go(loop: Any, directory: Path, from_checkpoint: bool = True) -> int:
    try:
        if training.run(loop, directory.name, from_checkpoint):
            print(f"done: {directory}")
            return 0
        print(f"stopped at step {loop.step}; go on with: {program()} resume {directory}")
        return STOPPED
    finally:
        loop.session.close(loop)
