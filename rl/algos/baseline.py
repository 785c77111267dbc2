"""The linear baseline: values that are linear in features of the observation and the time.

Duan et al., 2016, supplement 2: https://arxiv.org/abs/1604.06778
Reference implementation: https://github.com/rlworkgroup/garage (LinearFeatureBaseline)
Differs from the reference:
1. every task has weights of its own;
2. where no regularisation gives finite weights, they stay as they were;
3. values are 0 before the first fit.
"""

from typing import Any, Optional

import numpy as np

CLIP = 10.0  # of observations
TIME = 100.0  # steps in a unit of time
RIDGE = 1e-5
TRIES = 5  # with ten times the regularisation each, until weights are finite


class LinearBaseline:
    """V(obs, time) of each task, float64, without TensorFlow.

    Args:
      obs_dim: size of an observation. batch_dims: `()` or `(num_tasks,)`.
    """

    def __init__(self, obs_dim: int, batch_dims: tuple[int, ...] = ()) -> None:
        self.batch_dims = batch_dims
        self.weights = np.zeros((*batch_dims, 2 * obs_dim + 4))

    def predict(self, obs: np.ndarray, time: Any) -> np.ndarray:
        """Values of obs `(*batch_dims, steps, obs_dim)`, `time` `(*batch_dims, steps)` steps after
        the start of their episodes: `(*batch_dims, steps)`."""
        return np.matmul(features(obs, time), self.weights[..., None])[..., 0]

    def fit(
        self, obs: np.ndarray, time: np.ndarray, ret: np.ndarray, mask: Optional[np.ndarray] = None
    ) -> None:
        """Lets values follow the returns `ret` `(*batch_dims, steps)`, shapes as `predict`'s.

        A task none of whose steps has a true `mask`, `(*batch_dims, steps)`, stays as it was.
        """
        mask = np.ones(ret.shape, bool) if mask is None else mask
        inputs = features(obs, time)
        for task in np.ndindex(*self.batch_dims):
            steps = mask[task]
            if steps.any():
                weights = ridge(inputs[task][steps], ret[task][steps])
                self.weights[task] = self.weights[task] if weights is None else weights

    def state(self) -> dict[str, Any]:
        """All there is."""
        return {"weights": self.weights.copy()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes back to `state`."""
        self.weights = state["weights"].copy()


def features(obs: np.ndarray, time: Any) -> np.ndarray:
    """Of obs `(..., obs_dim)` and `time` `(...)`: both and their powers, and 1, float64
    `(..., 2 * obs_dim + 4)`."""
    clipped = np.clip(obs, -CLIP, CLIP).astype(float)
    moment = np.broadcast_to(time, obs.shape[:-1])[..., None] / TIME
    powers = [moment, moment**2, moment**3, np.ones_like(moment)]
    return np.concatenate([clipped, clipped**2, *powers], axis=-1)


def ridge(inputs: np.ndarray, targets: np.ndarray) -> Optional[np.ndarray]:
    """The w of the least |inputs w - targets|^2 + RIDGE |w|^2; None where none is finite."""
    square = inputs.T @ inputs
    product = inputs.T @ targets
    for power in range(TRIES):
        penalty = RIDGE * 10**power * np.eye(len(square))
        try:
            weights = np.linalg.lstsq(square + penalty, product, rcond=None)[0]
        except np.linalg.LinAlgError:
            continue
        if np.isfinite(weights).all():
            return weights
    return None
