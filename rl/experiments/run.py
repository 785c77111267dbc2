"""Runs: from the values of all flags to a run directory, anew or from where it was."""

import shutil
from pathlib import Path
from typing import Any, Callable, Mapping

from rl import lock, training
from rl.config import SPLITS, UserError, program
from rl.experiments import deferred, rundir
from rl.experiments.environments import make_envs, resolve_env
from rl.experiments.provenance import difference, provenance
from rl.files import is_folder, remove
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
      UserError: a flag's value is refused, there is a run already, or another process works on it.
    """
    flags = rundir.flags_of(values)
    directory = rundir.directory_of(flags)
    rundir.refuse_existing(directory, flags["overwrite"])
    flags |= {"env": resolve_env(flags), "exp_name": rundir.name_of(flags)}
    envs = make_envs(flags)
    with rundir.locked(directory, flags["overwrite"]):
        print(f"run directory: {directory}", flush=True)
        loop = deferred.load("rl.experiments.build").make_loop(flags, directory, envs)
        _clear(directory)
        notes = prepare(loop)
        _write_difference(directory, "code.diff")
        rundir.write_config(directory, flags | notes | provenance())
        return _go(loop, directory)


def _clear(directory: Path) -> None:
    """Removes what a run has written, the config first: without it there is nothing to resume."""
    patches = [path.name for path in directory.glob("code*.diff")]
    for name in ("config.json", "progress.txt", "saved.txt", SPLITS, *patches):
        remove(directory / name)
    for name in ("checkpoints", "tb"):
        if is_folder(directory / name):
            shutil.rmtree(directory / name)


def resume(directory: Path, trust: bool, changes: dict[str, Any]) -> int:
    """Goes on with the run in `directory`. Returns the exit code.

    Args:
      trust: as `rundir.load_config` has it. changes: new values of some flags. A schedule among
        them starts at the first update from here and ends at the run's last; without one the run's
        own goes on, over the new length.

    Raises:
      UserError: there is nothing to do, nothing to go on from, or another process works on it.
    """
    with lock.locked(directory):
        values = rundir.load_config(directory, trust) | changes
        flags = rundir.flags_of(values)
        envs = make_envs(flags)
        loop = deferred.load("rl.experiments.build").make_loop(flags, directory, envs)
        done = max(loop.session.checkpoints.steps(), default=0)
        if set(changes) & set(SCHEDULE):
            values["schedule_from"] = done
        note = {"step": done, "changes": changes, **provenance()}
        values["resumes"] = [*values.get("resumes", []), note]
        loop.session.schedule_from = values.get("schedule_from", 0)
        loop.session.changed = rundir.changed_flags(values)
        _refuse_finished(loop, directory, done)
        training.restore(loop)  # where that is refused, the config stays as it was
        _write_difference(directory, f"code_{len(values['resumes'])}.diff")
        rundir.write_config(directory, values)
        return _go(loop, directory, restored=True)


def _refuse_finished(loop: Any, directory: Path, done: int) -> None:
    """Raises a UserError if the newest sound checkpoint is from the run's end, with its test."""
    total = loop.session.total_steps
    if done < total:
        return
    state = training.saved_state(loop)  # of an earlier step if the last one is damaged
    if state and state["loop"]["step"] >= total and not state["test_due"]:
        raise UserError(f"{directory} already has {done} of {total} steps; extend it with --epochs")


def _write_difference(directory: Path, name: str) -> None:
    """Keeps what the code differs from its commit by, where it does."""
    patch = difference()
    if patch:
        rundir.write_text(directory / name, patch)


def _go(loop: Any, directory: Path, restored: bool = False) -> int:
    try:
        if training.run(loop, directory.name, restored):
            print(f"done: {directory}")
            return 0
        print(f"stopped at step {loop.step}; go on with: {program()} resume {directory}")
        return STOPPED
    finally:
        loop.session.close(loop)
