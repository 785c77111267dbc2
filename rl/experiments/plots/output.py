"""What a command writes where its user says: figures and tables, whole or not at all."""

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Sequence

from rl.config import UserError
from rl.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURES = (".png", ".svg", ".pdf")
DPI = 150
MOST_PIXELS = 60_000  # in a side of the picture; the renderer draws fewer than 2 ** 16


def check_output(out: Path, suffixes: Sequence[str]) -> None:
    """Raises a UserError if a file can't be written there, or is of none of these kinds."""
    if out.suffix not in suffixes:
        known = suffixes[-1]
        if len(suffixes) > 1:
            known = f"{', '.join(suffixes[:-1])} or {known}"
        raise UserError(f"--out must end with {known}, got {out}")
    if os.path.isdir(out):
        raise UserError(f"--out must be a file, and {out} is a folder")


def save_figure(figure: "Figure", out: Path) -> None:
    """Writes a picture of the kind that the name of `out` says. Raises what `write_output` does."""
    picture = io.BytesIO()
    dpi = min(DPI, MOST_PIXELS / max(figure.get_size_inches()))
    figure.savefig(picture, format=out.suffix[1:], bbox_inches="tight", dpi=dpi)
    write_output(out, picture.getvalue())


def write_output(out: Path, content: bytes) -> None:
    """Writes a file in one go: an old one stays until the new one is whole.

    Raises:
      UserError: it can't be written there.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, lambda file: file.write(content))
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror}") from None
