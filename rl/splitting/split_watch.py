"""What all that splits networks does alike."""

from typing import Any

import numpy as np
import tensorflow as tf

from rl.flags.splitting import BY_UPDATES
from rl.gradients.statistics import cosines
from rl.splitting.watch import Watch


class SplitWatch(Watch):
    """Counts updates, and lets subclasses `check` for splits every `split_every` of them.

    Attributes:
      halves: whether gradients of the halves of batches are needed. events: every split so far, as
        JSON values.
      least_block: updates that a block has at least.
      sharing: the sharing score; kept, since every burst of updates logs it.
    """

    columns = {"Sharing": "mean"}

    def __init__(self, config: Any, num_tasks: int) -> None:
        self.config = config
        self.num_tasks = num_tasks
        self.events: list[dict[str, Any]] = []
        self.updates = 0
        self.updates_of_block = 0
        self.least_block = 1 if config.split_criterion in BY_UPDATES else config.split_block
        self.sharing = 1.0

    def after(self, count: int) -> None:
        """To be told of a burst of `count` more updates. Where it fills a block of updates that
        ends; if a check for splits is due by then it is made, and splits follow.

        No check is within a block: of one that had begun before a split, a part would be evidence
        on the copy of before.
        """
        self.updates += count
        self.updates_of_block += count
        if self.updates_of_block < self.least_block:
            return
        before = self.updates - self.updates_of_block
        self.updates_of_block = 0
        self.end_block()
        every = self.config.split_every
        if self.updates // every > before // every:
            self.check()

    def end_block(self) -> None:
        """Makes the updates since the last block one piece of evidence."""
        raise NotImplementedError

    def check(self) -> None:
        """Splits what calls for it most."""
        raise NotImplementedError

    def score(self) -> float:
        """The sharing score: 1 where all is shared, 0 where each task has its own."""
        raise NotImplementedError

    def values(self) -> dict[str, np.ndarray]:
        return {"Sharing": np.array([self.sharing])}

    def summary(self, gram: np.ndarray, layers: list[Any], **others: Any) -> dict[str, Any]:
        """JSON values: what every report has, the `others` of a subclass, and cosines of mean inner
        products `(layers, num_tasks, num_tasks)`."""
        cosine = np.round(cosines(tf.constant(gram)), 4).tolist()
        report = {"updates": self.updates, "sharing": self.sharing, **others}
        return report | {"events": self.events, "layers": layers, "cosines": cosine}

    def state(self) -> dict[str, Any]:
        """All there is, besides the variables."""
        return {
            "updates": self.updates,
            "updates_of_block": self.updates_of_block,
            "events": self.events,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes back to `state`; the networks', maps included, comes first."""
        self.updates = state["updates"]
        self.updates_of_block = state["updates_of_block"]
        self.events = state["events"]
        self.sharing = self.score()
