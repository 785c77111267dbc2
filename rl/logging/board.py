"""The TensorBoard sink."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from rl.files import file_names

if TYPE_CHECKING:
    from tensorboardX import SummaryWriter


class Board:
    """Event files in `directory`/tb, begun with the first row so that a run refused writes none.

    Raises:
      UserError: tb is something else than a folder of regular files.
    """

    takes_partial_rows = True

    def __init__(self, directory: Path) -> None:
        self.directory = Path(directory) / "tb"
        file_names(self.directory, lambda name: True)
        self._writer: Optional["SummaryWriter"] = None

    def write(self, step: int, row: dict[str, float]) -> None:
        """One point per finite value, at x = `step`; what an earlier part of the run wrote from
        there on is void."""
        if self._writer is None:
            # Not before, since it would slow `--help` down.
            from tensorboardX import SummaryWriter  # pylint: disable=import-outside-toplevel

            self._writer = SummaryWriter(str(self.directory), purge_step=step)
        for name, value in row.items():
            if math.isfinite(value):
                self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def close(self) -> None:
        """Closes the event file."""
        if self._writer is not None:
            self._writer.close()
