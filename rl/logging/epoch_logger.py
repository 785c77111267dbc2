"""The epoch logger: values in, one row of statistics per epoch out, as Spinning Up's
`progress.txt`."""

import collections
import os
from pathlib import Path
from typing import Any

import numpy as np

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
        self.array, self.size = np.empty(capacity), 0

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
        self.path, self.tasks = Path(directory) / "progress.txt", {
            n: tasks for n, k in columns.items() if k == "task"
        }
        self.columns: dict[str, str] = {}
        for name, kind in columns.items():
            self.columns |= {name: kind} | {
                f"{name}/{task}": "mean" for task in self.tasks.get(name, ())
            }
        columns = self.columns
        self.optional = {name for name in optional if name in columns}
        self.hidden = set(self.optional)
        self.values = {name: Values(capacity) for name, kind in columns.items() if kind != "value"}
        self.past: dict[str, Any] = {  # (sum, count) of each of the last `window` epochs
            name: collections.deque(maxlen=window)
            for name, kind in columns.items()
            if "Moving" in KINDS[kind]
        }
        self.epoch = 0  # the number of complete rows

    @property
    def header(self) -> list[str]:
        """The names in the first line of the file."""
        shown = [name for name in self.columns if name not in self.hidden]
        return [heading for name in shown for heading in self._headings(name)]

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
                    sums, counts = np.sum(
                        [*self.past[name], (filled.sum(), len(filled))][-self.past[name].maxlen :],
                        0,
                    )
                    row[prefix + name] = float(sums / counts) if counts else float("nan")
                else:
                    row[prefix + name] = (
                        float(STATISTICS[prefix](filled)) if len(filled) else float("nan")
                    )
        return row

    def dump(self, complete: bool = True, **values: float) -> dict[str, float]:
        """Writes a row, given the "value" columns, and starts the next epoch.

        With `complete` False the row is of an epoch cut short, which a resumed run writes again.
        """
        joining = {name for name in self.hidden if self.values[name].size}
        if joining:
            self.hidden -= joining
            self._fit_file()
        row = self.row(**values)
        header = self.header
        lines = [] if self.epoch else [header]
        with open(self.path, "a", encoding="utf-8") as file:
            for cells in [*lines, [_text(row[name]) for name in header]]:
                file.write("\t".join(cells) + "\n")
            file.flush()
            os.fsync(file.fileno())
        if complete:
            self.epoch += 1
            for name, past in self.past.items():
                past.append((self.values[name].filled().sum(), self.values[name].size))
            for stored in self.values.values():
                stored.size = 0
        return row

    def state(self) -> dict[str, Any]:
        """All that the next rows depend on."""
        filled = {name: values.filled().copy() for name, values in self.values.items()}
        past = {
            name: [list(map(float, pair)) for pair in pairs] for name, pairs in self.past.items()
        }
        return {"epoch": self.epoch, "values": filled, "past": past}

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes back to `state`, cutting off what was written to `progress.txt` since."""
        self.epoch = state["epoch"]
        for name, filled in state["values"].items():
            self.values[name].size = 0
            self.values[name].add(filled)
        for name, pairs in state["past"].items():
            self.past[name].clear()
            self.past[name].extend(tuple(pair) for pair in pairs)
        table = self._table()
        written = table[0] if table else []
        self.hidden = {name for name in self.optional if self._headings(name)[0] not in written}
        self._fit_file()

    def _table(self) -> list[list[str]]:
        """The cells of the file: its header, if it has one, and its complete rows."""
        if not (self.epoch and self.path.exists()):
            return []
        lines = self.path.read_text(encoding="utf-8").splitlines()
        return [line.split("\t") for line in lines[: self.epoch + 1]]

    def _fit_file(self) -> None:
        """Gives the file the header's columns, and cuts off what follows its complete rows."""
        if not self.path.exists():
            return
        table = self._table()
        lines = [self.header] if table else []
        for cells in table[1:]:
            row = dict(zip(table[0], cells))
            lines.append([row.get(name, "nan") for name in self.header])
        temporary = self.path.with_name(self.path.name + ".tmp")
        with open(temporary, "w", encoding="utf-8") as file:
            file.writelines("\t".join(cells) + "\n" for cells in lines)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self.path)


def _text(value: float) -> str:
    """Whole numbers in full, others to 8 significant digits."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.8g}"
