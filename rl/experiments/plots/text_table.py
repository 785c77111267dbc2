"""Tables of numbers as text, separated by tabs or commas, as programs and people leave them."""

import csv
from pathlib import Path
from typing import Iterator, NamedTuple, Sequence

import numpy as np

from rl.config import UserError
from rl.experiments.plots.text import warn
from rl.files import read_text


class TextTable(NamedTuple):
    """Column names, rows `(rows, columns)` float64 with nan for what is no number, and the numbers
    of the rows before which the header comes again."""

    header: list[str]
    rows: np.ndarray
    restarts: list[int]

    def columns(self) -> dict[str, np.ndarray]:
        """Each column `(rows,)` by its name."""
        return dict(zip(self.header, self.rows.T))


def read_file(file: Path) -> str:
    """The text of a file, without a byte-order mark.

    Links are not followed: they could lead out of the run directory. Pipes would block.

    Raises:
      UserError: it can't be read, or is not a regular file, or not UTF-8.
    """
    try:
        return read_text(file).removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise UserError(f"{file} is not text in UTF-8") from None
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from None


def parse_table(text: str, file: Path) -> TextTable:
    """The table in the text of `file`: comma-separated if its name ends with .csv, else by tabs.

    The first line is the header. Rows of another number of cells are left out, such as the last one
    while it is being written; how many is said on stderr.

    Raises:
      UserError: it is not a table.
    """
    lines = [line.rstrip("\r") for line in text.split("\n") if line.strip()]
    header: list[str] = []
    rows: list[list[float]] = []
    restarts = []
    broken = 0
    try:
        for cells in _split_lines(lines, file.suffix):
            if not header:
                header = cells
            elif cells == header:
                restarts.append(len(rows))
            elif len(cells) == len(header):
                rows.append([_number(cell) for cell in cells])
            else:
                broken += 1
    except csv.Error:
        raise UserError(f"{file} is not a table of columns") from None
    if not all(name.isprintable() for name in header):
        raise UserError(f"{file} is not a table of columns")
    if broken:
        warn(f"{file}: left out {broken} of {broken + len(rows)} rows, which are not whole")
    return TextTable(header, np.array(rows).reshape(-1, max(len(header), 1)), restarts)


def _split_lines(lines: Sequence[str], suffix: str) -> Iterator[list[str]]:
    if suffix == ".csv":
        return csv.reader(lines)
    return (line.split("\t") for line in lines)


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")
