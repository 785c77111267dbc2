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
    the
    last `window` epochs: the same stretch of training for every column, however often it is stored.

    Args:
      directory: gets `progress.txt`: tab-separated, one row per epoch.
      columns: name -> kind in KINDS; the order is the header's. "value" columns are given to
        `dump`. "task" ones are means, of all values and in `<name>/<task>` of each task's.
      window: epochs in a moving average. capacity: values a column has room for before it first
        grows.
      tasks: their names; the last axis of what "task" columns are given.
    """

    def __init__(
        self,
        directory: Path,
        columns: dict[str, str],
        window: int = 10,
        capacity: int = 1024,
        tasks: tuple[str, ...] = (),
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
        self.header = [prefix + name for name, kind in columns.items() for prefix in KINDS[kind]]
        self.values = {name: Values(capacity) for name, kind in columns.items() if kind != "value"}
        self.past: dict[str, Any] = {  # (sum, count) of each of the last `window` epochs
            name: collections.deque(maxlen=window)
            for name, kind in columns.items()
            if kind == "episode"
        }
        self.epoch, self.end = 0, 0  # complete rows, and the byte at which the last one ends

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
        row = self.row(**values)
        lines = [] if self.end else [self.header]
        with open(self.path, "a", encoding="utf-8") as file:
            for cells in [*lines, [_text(row[name]) for name in self.header]]:
                file.write("\t".join(cells) + "\n")
            file.flush()
            os.fsync(file.fileno())
        if complete:
            self.end, self.epoch = self.path.stat().st_size, self.epoch + 1
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
        return {"epoch": self.epoch, "end": self.end, "values": filled, "past": past}

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes back to `state`, cutting off what was written to `progress.txt` since."""
        self.epoch, self.end = state["epoch"], state["end"]
        for name, filled in state["values"].items():
            self.values[name].size = 0
            self.values[name].add(filled)
        for name, pairs in state["past"].items():
            self.past[name].clear()
            self.past[name].extend(tuple(pair) for pair in pairs)
        if self.path.exists():
            os.truncate(self.path, self.end)


def _text(value: float) -> str:
    """Whole numbers in full, others to 8 significant digits."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.8g}"
