"""What a search leaves in its folder: `trials.csv`, with a row for each trial, and the command of
the best one. Read again, it needs no Optuna, and nothing that is written there is executed."""

import csv
import io
import json
import os
import secrets
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, Optional, Sequence

from rl import lock
from rl.config import UserError, program
from rl.experiments.plots.text import aligned
from rl.experiments.rundir import RunDir
from rl.experiments.searches.definition import Search
from rl.experiments.searches.pool import trial_name
from rl.experiments.searches.spaces import Point
from rl.experiments.sweeps.definition import META_TEST, check_seeds
from rl.experiments.sweeps.plan import filled, flag_words
from rl.files import read_text, write_atomically, write_json

if TYPE_CHECKING:
    from rl.experiments.searches.study import TrialRow

FILE = "search.json"
TRIALS = "trials.csv"
COLUMNS = ("trial", "state", "value", "runs", "started", "ended", "reason")


def write_trials(folder: Path, search: Search, rows: Sequence["TrialRow"]) -> None:
    """Writes `trials.csv`: COLUMNS, and one for each flag of the space."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*COLUMNS, *search.space])
    for row in rows:
        value = "" if row.value is None else repr(row.value)
        cells = [row.number, row.state, value, row.runs, row.started, row.ended, row.reason]
        writer.writerow([*cells, *(row.params[name] for name in search.space)])
    encoded = text.getvalue().encode(errors="backslashreplace")
    write_atomically(folder / TRIALS, lambda file: file.write(encoded))


def read_trials(folder: Path) -> list[dict[str, str]]:
    """The rows of `trials.csv`; none where there is no such file.

    Raises:
      UserError: it is no such table.
    """
    try:
        reader = csv.DictReader(io.StringIO(read_text(folder / TRIALS)), restval="")
        rows = list(reader)
    except FileNotFoundError:
        return []
    except (csv.Error, ValueError) as error:
        raise UserError(f"{folder / TRIALS} is not a table of trials: {error}") from None
    is_table = set(COLUMNS) <= set(reader.fieldnames or ())
    if not is_table or any(None in row for row in rows):
        raise UserError(f"{folder / TRIALS} is not a table of trials")
    return rows


def best_command(
    search: Search, params: Mapping[str, Point], seeds: Sequence[int], folder: Path
) -> str:
    """The command that trains a configuration by itself; with the first of the seeds alone, if it
    adapts a run or begins with one of the same seed. `folder` is the search's."""
    flags = search.flags(params)
    of_seed = filled(flags, seeds[0], folder)
    if META_TEST in flags:
        source = str(of_seed.pop(META_TEST))
        words = ["meta-test", source, *flag_words({**of_seed, "seed": seeds[0]})]
    elif of_seed != flags:
        words = flag_words({**of_seed, "seed": seeds[0]})
    else:
        words = flag_words({**flags, "seed": list(seeds)})
    return shlex.join([*program().split(), *words])


def describe(values: Mapping[str, object]) -> str:
    """Values by name in one line, numbers in short."""
    parts = []
    for name, value in values.items():
        shown = f"{value:.4g}" if isinstance(value, float) else str(value)
        parts.append(f"{name} {shown}")
    return ", ".join(parts)


# search.json ---------------------------------------------------------------------


def write_search(folder: Path, search: Search, owner: str, argv: Sequence[str]) -> None:
    """Writes `search.json`: what the search is, whose its trials are, and its command line."""
    content = {
        "argv": list(argv),
        "owner": owner,
        "trials": search.trials,
        "seeds": list(search.seeds),
        **search.identity(),
    }
    write_json(folder / FILE, content)


def read_search(folder: Path) -> dict[str, Any]:
    """What `write_search` wrote, as far as `status_text` needs it.

    Raises:
      UserError: there is none, or it is not one.
    """
    file = folder / FILE
    try:
        written = json.loads(read_text(file))
        check_seeds(written["seeds"])
        for name in ("strategy", "fitness", "maximise"):
            if name not in written:
                raise KeyError(name)
    except (OSError, UserError, ValueError, RecursionError, KeyError, TypeError) as error:
        raise UserError(f"{folder} is not a search's folder: {FILE}: {error}") from None
    return written


def read_owner(folder: Path) -> str:
    """Whose the trials are that are trained in a folder: a name that is drawn once, so that it
    stays the same wherever the folder is.

    Raises:
      UserError: there is a `search.json` that is not one.
    """
    if not os.path.lexists(folder / FILE):
        return secrets.token_hex(8)
    return str(read_search(folder).get("owner", ""))


def status_text(folder: Path) -> str:
    """How far the search in a folder is: a table of its trials, and the best one."""
    written = read_search(folder)
    rows = read_trials(folder)
    parameters = [name for name in (rows[0] if rows else {}) if name not in COLUMNS]
    table = [["trial", "state", "value", "runs", "steps", *parameters]]
    for row in rows:
        steps = ""
        if row["state"] == "running":
            steps = _steps(folder, row["trial"], written["seeds"])
        cells = [row["trial"], row["state"], _short(row["value"]), row["runs"], steps]
        table.append([*cells, *(_short(row[name]) for name in parameters)])
    lines = [aligned(table)]
    best = _best(rows, bool(written["maximise"]))
    if best is not None:
        lines.append(f"best: trial_{best['trial']}, {written['fitness']} {_short(best['value'])}")
    ended = sum(row["state"] != "running" for row in rows)
    planned = written.get("trials")
    planned_part = f" of {planned}" if isinstance(planned, int) else ""
    works = "" if lock.is_held(folder) else "; no process works on it here"
    lines.append(f"{folder}: {ended}{planned_part} trials ended{works}")
    return "\n".join(lines)


def _best(rows: Sequence[Mapping[str, str]], maximise: bool) -> Optional[Mapping[str, str]]:
    """The first of the best complete trials."""
    complete = [row for row in rows if row["state"] == "complete" and _is_number(row["value"])]
    if not complete:
        return None
    choose = max if maximise else min
    return choose(complete, key=lambda row: float(row["value"]))


def _steps(folder: Path, number: str, seeds: Sequence[int]) -> str:
    """Env steps that the newest row of each of a trial's runs tells of, such as "4000 2000"."""
    if not number.isdigit():
        return ""
    name = trial_name(int(number))
    parts = []
    for seed in seeds:
        run = RunDir(folder / name / f"{name}_s{seed}")
        if not os.path.lexists(run.path):
            continue
        steps = run.rows.get("TotalEnvInteracts")
        if steps:
            parts.append(f"{steps[-1]:.0f}")
    return " ".join(parts)


def _short(text: str) -> str:
    """A number with few digits; any other text as it is."""
    if _is_number(text) and ("." in text or "e" in text.lower()):
        return f"{float(text):.5g}"
    return text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
