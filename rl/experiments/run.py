"""Runs: from the values of flags to a run directory, anew or from where it was."""

from pathlib import Path
from typing import Any, Callable, Mapping, Optional

from rl import lock, training
from rl.config import UserError
from rl.envs import PythonEnv, resolve
from rl.experiments import deferred
from rl.experiments.advice import advice
from rl.experiments.environments import closed_on_error, make_envs
from rl.experiments.provenance import difference, provenance
from rl.experiments.rundir import RunDir, changed_flags, flags_of, name_of
from rl.experiments.tracking import make_tracker
from rl.flags import NETWORKS
from rl.flags.binding import CHANGEABLE, SCHEDULE
from rl.flags.conditions import refuse_idle
from rl.flags.owners import others
from rl.logging import Tracker
from rl.logging.resources import available_cores

# Flags in which a run and the one that it starts from must be alike.
SAME_AS_SOURCE = (
    "algo",
    "network",
    "layers",
    "hidden_sizes",
    "actor_sizes",
    "critic_sizes",
    "activation",
    "critic_loss",
    "atoms",
    "v_min",
    "v_max",
    "obs_norm",
    "norm_value",
)
# Flags in which a run and the one whose hidden layers it masks must be alike.
SAME_AS_BACKBONE = (
    "algo",
    "layers",
    "hidden_sizes",
    "actor_sizes",
    "critic_sizes",
    "activation",
    "obs_norm",
    "share_torso",
    "critic",
    "critic_embedding",
)


def train(
    values: Mapping[str, Any],
    env: Optional[PythonEnv] = None,
    prepare: Callable[[Any], dict[str, Any]] = lambda loop: {},
) -> RunDir:
    """Trains in this process.

    Args:
      values: of flags; those not given have their defaults.
      env: in place of the one that `values` names.
      prepare: may change the loop before it starts, and returns notes for `config.json`. That is
        written when the loop is ready: until then there is nothing that could be resumed.

    Returns:
      The run, whose status says whether it is "finished", or "unfinished" because a signal stopped
      it.

    Raises:
      UserError: a flag's value is refused, there is a run already, or another process works on it.
    """
    flags = flags_of(values)
    run = RunDir.of(flags)
    run.refuse_existing(flags["overwrite"])
    source = _find_source(flags, run) if flags["start_from"] else None
    backbone = find_backbone(flags) if flags["network"] == "piggyback" else None
    env_id = resolve(flags["env"]) if env is None else env.name
    flags |= {"env": env_id, "exp_name": name_of(flags)}
    tracker = make_tracker(flags, run.name)
    envs = make_envs(flags, env)
    with run.locked(flags["overwrite"]):
        print(f"run directory: {run}", flush=True)
        with closed_on_error(envs):
            loop = deferred.load("rl.experiments.build").make_loop(flags, run.path, envs)
            if source is not None:
                deferred.load("rl.experiments.start").take_over(loop, source)
            if backbone is not None:
                deferred.load("rl.experiments.backbone").adopt_backbone(loop, backbone)
            run.clear()
            notes = _attach_tracker(loop, tracker)
            notes |= prepare(loop)
            if source is not None or backbone is not None:
                # `resume` goes on from here, whatever becomes of the other run
                loop.session.save(loop)
            _write_difference(run, "code.diff")
            config = flags | notes | provenance()
            run.write_config(config)
        _train(loop, run, config, env)
    return run


def resume(
    run: RunDir, changes: Mapping[str, Any], trust: bool = False, env: Optional[PythonEnv] = None
) -> RunDir:
    """Goes on with a run in this process.

    Args:
      changes: new values of some flags. A schedule among them starts at the first update from here
        and ends at the run's last; without one the run's own goes on, over the new length.
      trust: as `RunDir.load_config` has it. env: in place of the one that the config names.

    Returns:
      The run, whose status says whether it is "finished" or "unfinished".

    Raises:
      UserError: there is nothing to do, nothing to go on from, a flag that can't change, or another
        process works on it.
    """
    # Before the lock, which is a file: a directory that is refused stays as it was.
    _check_changes(changes, _load_config(run, trust, env))
    with lock.locked(run.path):
        values = {**_load_config(run, trust, env), **changes}
        flags = flags_of(values)
        tracker = make_tracker(flags, run.name, values.get("track_id", ""))
        envs = make_envs(flags, env)
        with closed_on_error(envs):
            loop = deferred.load("rl.experiments.build").make_loop(flags, run.path, envs)
            done = run.step
            if set(changes) & set(SCHEDULE):
                values["schedule_from"] = done
            note = {"step": done, "changes": dict(changes), **provenance()}
            values["resumes"] = [*values.get("resumes", []), note]
            loop.session.schedule_from = values.get("schedule_from", 0)
            loop.session.changed = changed_flags(values)
            _refuse_finished(loop, run.path, done)
            training.restore(loop)  # where that is refused, the config stays as it was
            _refuse_stopped(loop, run.path)
            values.pop("stopped_early", None)
            values |= _attach_tracker(loop, tracker)
            _write_difference(run, f"code_{len(values['resumes'])}.diff")
            run.write_config(values)
        _train(loop, run, values, env, restored=True)
    return run


def _find_source(flags: Mapping[str, Any], run: RunDir) -> RunDir:
    """The run that `--start_from` names. Its networks are read as weights, and none of its code is
    run.

    Raises:
      UserError: there is none, it is `run` itself, or its networks can't be those of a run with
        `flags`.
    """
    source = RunDir.find(flags["start_from"])
    config = source.load_config(trust=True)
    if source.path.resolve() == run.path.resolve():
        raise UserError(f"--start_from: {source} is the run itself")
    check_start(flags, config, str(source))
    return source


def check_start(flags: Mapping[str, Any], source: Mapping[str, Any], place: str) -> None:
    """Raises a UserError if a run with `flags` can't begin with the networks of one with the flags
    `source`, which is called `place`."""
    for name in SAME_AS_SOURCE:
        if source.get(name) != flags.get(name):
            raise UserError(
                f"--start_from: {place} has --{name} {source[name]}, and this run {flags[name]}"
            )
    if NETWORKS[flags["network"]].changes:
        raise UserError(
            f"--start_from is for networks that stay as they are, and --network {flags['network']} "
            "may change"
        )


def find_backbone(flags: Mapping[str, Any]) -> RunDir:
    """The run that `--backbone` names. Its networks are read as weights, and none of its code is
    run.

    Raises:
      UserError: there is none, or a run with `flags` can't mask its hidden layers.
    """
    if not flags["backbone"]:
        raise UserError("--network piggyback needs --backbone: the run whose layers it masks")
    source = RunDir.find(flags["backbone"])
    if source.path.resolve() == RunDir.of(flags).path.resolve():
        raise UserError(f"--backbone: {source} is the run itself")
    check_backbone(flags, source.load_config(trust=True), str(source))
    return source


def check_backbone(flags: Mapping[str, Any], source: Mapping[str, Any], place: str) -> None:
    """Raises a UserError if a run with `flags` can't mask the hidden layers of one with the flags
    `source`, which is called `place`."""
    shared = source["network"] in ("mlp", "multi_head")
    if not shared and not (source["network"] == "trunk" and source["task_layers"] == 1):
        raise UserError(
            f"--backbone: {place} has --network {source['network']}; it takes those of mlp and "
            "multi_head, whose hidden layers all tasks share"
        )
    for name in SAME_AS_BACKBONE:
        if source.get(name) != flags.get(name):
            raise UserError(
                f"--backbone: {place} has --{name} {source.get(name)}, and this run "
                f"{flags.get(name)}"
            )
    if flags.get("critic_embedding"):
        raise UserError("--critic_embedding: hidden layers of another run have no place for it")


def _load_config(run: RunDir, trust: bool, env: Optional[PythonEnv]) -> dict[str, Any]:
    """The config of a run that is to go on, in `env` if it is given."""
    if env is None:
        return run.load_config(trust)
    config = run.load_config(trust=True)  # its own env is not made
    if config["env"] != env.name:
        raise UserError(f"{run} was trained in {config['env']}, and env makes {env.name}")
    return config


def _check_changes(changes: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """Raises a UserError naming the first of the flags in `changes` that can't be changed, or has
    no effect."""
    for name in sorted(changes):
        if name not in config:
            owners = others(config)
            raise UserError(f"--{name}: {owners.get(name, 'there is no such flag')}")
        if name not in CHANGEABLE:
            known = ", ".join(CHANGEABLE)
            raise UserError(f"--{name} stays as it is when a run goes on; what may change: {known}")
    refuse_idle(set(changes), {**config, **changes})


def _refuse_finished(loop: Any, directory: Path, done: int) -> None:
    """Raises a UserError if the newest sound checkpoint is from the run's end, with its test."""
    total = loop.session.total_steps
    if done < total:
        return
    state = training.saved_state(loop)  # of an earlier step if the last one is damaged
    if state and state["loop"]["step"] >= total and not state["test_due"]:
        raise UserError(f"{directory} already has {done} of {total} steps; extend it with --epochs")


def _refuse_stopped(loop: Any, directory: Path) -> None:
    """Raises a UserError if the run ended early, and its flags say so still."""
    if loop.session.early_stop.reason:
        raise UserError(
            f"{directory} stopped early, {_early_end(loop)}; go on with --early_stop none or a "
            "larger --epochs"
        )


def _early_end(loop: Any) -> str:
    """When a run ended early, and why."""
    session = loop.session
    return f"at {loop.step} of {session.total_steps} steps: {session.early_stop.reason}"


def _attach_tracker(loop: Any, tracker: Optional[Tracker]) -> dict[str, str]:
    """Lets a tracker, if there is one, have the rows of a loop. Returns what to note of it."""
    if tracker is None:
        return {}
    loop.session.sinks.append(tracker)
    return {"track_id": tracker.name}


def _write_difference(run: RunDir, name: str) -> None:
    """Keeps what the code differs from its commit by, where it does."""
    patch = difference()
    if patch:
        run.write_text(name, patch)


def _train(
    loop: Any,
    run: RunDir,
    config: Mapping[str, Any],
    env: Optional[PythonEnv] = None,
    restored: bool = False,
) -> None:
    """Runs the loop until it ends or a signal stops it, and closes its envs. Notes in its `config`
    why it ended early, if it did, and says what its rows advise."""
    session = loop.session
    try:
        training.run(loop, run.name, restored)
        if session.early_stop.reason and loop.step < session.total_steps:
            run.write_config({**config, "stopped_early": _early_end(loop)})
            print(f"stopped early, {_early_end(loop)}")
    finally:
        session.close(loop)
    is_single = env is not None and env.is_single
    history = session.logger.history()
    line = advice(history, session.flags, loop.env.num_envs, available_cores(), is_single)
    if line:
        print(line)
