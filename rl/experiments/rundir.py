"""A run's directory: its name, its `config.json`, whether that may be believed, and how far the run
is."""

import contextlib
import dataclasses
import json
import os
import re
import shlex
import shutil
from pathlib import Path
from typing import Any, Iterator, Mapping, Optional, Union

from rl import lock
from rl.config import MASKS, SPLITS, UserError, build, program
from rl.experiments.tracking import PLAIN
from rl.files import (
    Damaged,
    expanded,
    is_folder,
    load_tree,
    read_text,
    remove,
    write_atomically,
    write_json,
)
from rl.flags import sections
from rl.training.checkpoint import Checkpoints
from rl.training.early_stop import stopped_early

CONFIG = "config.json"
EVALUATION = "eval.json"
# What `config.json` has beside the values of flags, and of what type.
NOTES = {
    "versions": dict,
    "git_commit": str,
    "code": str,
    "resumes": list,
    "schedule_from": int,
    "stopped_early": str,
    "track_id": str,
    "meta_run": str,
    "meta_checkpoint": str,
    "meta_start": dict,
}
LONGEST_NAME = 100  # bytes


@dataclasses.dataclass(frozen=True)
class RunDir:
    """The directory of a run. What it says of the run is read anew whenever it is asked.

    Args:
      path: where it is; `~` is one's home.
    """

    path: Path

    def __init__(self, path: Union[str, os.PathLike[str]]) -> None:
        object.__setattr__(self, "path", expanded(path))

    @classmethod
    def of(cls, flags: Mapping[str, Any]) -> "RunDir":
        """Where the run of these flags goes: `<data_dir>/<exp_name>/<exp_name>_s<seed>`.

        Raises:
          UserError: the name isn't that of a plain folder.
        """
        name = name_of(flags)
        return cls(expanded(flags["data_dir"]) / name / f"{name}_s{flags['seed']}")

    @classmethod
    def find(cls, path: Union[str, os.PathLike[str]]) -> "RunDir":
        """The run at `path`, or the only run in the folder of an experiment.

        Raises:
          UserError: there are several.
        """
        run = cls(path)
        if os.path.exists(run.path / CONFIG) or not os.path.isdir(run.path):
            return run
        try:
            folders = sorted(folder for folder in run.path.iterdir() if not folder.is_symlink())
        except PermissionError as error:
            raise UserError(f"cannot read {path}: {error.strerror}") from None
        found = [folder for folder in folders if os.path.exists(folder / CONFIG)]
        if len(found) > 1:
            names = " ".join(shlex.quote(str(folder)) for folder in found)
            raise UserError(f"{path} has {len(found)} runs; choose one of {names}")
        return cls(found[0]) if found else run

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    # What it says of the run -----------------------------------------------------

    @property
    def name(self) -> str:
        """Of the run, such as "ddpg_Pendulum_s0"."""
        return self.path.name

    @property
    def config(self) -> dict[str, Any]:
        """The flags and notes of the run, checked; see `load_config`. Reading them runs no code of
        others, but making its env may."""
        return self.load_config(trust=True)

    def load_config(self, trust: bool = False) -> dict[str, Any]:
        """The flags and notes of the run, as `config.json` has them; flags it lacks have defaults.

        Args:
          trust: whether to accept what makes code of others run, see `check_trusted`.

        Raises:
          UserError: there is none, it can't be read, a key is unknown, or a value is not one that
            the flag could have.
        """
        file = self.path / CONFIG
        place = f"{self} is not a run directory: config.json"
        try:
            raw = json.loads(read_text(file))
        except (OSError, ValueError, RecursionError) as error:
            raise UserError(f"{place}: {error}") from None
        if not isinstance(raw, dict) or not isinstance(raw.get("algo"), str):
            raise UserError(f"{place} names no algo")
        try:
            flags = flags_of(raw)
        except UserError as error:
            raise UserError(f"{file}: {error}") from None
        unknown = set(raw) - set(flags) - set(NOTES)
        if unknown:
            raise UserError(f"{file}: unknown key {min(unknown)!r}")
        notes = {name: raw[name] for name in NOTES if name in raw}
        check_notes(notes, file)
        if not trust:
            check_trusted(flags, self.path)
        return flags | notes

    @property
    def rows(self) -> dict[str, list[float]]:
        """The columns of `progress.txt`, with a value for each complete row; empty where there is
        none yet.

        Raises:
          UserError: it is no table.
        """
        return self._rows()

    def newest_rows(self, count: int) -> dict[str, list[float]]:
        """The same of the last `count` rows alone, which takes little time of a long run."""
        return self._rows(count)

    def _rows(self, count: Optional[int] = None) -> dict[str, list[float]]:
        file = self.path / "progress.txt"
        try:
            text = read_text(file)
            complete = text[: text.rfind("\n") + 1].splitlines()
            if count is not None:
                complete = [*complete[:1], *complete[1:][-count:]]
            header, *lines = [line.split("\t") for line in complete] or [[]]
            values = [[float(cell) for cell in line] for line in lines]
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise UserError(f"{file} is not a table of numbers: {error}") from None
        if any(len(line) != len(header) for line in lines):
            raise UserError(f"{file} is not a table of numbers: its rows differ in length")
        return {name: [row[i] for row in values] for i, name in enumerate(header)}

    @property
    def evaluation(self) -> dict[str, Any]:
        """What `eval --save` found; empty where there is nothing.

        Raises:
          UserError: it can't be read.
        """
        file = self.path / EVALUATION
        if not os.path.lexists(file):
            return {}
        try:
            found = json.loads(read_text(file))
        except (OSError, ValueError, RecursionError) as error:
            raise UserError(f"{file} can't be read: {error}") from None
        if not isinstance(found, dict):
            raise UserError(f"{file} is no JSON object")
        return found

    @property
    def checkpoints(self) -> list[int]:
        """Env steps of the checkpoints on disk, oldest first."""
        return Checkpoints(self.path).steps()

    @property
    def step(self) -> int:
        """The env step of the newest checkpoint, from which the run goes on; 0 without one."""
        return max(self.checkpoints, default=0)

    @property
    def status(self) -> str:
        """How far the run is.

        "new": there is nothing to go on with. "running": a process works on it. "unfinished": it
        was stopped, or killed. "finished": it is at its end, or ended early, with the last test.
        """
        if lock.is_held(self.path):
            return "running"
        if not os.path.lexists(self.path / CONFIG):
            return "new"
        return "finished" if self._is_at_its_end() else "unfinished"

    def _is_at_its_end(self) -> bool:
        config = self.config
        step = self.step
        is_complete = step >= config["epochs"] * config["steps_per_epoch"]
        if not is_complete and config["early_stop"] == "none":
            return False
        try:
            state = load_tree(Checkpoints(self.path).path(step))
        except Damaged:
            return False
        if state.get("test_due") is not False:
            return False
        return is_complete or bool(stopped_early(state, config))

    # Writing ---------------------------------------------------------------------

    def refuse_existing(self, overwrite: bool) -> None:
        """Raises a UserError if there is a run already, unless it may be replaced."""
        if not overwrite and self.path.exists() and set(os.listdir(self.path)) - {lock.NAME}:
            raise UserError(
                f"{self} exists; add --overwrite to replace it, or: {self.resume_command()}"
            )

    def resume_command(self) -> str:
        """The command that goes on with the run."""
        return f"{program()} resume {shlex.quote(str(self))}"

    @contextlib.contextmanager
    def locked(self, overwrite: bool) -> Iterator[None]:
        """Makes the directory and holds its lock. What was made is removed again if the run fails
        before it has a config.

        Raises:
          UserError: another process works there, or has just made a run.
        """
        missing = [path for path in (self.path, *self.path.parents) if not path.exists()]
        self.path.mkdir(parents=True, exist_ok=True)
        is_ours = False
        try:
            with lock.locked(self.path):
                is_ours = True
                self.refuse_existing(overwrite)
                yield
        except BaseException:
            if is_ours and missing and set(os.listdir(self.path)) == {lock.NAME}:
                remove(self.path / lock.NAME)
                with contextlib.suppress(OSError):  # something else came into one meanwhile
                    for path in missing:
                        path.rmdir()
            raise

    def clear(self) -> None:
        """Removes what a run has written, the config first: without it there is nothing to
        resume."""
        patches = [path.name for path in self.path.glob("code*.diff")]
        for name in (CONFIG, "progress.txt", "saved.txt", SPLITS, MASKS, EVALUATION, *patches):
            remove(self.path / name)
        for name in ("checkpoints", "tb"):
            if is_folder(self.path / name):
                shutil.rmtree(self.path / name)

    def write_config(self, values: Mapping[str, Any]) -> None:
        """Writes `config.json`."""
        write_json(self.path / CONFIG, dict(values))

    def write_evaluation(self, result: Mapping[str, Any]) -> None:
        """Writes what `evaluation` reads."""
        write_json(self.path / EVALUATION, dict(result))

    def write_text(self, name: str, text: str) -> None:
        """Writes a text file, all of it or none."""
        encoded = text.encode(errors="replace")
        write_atomically(self.path / name, lambda file: file.write(encoded))


# Flags and notes ------------------------------------------------------------------


def name_of(flags: Mapping[str, Any]) -> str:
    """The experiment's name: that of the flag, or `<algo>_<env>`.

    Raises:
      UserError: it isn't the name of a plain folder.
    """
    name = flags["exp_name"]
    if not name:
        plain = re.sub(r"[^\w.-]+", "_", f"{flags['algo']}_{flags['env']}")
        return plain[:LONGEST_NAME]
    check_plain(name, "--exp_name")
    return name


def check_plain(name: str, what: str) -> None:
    """Raises a UserError, which begins with `what`, unless `name` is that of a plain folder."""
    is_plain = name.isprintable() and not set(name) & {"/", "\\"} and name[0] not in ".-"
    if not is_plain or len(name.encode()) > LONGEST_NAME:
        raise UserError(
            f"{what} must be a plain folder name inside data_dir, without / and \\, of at most "
            f"{LONGEST_NAME} bytes, and not begin with . or -, got {name[:LONGEST_NAME]!r}"
        )


def flags_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of all flags of a run, and of nothing else; checked. Those not given have their
    defaults."""
    flags: dict[str, Any] = {}
    for part in sections(values).values():
        flags |= dataclasses.asdict(build(part, values))
    return flags


def check_notes(notes: Mapping[str, Any], file: Path) -> None:
    """Raises a UserError if a note of `config.json` is not of its type."""
    wrong = [name for name, value in notes.items() if not isinstance(value, NOTES[name])]
    if not wrong and not all(map(_is_resume, notes.get("resumes", []))):
        wrong = ["resumes"]
    if not wrong and not PLAIN.fullmatch(notes.get("track_id", "none")):
        wrong = ["track_id"]
    if wrong:
        raise UserError(f"{file}: {wrong[0]} is not as a run writes it")


def _is_resume(note: Any) -> bool:
    """Whether a note is one that `resume` could have written, as far as it is read."""
    return isinstance(note, dict) and isinstance(note.get("changes"), dict)


def changed_flags(values: Mapping[str, Any]) -> set[str]:
    """Names of the flags that a run was given anew when it was resumed, as its notes say."""
    return {name for resumed in values.get("resumes", []) for name in resumed["changes"]}


def check_trusted(flags: Mapping[str, Any], directory: Path) -> None:
    """Raises a UserError if a run's flags make code of others run: `module:Env` imports the module,
    and arguments of an env's constructor may name files."""
    own_module = ":" in flags["env"] and not flags["env"].startswith(("MT:", "ML:"))
    if own_module:
        what = f"imports a module for its env {flags['env']}"
    elif flags["env_kwargs"]:
        what = f"gives its env arguments, {flags['env_kwargs']}"
    else:
        return
    raise UserError(f"{directory} {what}; if you trust who made it, add --trust")
