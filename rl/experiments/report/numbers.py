"""Numbers as JSON has them: it knows neither nan nor inf."""

import math

import numpy as np

DIGITS = 6  # of what is shown as a colour


def exact(values: np.ndarray) -> list[float | None]:
    """`(points,)` as a list, every digit kept; None for what is not finite."""
    return [value if math.isfinite(value) else None for value in values.tolist()]


def rounded(values: np.ndarray) -> list[list[float | None]]:
    """`(rows, columns)` as lists with DIGITS digits; None for what is not finite."""
    rows = []
    for row in values.tolist():
        rows.append([_rounded(value) for value in row])
    return rows


def _rounded(value: float) -> float | None:
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
