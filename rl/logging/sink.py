"""What a run's rows go to beside its own directory's table."""

from typing import Protocol


class Sink(Protocol):
    """A place for rows.

    Attributes:
      takes_partial_rows: also those of epochs cut short, which a resumed run writes again.
    """

    takes_partial_rows: bool

    def write(self, step: int, row: dict[str, float]) -> None:
        """Takes the row of an epoch that ended at env step `step`."""

    def close(self) -> None:
        """Ends with the run, also with one that failed or is to go on later."""
