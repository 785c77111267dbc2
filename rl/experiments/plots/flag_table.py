"""The table of flags below the panels, sized so that it fits in the figure."""

import os
import re
from typing import Any, Sequence

from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties

from rl.experiments.plots.text import shorten

FONT_SIZE = 8
MOST_COLUMNS = 8  # of flags
MOST_CHARACTERS = 40  # in a cell
MOST_OF_LABELS = 0.3  # of the width
LINE = 0.16  # inches
PADDING = 0.12  # inches, in each row and column
MARGIN = 0.15  # inches, around the table
WRAPPED = 10  # characters, after which the name of a flag goes on in another line
RULER_DPI = 300
TOLERANCE = 1e-9  # inches, for sums in another order
COMMON = 2  # characters that stay of a beginning or end that all long values share


class FlagTable:
    """A row for each group and a column for each flag, with the label first.

    Long values are shortened in the middle until the columns fit.

    Args:
      labels: of the groups. names: of flags. rows: their values, for each group. width: of the
        figure, in inches.

    Attributes:
      height: in inches; 0 where no flags differ, and there is no table.
    """

    def __init__(
        self,
        labels: Sequence[str],
        names: Sequence[str],
        rows: Sequence[Sequence[str]],
        width: float,
    ) -> None:
        self.width = width
        self.height = 0.0
        if not names:
            return
        headers = [_wrap(name) for name in names[:MOST_COLUMNS]]
        columns = [list(column) for column in zip(*rows)]
        ruler = Ruler()
        available = width - 2 * MARGIN
        label_width = min(ruler.width_of_column(labels), MOST_OF_LABELS * available)
        full_widths = []
        for header, column in zip(headers, columns):
            full_widths.append(ruler.width_of_column([header, *column]))
        widest = _widest(full_widths, available - label_width)
        widths = [min(full_width, widest) for full_width in full_widths]
        fitted = [["", *ruler.fit_column(labels, label_width)]]
        for header, column, column_width in zip(headers, columns, widths):
            shown_header = ruler.fit(header, column_width)
            fitted.append([shown_header, *ruler.fit_column(column, column_width)])
        self.widths = [label_width, *widths]
        self.cells = [list(row) for row in zip(*fitted)]
        self.heights = [LINE * _count_lines(row) + PADDING for row in self.cells]
        self.height = sum(self.heights) + 2 * MARGIN

    def draw(self, figure: Any) -> None:
        """Draws it into a figure or subfigure of its height and width, at the left."""
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        left = MARGIN / self.width
        bottom = MARGIN / self.height
        right = sum(self.widths) / self.width
        top = sum(self.heights) / self.height
        bbox = (left, bottom, right, top)
        table = axes.table(self.cells, cellLoc="center", colWidths=self.widths, bbox=bbox)
        table.auto_set_font_size(False)
        table.set_fontsize(FONT_SIZE)
        for (row, column), cell in table.get_celld().items():
            cell.set_height(self.heights[row])
            cell.set(edgecolor="0.8", linewidth=0.6)
            if row == 0 or column == 0:
                cell.set_facecolor("0.96")


class Ruler:
    """Measures cells in the table's font, in inches, their padding included."""

    def __init__(self) -> None:
        self.renderer = RendererAgg(10, 10, RULER_DPI)
        self.font = FontProperties(size=FONT_SIZE)
        self.characters: dict[str, float] = {}

    def width(self, text: str) -> float:
        """Of a cell with this text: of its longest line."""
        longest = 0.0
        for line in text.split("\n"):
            longest = max(longest, sum(map(self._width_of_character, line)))
        return longest + PADDING

    def _width_of_character(self, character: str) -> float:
        if character not in self.characters:
            text = character * 10  # alone, it would lack the space beside it
            pixels, _, _ = self.renderer.get_text_width_height_descent(text, self.font, False)
            self.characters[character] = pixels / 10 / RULER_DPI
        return self.characters[character]

    def width_of_column(self, cells: Sequence[str]) -> float:
        """Of a column with these cells, none of them longer than a cell may be."""
        return max(self.width(_shorten_lines(cell, MOST_CHARACTERS)) for cell in cells)

    def fit(self, text: str, width: float) -> str:
        """`text` with its lines shortened until the cell is no wider than `width`."""
        length = max(map(len, text.split("\n")))
        fitting = _shorten_lines(text, min(length, MOST_CHARACTERS))
        while self.width(fitting) > width + TOLERANCE and length > 1:
            length -= 1
            fitting = _shorten_lines(text, min(length, MOST_CHARACTERS))
        return fitting

    def fit_column(self, cells: Sequence[str], width: float) -> list[str]:
        """Cells no wider than `width`. Where shortened ones would look the same, they lose what
        they have in common instead."""
        fitted = [self.fit(cell, width) for cell in cells]
        if len(set(fitted)) < len(set(cells)):
            return [self.fit(cell, width) for cell in _without_common_ends(cells)]
        return fitted


def _shorten_lines(text: str, length: int) -> str:
    return "\n".join(shorten(line, length) for line in text.split("\n"))


def _without_common_ends(cells: Sequence[str]) -> list[str]:
    """Cells with an ellipsis for the beginning and the end that all but empty ones share."""
    values = [cell for cell in cells if cell]
    first = max(0, len(os.path.commonprefix(values)) - COMMON)
    backwards = [value[first:][::-1] for value in values]
    last = max(0, len(os.path.commonprefix(backwards)) - COMMON)
    before = "…" if first else ""
    after = "…" if last else ""
    shown = []
    for cell in cells:
        middle = cell[first : len(cell) - last]
        shown.append(f"{before}{middle}{after}" if cell else "")
    return shown


def _widest(widths: Sequence[float], available: float) -> float:
    """The most that a column may take so that all fit: narrow ones keep their width."""
    left = available
    ordered = sorted(widths)
    for number, width in enumerate(ordered):
        share = left / (len(ordered) - number)
        if width > share:
            return share
        left -= width
    return ordered[-1]


def _wrap(name: str) -> str:
    """A flag's name in lines, broken after colons and underscores."""
    lines = [""]
    for part in re.findall(r"[^_:]*[_:]+|[^_:]+", shorten(name, MOST_CHARACTERS)):
        if lines[-1] and len(lines[-1] + part) > WRAPPED:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def _count_lines(cells: Sequence[str]) -> int:
    return max(cell.count("\n") for cell in cells) + 1
