"""Parts of the page as HTML. All text comes in through `escape`: some of it is a stranger's."""

import html
import re
from typing import Sequence

CELL_LENGTH = 300  # characters


def escape(text: str) -> str:
    """Text as it may stand between tags and in attributes; what can't be printed becomes "?", such
    as characters that turn the direction of writing."""
    shown = "".join(character if _is_shown(character) else "?" for character in text)
    return html.escape(shown, quote=True)


def _is_shown(character: str) -> bool:
    return character.isprintable() or character in "\n\t"


def section(name: str, title: str, body: Sequence[str]) -> str:
    """A section of the page with a heading; `name` is what links lead to."""
    inside = "\n".join(body)
    return f'<section id="{escape(name)}">\n<h2>{escape(title)}</h2>\n{inside}\n</section>'


def heading(text: str) -> str:
    """A heading inside a section."""
    return f"<h3>{escape(text)}</h3>"


def small_heading(text: str) -> str:
    """The same in small letters, of a part of what is folded."""
    return f'<h3 class="small">{escape(text)}</h3>'


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of a CSS class."""
    return f'<p class="{escape(kind)}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def items(lines: Sequence[str]) -> str:
    """A list with bullets; "" of no lines."""
    if not lines:
        return ""
    inside = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<ul class="notes">{inside}</ul>'


def preformatted(text: str) -> str:
    """Text as it is, in a typewriter's letters; it scrolls by itself."""
    return f'<pre tabindex="0">{escape(text)}</pre>'


def command(text: str) -> str:
    """A command line, which is broken between its flags only."""
    parts = re.split(" (?=--)", text)
    inside = " ".join(f"<span>{escape(part)}</span>" for part in parts)
    return f'<pre class="command" tabindex="0">{inside}</pre>'


def folded(summary: str, body: Sequence[str], is_open: bool = False) -> str:
    """What is shown when its summary is opened."""
    inside = "\n".join(body)
    state = " open" if is_open else ""
    return f"<details{state}><summary>{escape(summary)}</summary>\n{inside}\n</details>"


def table(caption: str, rows: Sequence[Sequence[str]], styles: Sequence[int] = ()) -> str:
    """A table that scrolls inside the page.

    Args:
      rows: the header first; the first cell of each is its heading. styles: for each row below the
        header, the number of the look of the curve that is drawn before it; none: no curves.
    """
    header, *body = rows
    cells = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in header)
    lines = [f"<thead><tr>{cells}</tr></thead>", "<tbody>"]
    for place, row in enumerate(body):
        sample = swatch(styles[place]) if styles else ""
        cells = f'<th scope="row">{sample}{_cell(row[0])}</th>'
        cells += "".join(f"<td>{_cell(cell)}</td>" for cell in row[1:])
        lines.append(f"<tr>{cells}</tr>")
    lines.append("</tbody>")
    name = escape(caption)
    inside = f"<table><caption>{name}</caption>\n" + "\n".join(lines) + "\n</table>"
    return f'<div class="scroll" role="region" aria-label="{name}" tabindex="0">{inside}</div>'


def _cell(text: str) -> str:
    if len(text) > CELL_LENGTH:
        text = text[: CELL_LENGTH - 1] + "…"
    return escape(text)


def swatch(style: int) -> str:
    """A short line as the curve of number `style` is drawn."""
    line = f'<line class="{style_class(style)}" x1="1" y1="5" x2="27" y2="5"></line>'
    return f'<svg class="swatch" viewBox="0 0 28 10" aria-hidden="true">{line}</svg>'


def style_class(number: int) -> str:
    """CSS classes of the curve `number`: colour and dashes; 32 are distinct."""
    return f"curve color{number % 8} dash{number // 8 % 4}"


def figure(number: int, caption: str) -> str:
    """The place where the script draws a figure of the page's data."""
    return (
        f'<figure class="chart" data-figure="{number}"><figcaption>{escape(caption)}</figcaption>'
        "</figure>"
    )
