"""What to draw of runs."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Options:
    """What to draw of the groups.

    Attributes:
      xaxis, values: columns. window: of smoothing, in rows. est: of ESTIMATORS. band: of BANDS, or
        None for the estimate's default.
    """

    xaxis: str = "TotalEnvInteracts"
    values: tuple[str, ...] = ("Performance",)
    window: int = 1
    est: str = "mean"
    band: str | None = None
