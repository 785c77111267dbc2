"""From rotation matrices to quaternions, as scipy's Rotation does it, for one matrix at a time.

scipy takes ten times as long, mostly to check the matrix: a fifth or more of the step of a
Meta-World task that observes a quaternion so.
"""

import math

import numpy as np
from scipy.spatial import transform

# How far a matrix times its transpose may be from the identity. scipy allows 1e-12; what is between
# is left to it.
ORTHOGONAL = 1e-13


class Rotation:
    """Stands for scipy's class where `Rotation.from_matrix(matrix).as_quat()` is all that is
    called; results are the same, bit for bit."""

    def __init__(self, quat: np.ndarray) -> None:
        self.quat = quat

    @classmethod
    def from_matrix(cls, matrix: np.ndarray) -> "Rotation":
        """Of a rotation matrix `(3, 3)`; of any other what scipy makes of it, or raises."""
        rows = matrix.tolist()
        if not _is_rotation(rows):
            return cls(transform.Rotation.from_matrix(matrix).as_quat())
        return cls(np.array(_quaternion(rows)))

    def as_quat(self) -> np.ndarray:
        """The quaternion `(4,)`, its real part last."""
        return self.quat


def _is_rotation(rows: list[list[float]]) -> bool:
    """Whether rows are orthogonal, of length 1, and no reflection, for sure."""
    (a, b, c), (d, e, f), (g, h, i) = rows
    gaps = (
        a * a + b * b + c * c - 1,
        d * d + e * e + f * f - 1,
        g * g + h * h + i * i - 1,
        a * d + b * e + c * f,
        a * g + b * h + c * i,
        d * g + e * h + f * i,
    )
    if not all(abs(gap) < ORTHOGONAL for gap in gaps):
        return False
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g) > 0


def _quaternion(rows: list[list[float]]) -> list[float]:
    """Shepperd's method: by the largest of the diagonal and the trace. The order of the sums is
    scipy's."""
    diagonal = [rows[0][0], rows[1][1], rows[2][2]]
    trace = diagonal[0] + diagonal[1] + diagonal[2]
    decision = [*diagonal, trace]
    choice = decision.index(max(decision))
    quat = [0.0] * 4
    if choice == 3:
        quat[0] = rows[2][1] - rows[1][2]
        quat[1] = rows[0][2] - rows[2][0]
        quat[2] = rows[1][0] - rows[0][1]
        quat[3] = 1 + trace
    else:
        i = choice
        j = (i + 1) % 3
        k = (j + 1) % 3
        quat[i] = 1 - trace + 2 * rows[i][i]
        quat[j] = rows[j][i] + rows[i][j]
        quat[k] = rows[k][i] + rows[i][k]
        quat[3] = rows[k][j] - rows[j][k]
    squares = [number * number for number in quat]
    norm = math.sqrt(squares[0] + squares[1] + squares[2] + squares[3])
    return [number / norm for number in quat]
