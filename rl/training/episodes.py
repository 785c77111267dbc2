"""Returns, lengths and successes of the episodes under way."""

from typing import Any, Optional

import numpy as np

from rl.logging import EpochLogger
from rl.spec import Step


class Episodes:
    """One episode per env; `start` `(num_envs,)` is true where the next step is an episode's first.

    Args:
      num_envs: of all tasks together. tasks: their names; their envs are side by side.
    """

    def __init__(self, num_envs: int, tasks: tuple[str, ...] = ()) -> None:
        self.start = np.ones(num_envs, bool)
        self.ret = np.zeros(num_envs)
        self.length = np.zeros(num_envs, int)
        self.success = np.zeros(num_envs, bool)
        self.tasks = tasks
        self.told = False  # whether any env has told of its success

    def step(self, step: Step, end: np.ndarray, logger: EpochLogger) -> bool:
        """Counts in a Step of every env and logs the episodes that it ended, those of `end`.
        Returns whether any.

        From the first time on that an env tells of success, episodes that don't count as failures.
        """
        self.ret = self.ret + step.rew
        self.length = self.length + 1
        self.start = end
        if step.success is not None:
            self.success = self.success | step.success
            self.told = True
        ended = bool(end.any())
        if ended:
            scores = {"EpRet": self.ret}
            if self.told or logger.shows("Success"):
                scores["Success"] = self.success
            logger.store(EpLen=self.length[end], **by_task(scores, end, self.tasks, step.task))
            self.ret[end] = 0
            self.length[end] = 0
            self.success[end] = False
        return ended

    def state(self) -> dict[str, Any]:
        """All there is."""
        return {
            "start": self.start,
            "ret": self.ret,
            "length": self.length,
            "success": self.success,
            "told": self.told,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes back to `state`."""
        self.start = state["start"]
        self.ret = state["ret"]
        self.length = state["length"]
        self.success = state["success"]
        self.told = state["told"]


def by_task(
    scores: dict[str, np.ndarray],
    ended: np.ndarray,
    tasks: tuple[str, ...],
    task_of: Optional[np.ndarray] = None,
) -> dict[str, np.ndarray]:
    """Those of scores `(num_envs,)` where `ended` is true, of all tasks together, and as
    `<name>/<task>` of each.

    `task_of` `(num_envs,)` has the tasks' numbers; without it the envs of a task are side by side.
    """
    if task_of is None:
        per_task = max(1, len(ended) // max(1, len(tasks)))
        task_of = np.arange(len(ended)) // per_task
    columns = {name: values[ended] for name, values in scores.items()}
    for number, task in enumerate(tasks):
        task_ended = ended & (task_of == number)
        for name, values in scores.items():
            columns[f"{name}/{task}"] = values[task_ended]
    return columns
