"""Which task an env visits, episode by episode, where it doesn't stay with one."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Visits:
    """The tasks of `num_envs` envs that go from task to task: a function of seed, env and episode,
    without state.

    "cycle" takes the tasks in turn, "shuffle" each once in an order that is drawn anew for every
    round, "random" any at any time. In the first two the envs are spread evenly over a round: while
    they keep pace, no task has had more than one visit more than another, in all envs together.

    Args:
      order: one of rl.flags.training.ORDERS but "all", which needs no visits.
      num_tasks, num_envs: how many.
    """

    order: str
    num_tasks: int
    num_envs: int

    def task(self, seed: int, env: int, number: int) -> int:
        """The task of episode `number` of env `env`, both from 0. `seed` is that of all envs."""
        if self.order == "random":
            return int(np.random.default_rng([seed, env, number]).integers(self.num_tasks))
        place = (number + env * self.num_tasks // self.num_envs) % self.num_tasks
        if self.order == "cycle":
            return place
        return int(
            np.random.default_rng([seed, number // self.num_tasks]).permutation(self.num_tasks)[
                place
            ]
        )
