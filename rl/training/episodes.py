"""Returns and lengths of the episodes under way."""

from typing import Any

import numpy as np


class Episodes:
    """One episode per env; `start` `(num_envs,)` is true where the next step is an episode's first."""

    def __init__(self, num_envs: int) -> None:
        self.start, self.ret, self.length = np.ones(num_envs, bool), np.zeros(num_envs), np.zeros(num_envs, int)

    def step(self, rew: np.ndarray, end: np.ndarray, logger: Any) -> bool:
        """Counts in a step of every env and logs the episodes that it ended. Returns whether there are any."""
        self.ret, self.length, self.start = self.ret + rew, self.length + 1, end
        ended = bool(end.any())
        if ended:
            logger.store(EpRet=self.ret[end], EpLen=self.length[end])
            self.ret[end], self.length[end] = 0, 0
        return ended

    def state(self) -> dict[str, Any]:
        """All there is."""
        return {"start": self.start, "ret": self.ret, "length": self.length}

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes back to `state`."""
        self.start, self.ret, self.length = state["start"], state["ret"], state["length"]
