"""Text in figures and on stderr."""

import re
import sys
from typing import Iterable, Sequence

from rl.config import program

MOST_CHARACTERS = 60  # in a cell of a printed table


def warn(text: str) -> None:
    """Prints one line on stderr, whatever characters `text` has."""
    line = " ".join(text.splitlines())
    shown = line.encode(errors="backslashreplace").decode()
    print(f"{program().split()[-1]}: warning: {shown}", file=sys.stderr)


def listed(names: Iterable[object]) -> str:
    """Names in a sentence, each of them once: "a, b, c"."""
    return ", ".join(dict.fromkeys(map(str, names)))


def shorten(text: str, length: int) -> str:
    """`text` on one printable line of at most `length` characters, with an ellipsis in the
    middle."""
    text = re.sub(r"\s+", " ", text)
    text = "".join(character if character.isprintable() else "?" for character in text)
    if len(text) <= length:
        return text
    tail = (length - 1) // 2
    return text[: length - 1 - tail] + "…" + text[len(text) - tail :]


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """A table in columns: the first one begins at the left, the others end at the right."""
    cells = [[shorten(cell, MOST_CHARACTERS) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells)]
    lines = []
    for row in cells:
        padded = [row[0].ljust(widths[0])]
        for cell, width in zip(row[1:], widths[1:]):
            padded.append(cell.rjust(width))
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)
