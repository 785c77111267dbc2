"""The epoch logger: values in, one row of statistics per epoch out, as Spinning Up's
`progress.txt`."""

import collections
from pathlib import Path
from typing import Any

import numpy as np

from rl.logging.table import Table

# kind of a column -> the prefixes of its statistics, in Spinning Up's order
KINDS = {
    "value": ("",),
    "mean": ("",),
    "task": ("",),
    "all": ("Average", "Std", "Max", "Min"),
    "episode": ("Average", "Std", "Max", "Min", "Moving"),
    "rate": ("", "Moving"),
}
STATISTICS = {"": np.mean, "Average": np.mean, "Std": np.std, "Max": np.max, "Min": np.min}


class Values:
    """A growing float64 array: doubles when full, reused every epoch."""

    def __init__(self, capacity: int) -> None:
        self.array = np.empty(capacity)
        self.size = 0

    def add(self, values: Any) -> None:
        """Appends all elements of an array of any shape, or one number."""
        values = np.asarray(values).reshape(-1)
        end = self.size + len(values)
        while end > len(self.array):
            self.array = np.concatenate([self.array, np.empty_like(self.array)])
        self.array[self.size : end] = values
        self.size = end

    def filled(self) -> np.ndarray:
        """The values added since the last reset."""
        return self.array[: self.size]


class EpochLogger:
    """Stores values during an epoch and writes their statistics at its end.

    Columns may be stored any number of times an epoch, as numbers or arrays; statistics are over
    all elements, and nan where nothing was stored. `Moving<name>` is the mean over all values of
    the last `window` epochs: the same stretch of training for every column, however often it is
    stored.

    Args:
      directory: gets `progress.txt`: tab-separated, one row per epoch.
      columns: name -> kind in KINDS; the order is the header's. "value" columns are given to
        `dump`. "task" ones are means, of all values and in `<name>/<task>` of each task's.
      window: epochs in a moving average. capacity: values a column has room for before it first
        grows.
      tasks: their names; the last axis of what "task" columns are given.
      optional: names of columns that join with their first value. The file is rewritten then, with
        nan in the rows before.
    """

    def __init__(
        self,
        directory: Path,
        columns: dict[str, str],
        window: int = 10,
        capacity: int = 1024,
        tasks: tuple[str, ...] = (),
        optional: tuple[str, ...] = (),
    ) -> None:
        self.table = Table(directory)
        self.tasks = {name: tasks for name, kind in columns.items() if kind == "task"}
        self.columns: dict[str, str] = {}
        for name, kind in columns.items():
            self.columns[name] = kind
            for task in self.tasks.get(name, ()):
                self.columns[f"{name}/{task}"] = "mean"
        self.optional = {name for name in optional if name in self.columns}
        self.hidden = set(self.optional)  # those that have not joined
        self.values: dict[str, Values] = {}
        self.past: dict[str, Any] = {}  # (sum, count) of each of the last `window` epochs
        for name, kind in self.columns.items():
            if kind != "value":
                self.values[name] = Values(capacity)
            if "Moving" in KINDS[kind]:
                self.past[name] = collections.deque(maxlen=window)
        self.epoch = 0  # complete rows

    @property
    def header(self) -> list[str]:
        """The names in the first line of the file."""
        names: list[str] = []
        for name in self.columns:
            if name not in self.hidden:
                names += self._headings(name)
        return names

    def _headings(self, name: str) -> list[str]:
        return [prefix + name for prefix in KINDS[self.columns[name]]]

    def shows(self, name: str) -> bool:
        """Whether there is a column of this name and it has joined."""
        return name in self.columns and name not in self.hidden

    def store(self, **values: Any) -> None:
        """Adds one value or array of values to each of the named columns."""
        for name, value in values.items():
            self.values[name].add(value)
            for task, of_task in enumerate(self.tasks.get(name, ())):
                self.values[f"{name}/{of_task}"].add(np.asarray(value)[..., task])

    def row(self, **values: float) -> dict[str, float]:
        """The statistics of the epoch so far and the "value" columns, in the header's order."""
        row = {}
        for name, kind in self.columns.items():
            if name in self.hidden:
                continue
            filled = np.array([values[name]]) if kind == "value" else self.values[name].filled()
            for prefix in KINDS[kind]:
                if prefix == "Moving":
                    row[prefix + name] = self._moving(name)
                elif len(filled):
                    row[prefix + name] = float(STATISTICS[prefix](filled))
                else:
                    row[prefix + name] = float("nan")
        return row

    def history(self) -> dict[str, list[float]]:
        """The complete rows so far, by heading; empty before the first."""
        header, *rows = self.table.rows()
        if not rows:
            return {}
        return {name: [float(cells[i]) for cells in rows] for i, name in enumerate(header)}

    def _moving(self, name: str) -> float:
        """The mean over all values of the last `window` epochs, this one included."""
        past = self.past[name]
        filled = self.values[name].filled()
        window = [*past, (filled.sum(), len(filled))][-past.maxlen :]
        total, count = np.sum(window, axis=0)
        return float(total / count) if count else float("nan")

    def dump(self, complete: bool = True, **values: float) -> dict[str, float]:
        """Writes a row, given the "value" columns, and starts the next epoch.

        With `complete` False the row is of an epoch cut short, which a resumed run writes again.
        """
        joining = {name for name in self.hidden if self.values[name].size}
        if joining:
            self._join(joining)
        row = self.row(**values)
        text = "\t".join(_text(row[name]) for name in self.header) + "\n"
        if not self.table.text:
            text = "\t".join(self.header) + "\n" + text
        self.table.append(text, complete)
        if complete:
            self.epoch += 1
            for name, past in self.past.items():
                past.append((self.values[name].filled().sum(), self.values[name].size))
            for stored in self.values.values():
                stored.size = 0
        return row

    def saved(self) -> None:
        """To be called when a checkpoint with the logger's state is on disk."""
        self.table.save()

    def state(self) -> dict[str, Any]:
        """All that the next rows depend on."""
        filled = {name: values.filled().copy() for name, values in self.values.items()}
        past = {}
        for name, pairs in self.past.items():
            past[name] = [[float(total), float(count)] for total, count in pairs]
        return {
            "epoch": self.epoch,
            "table": self.table.state(),
            "hidden": sorted(self.hidden),
            "values": filled,
            "past": past,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes back to `state`, and `progress.txt` to its rows. Raises a UserError if they are
        lost."""
        self.hidden = set(state["hidden"])
        self.table.load_state(state["table"], self._without_hidden)
        self.epoch = state["epoch"]
        for name, filled in state["values"].items():
            self.values[name].size = 0
            self.values[name].add(filled)
        for name, pairs in state["past"].items():
            self.past[name].clear()
            self.past[name].extend(tuple(pair) for pair in pairs)

    def _without_hidden(self, text: str) -> str:
        """The rows of `text` without the columns that join later."""
        header = text.partition("\n")[0].split("\t")
        later: set[str] = set()
        for name in self.hidden:
            later |= set(self._headings(name))
        left = [place for place, heading in enumerate(header) if heading not in later]
        if len(left) == len(header):
            return text
        lines = []
        for line in text.splitlines():
            cells = line.split("\t")
            lines.append("\t".join(cells[place] for place in left if place < len(cells)) + "\n")
        return "".join(lines)

    def _join(self, names: set[str]) -> None:
        """Lets optional columns join, with nan in the rows before."""
        before = self.table.rows()
        self.hidden -= names
        if not any(before):
            return
        header, *rows = before
        lines = [self.header]
        for cells in rows:
            row = dict(zip(header, cells))
            lines.append([row.get(name, "nan") for name in self.header])
        self.table.replace("".join("\t".join(cells) + "\n" for cells in lines))


def _text(value: float) -> str:
    """Whole numbers in full, others to 8 significant digits."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.8g}"
