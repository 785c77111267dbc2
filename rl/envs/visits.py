"""Which task an env visits, episode by episode, where it doesn't stay with one."""

import dataclasses
import functools

import numpy as np

from rl.config import UserError


@dataclasses.dataclass(frozen=True)
class Visits:
    """The tasks of `num_envs` envs that go from task to task: a function of seed, env and episode,
    without state.

    "cycle" takes the tasks in turn, "shuffle" each once in an order that is drawn anew for every
    round, "random" any at any time, "random_other" any but the one before. In the first two the
    envs are spread evenly over a round: while they keep pace, no task has had more than one visit
    more than another, in all envs together.

    Args:
      order: one of rl.flags.training.ORDERS but "all", which needs no visits.
      num_tasks, num_envs: how many.

    Raises:
      UserError: "random_other" with a single task.
    """

    order: str
    num_tasks: int
    num_envs: int

    def __post_init__(self) -> None:
        if self.order == "random_other" and self.num_tasks < 2:
            raise UserError("--visit random_other is for two tasks or more")

    def task(self, seed: int, env: int, number: int) -> int:
        """The task of episode `number` of env `env`, both from 0. `seed` is that of all envs."""
        if self.order == "random":
            return int(np.random.default_rng([seed, env, number]).integers(self.num_tasks))
        if self.order == "random_other":
            # Powers of two, so that a longer walk is seldom drawn.
            count = 1 << number.bit_length()
            return int(walk(seed, env, self.num_tasks, count)[number])
        place = (number + env * self.num_tasks // self.num_envs) % self.num_tasks
        if self.order == "cycle":
            return place
        return int(
            np.random.default_rng([seed, number // self.num_tasks]).permutation(self.num_tasks)[
                place
            ]
        )


@functools.lru_cache(maxsize=1024)
def walk(seed: int, env: int, num_tasks: int, count: int) -> np.ndarray:
    """The first `count` tasks of an env that goes on to any other one, `(count,)`.

    A longer walk begins with every shorter one: draws follow each other in one stream.
    """
    rng = np.random.default_rng([seed, env])
    first = rng.integers(num_tasks)
    moves = rng.integers(1, num_tasks, count)
    moves[0] = first
    return (np.cumsum(moves) % num_tasks).astype(np.int32)
