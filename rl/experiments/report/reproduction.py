"""The command that makes a run again, from its `config.json`."""

import dataclasses
import shlex
from typing import Any, Mapping, NamedTuple

from rl.config import UserError, program
from rl.envs import python_env
from rl.experiments.plots.columns import Run
from rl.experiments.rundir import RunDir, name_of
from rl.flags import sections
from rl.flags.conditions import is_idle

ALWAYS = ("algo", "env", "seed")  # are in a command even where they are the defaults
# Where a run goes is for who makes it again to say.
NEVER = ("data_dir", "overwrite")


class Reproduction(NamedTuple):
    """A command, "" where there is none, and what it doesn't say, "" where it says all."""

    command: str
    note: str


def reproduce(run: Run) -> Reproduction:
    """How a run is made again, with the flags that aren't the defaults."""
    if not isinstance(run.config.get("algo"), str):
        return Reproduction("", "another program made this run")
    try:
        config = RunDir(run.directory).load_config(trust=True)  # nothing of it is run
    except UserError as error:
        return Reproduction("", f"this version has no command for it: {error}")
    if python_env.knows(config["env"]):
        return Reproduction("", "its env was handed over by Python code")
    if "meta_run" in config:
        return _reproduce_meta_test(config)
    notes = [_describe_resume(resumed) for resumed in config.get("resumes", [])]
    argv, unsaid = training_argv(config)
    if unsaid:
        notes.append(f"no command line can give an empty list, which {', '.join(unsaid)} has")
    notes = [note for note in notes if note]
    return Reproduction(f"{program()} {shlex.join(argv)}", "; ".join(notes))


def training_argv(config: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The command line of training whose flags are those of `config`, without those that have no
    effect, and names of the flags that it can't give.

    Raises:
      UserError: there is no such algorithm, network or gradient method.
    """
    argv: list[str] = []
    unsaid = []
    for part in sections(config).values():
        for field in dataclasses.fields(part):
            value = config[field.name]
            if field.name in NEVER or _is_usual(field, value, config):
                continue
            if is_idle(field.name, config):  # of a preset, which may set what has no effect
                continue
            if value == ():
                unsaid.append(field.name)
            else:
                argv.extend(_as_arguments(field.name, value))
    return argv, unsaid


def _is_usual(field: "dataclasses.Field[Any]", value: Any, config: Mapping[str, Any]) -> bool:
    """Whether a flag has its value without being given."""
    if field.name in ALWAYS:
        return False
    if field.name == "exp_name":
        return value in ("", name_of({**config, "exp_name": ""}))
    return value == field.default


def _as_arguments(name: str, value: Any) -> list[str]:
    if isinstance(value, tuple):
        return [f"--{name}", *map(str, value)]
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if text.startswith("-"):
        return [f"--{name}={text}"]  # or it would look like a flag
    return [f"--{name}", text]


def _describe_resume(resumed: Mapping[str, Any]) -> str:
    """What a resume changed; "" where nothing, since the run is then as if it had never
    stopped."""
    changes = resumed["changes"]
    if not changes:
        return ""
    shown = " ".join(f"--{name} {value}" for name, value in changes.items())
    return (
        f"it was resumed at env step {resumed.get('step', '?')} with {shown}; the command has the "
        "flags since then, and those before are not known"
    )


def _reproduce_meta_test(config: Mapping[str, Any]) -> Reproduction:
    source = str(config["meta_run"])
    argv = ["meta-test", source, "--episodes", str(config["epochs"] * config["num_envs"])]
    if "meta_checkpoint" in config:
        argv.extend(_as_arguments("checkpoint", config["meta_checkpoint"]))
    if "meta_start" in config:
        argv.extend(["--start", "best"])
    for name in ("num_envs", "seed", "exp_name"):
        argv.extend(_as_arguments(name, config[name]))
    note = "other flags of training that were given are only in config.json"
    return Reproduction(f"{program()} {shlex.join(argv)}", note)
