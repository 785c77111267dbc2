"""`progress.txt` as a file: rows of text that only grow, and that nobody else can change unseen."""

import hashlib
from pathlib import Path
from typing import Any, Callable, Optional

from rl.config import UserError
from rl.files import extend, read_bytes, remove, write_atomically


class Table:
    """The rows of a run, in memory and in two files.

        progress.txt   every row, written as its epoch ends
        saved.txt      the rows that the newest checkpoint has seen

    A checkpoint has the length and the SHA-256 of its rows, and no rows: their text would be
    written again with every checkpoint, which for long runs of many tasks is more than the
    networks.

    Args:
      directory: the run's.
    """

    def __init__(self, directory: Path) -> None:
        self.path = Path(directory) / "progress.txt"
        self.copy = Path(directory) / "saved.txt"
        self._begin(b"")

    def _begin(self, text: bytes) -> None:
        self.text = bytearray(text)  # the complete rows
        self.hash = hashlib.sha256(text)
        self.saved = len(text)  # bytes of `copy`

    def append(self, text: str, complete: bool) -> None:
        """Adds text to `progress.txt`; what is not complete is gone when the run is resumed."""
        encoded = text.encode()
        if not extend(self.path, len(self.text), encoded):
            print(f"{self.path} was changed by somebody else; its rows are restored")
            _write(self.path, bytes(self.text) + encoded)
        if complete:
            self.text += encoded
            self.hash.update(encoded)

    def replace(self, text: str) -> None:
        """Puts `text` in the place of all complete rows, such as the same with a column more."""
        self._begin(text.encode())
        self.saved = 0
        _write(self.path, bytes(self.text))

    def rows(self) -> list[list[str]]:
        """The cells of the header and of the complete rows; one empty line where there are none."""
        return [line.split("\t") for line in self.text.decode().splitlines()] or [[]]

    def save(self) -> None:
        """Copies the complete rows to `saved.txt`. To be called when a checkpoint has seen them."""
        if not extend(self.copy, self.saved, bytes(self.text[self.saved :])):
            _write(self.copy, bytes(self.text))
        self.saved = len(self.text)

    def state(self) -> dict[str, Any]:
        """What tells the complete rows from any others."""
        return {"end": len(self.text), "sha256": self.hash.hexdigest()}

    def load_state(self, state: dict[str, Any], view: Callable[[str], str]) -> None:
        """Goes back to the rows of `state`: cuts off later ones, and restores what somebody else
        changed or removed.

        Args:
          view: makes of rows what they were when `state` was made, without columns that joined
            since.

        Raises:
          UserError: neither file has the rows.
        """
        text = _rows(self.path, state, view)
        if text is None:
            text = _rows(self.copy, state, view)
            if text is None:
                raise UserError(
                    f"{self.path} is not as the checkpoint knows it, and neither is {self.copy}; "
                    "nothing there was changed"
                )
            print(f"{self.path} is not as the checkpoint knows it; its rows are restored")
        for path in (self.path, self.copy):
            if _read(path) != text:
                _write(path, text)
        self._begin(text)

    def clear(self) -> None:
        """Removes the rows of a run that was killed before its first checkpoint.

        Raises:
          UserError: there was a checkpoint.
        """
        if _read(self.copy) is not None:
            raise UserError(
                f"{self.path.parent} has {self.copy.name}, so it had checkpoints, but they are "
                "gone; there is nothing to go on from, and nothing was changed (train with "
                "--overwrite to start anew)"
            )
        _read(self.path)  # refuses what is no file
        remove(self.path)
        self._begin(b"")


def _read(path: Path) -> Optional[bytes]:
    """A file's bytes; None where there is no file."""
    try:
        return read_bytes(path)
    except FileNotFoundError:
        return None


def _rows(path: Path, state: dict[str, Any], view: Callable[[str], str]) -> Optional[bytes]:
    """The rows of `state` if a file begins with them, seen by `view`."""
    whole = (_read(path) or b"").decode(errors="replace")
    text = view(whole).encode()[: state["end"]]
    return text if hashlib.sha256(text).hexdigest() == state["sha256"] else None


def _write(path: Path, text: bytes) -> None:
    write_atomically(path, lambda file: file.write(text))
