"""A run's directory: its name, its `config.json`, and whether that may be believed."""

import contextlib
import dataclasses
import json
import os
import re
from pathlib import Path
from typing import Any, Iterator, Mapping

from rl import lock
from rl.config import UserError, build, program
from rl.files import read_text, remove, write_atomically, write_json
from rl.flags import sections

# What `config.json` has beside the values of flags, and of what type.
NOTES = {
    "versions": dict,
    "git_commit": str,
    "code": str,
    "resumes": list,
    "schedule_from": int,
    "meta_run": str,
    "meta_start": dict,
}
LONGEST_NAME = 100


def directory_of(values: Mapping[str, Any]) -> Path:
    """Where the run of these flags goes: `<data_dir>/<exp_name>/<exp_name>_s<seed>`.

    Raises:
      UserError: the name isn't that of a plain folder.
    """
    name = name_of(values)
    return Path(values["data_dir"]) / name / f"{name}_s{values['seed']}"


def name_of(values: Mapping[str, Any]) -> str:
    """The experiment's name: that of the flag, or `<algo>_<env>`.

    Raises:
      UserError: it isn't the name of a plain folder.
    """
    if not values["exp_name"]:
        plain = re.sub(r"[^\w.-]+", "_", f"{values['algo']}_{values['env']}")
        return plain[:LONGEST_NAME]
    name = values["exp_name"]
    if not re.fullmatch(r"\w[\w.-]*", name) or len(name.encode()) > LONGEST_NAME:
        raise UserError(
            "--exp_name must be a plain folder name inside data_dir, of at most "
            f"{LONGEST_NAME} letters, digits, dots and hyphens, got {name[:LONGEST_NAME]!r}"
        )
    return name


def load_config(directory: Path, trust: bool = False) -> dict[str, Any]:
    """The flags and notes of a run, as its `config.json` has them; flags it lacks have defaults.

    Args:
      trust: whether to accept what makes code of others run, see `check_trusted`.

    Raises:
      UserError: there is none, it can't be read, a key is unknown, or a value is not one that the
        flag could have.
    """
    place = f"{directory} is not a run directory: config.json"
    try:
        raw = json.loads(read_text(directory / "config.json"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{place}: {error}") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("algo"), str):
        raise UserError(f"{place} names no algo")
    try:
        values = flags_of(raw)
    except UserError as error:
        raise UserError(f"{directory / 'config.json'}: {error}") from None
    unknown = set(raw) - set(values) - set(NOTES)
    if unknown:
        raise UserError(f"{directory / 'config.json'}: unknown key {min(unknown)!r}")
    notes = {name: raw[name] for name in NOTES if name in raw}
    check_notes(notes, directory)
    if not trust:
        check_trusted(values, directory)
    return values | notes


def check_notes(notes: Mapping[str, Any], directory: Path) -> None:
    """Raises a UserError if a note of `config.json` is not of its type."""
    wrong = [name for name, value in notes.items() if not isinstance(value, NOTES[name])]
    if not wrong and not all(map(_is_resume, notes.get("resumes", []))):
        wrong = ["resumes"]
    if wrong:
        raise UserError(f"{directory / 'config.json'}: {wrong[0]} is not as a run writes it")


def _is_resume(note: Any) -> bool:
    """Whether a note is one that `resume` could have written, as far as it is read."""
    return isinstance(note, dict) and isinstance(note.get("changes"), dict)


def changed_flags(values: Mapping[str, Any]) -> set[str]:
    """Names of the flags that a run was given anew when it was resumed, as its notes say."""
    return {name for resumed in values.get("resumes", []) for name in resumed["changes"]}


def flags_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of all flags of a run, and of nothing else; checked. Those not given have their
    defaults."""
    flags: dict[str, Any] = {}
    for part in sections(values).values():
        flags |= dataclasses.asdict(build(part, values))
    return flags


def check_trusted(values: Mapping[str, Any], directory: Path) -> None:
    """Raises a UserError if a run's flags make code of others run: `module:Env` imports the module,
    and arguments of an env's constructor may name files."""
    own_module = ":" in values["env"] and not values["env"].startswith(("MT:", "ML:"))
    if own_module:
        what = f"imports a module for its env {values['env']}"
    elif values["env_kwargs"]:
        what = f"gives its env arguments, {values['env_kwargs']}"
    else:
        return
    raise UserError(f"{directory} {what}; if you trust who made it, add --trust")


def write_config(directory: Path, values: Mapping[str, Any]) -> None:
    """Writes `config.json`."""
    write_json(directory / "config.json", dict(values))


def write_text(path: Path, text: str) -> None:
    """Writes a text file of a run, all of it or none."""
    write_atomically(path, lambda file: file.write(text.encode(errors="replace")))


def refuse_existing(directory: Path, overwrite: bool) -> None:
    """Raises a UserError if there is a run already, unless it may be replaced."""
    if not overwrite and directory.exists() and set(os.listdir(directory)) - {lock.NAME}:
        raise UserError(
            f"{directory} exists; add --overwrite to replace it, or: "
            f"{program()} resume {directory}"
        )


@contextlib.contextmanager
def locked(directory: Path, overwrite: bool) -> Iterator[None]:
    """Makes the directory of a run and holds its lock. What was made is removed again if the run
    fails before it has a config.

    Raises:
      UserError: another process works there, or has just made a run.
    """
    missing = [folder for folder in (directory, *directory.parents) if not folder.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    try:
        with lock.locked(directory):
            refuse_existing(directory, overwrite)
            yield
    except BaseException:
        if missing and set(os.listdir(directory)) == {lock.NAME}:
            remove(directory / lock.NAME)
            with contextlib.suppress(OSError):  # something else came into one meanwhile
                for folder in missing:
                    folder.rmdir()
        raise
