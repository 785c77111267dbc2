"""Envs that go from task to task: each episode is in the next task's simulator."""

import functools
from typing import Any, Callable, Optional

import numpy as np

from rl.envs.vector import Vector
from rl.envs.visits import Visits
from rl.spec import EnvSpec, Step


class Tour:
    """The simulators of every task behind the interface of one Replayable.

    An episode follows from the seed and its number alone, whatever its simulator did before.

    Args:
      index: place in a vector. visits: says which task is next.
      make: picklable function from the number of a simulator, `task * num_envs + index`, to a
        Replayable.
      save_memory: keep no simulator but the one in use.
    """

    def __init__(
        self, index: int, visits: Visits, make: Callable[[int], Any], save_memory: bool
    ) -> None:
        self.index = index
        self.visits = visits
        self.make = make
        self.save_memory = save_memory
        self.seed = 0
        self.number = 0
        self.envs: dict[int, Any] = {}

    def task(self) -> int:
        """The number of the task that it is at."""
        return self.visits.task(self.seed - self.index, self.index, self.number)

    def reset(self, seed: Optional[int] = None) -> Any:
        """Goes to the next task, or with `seed` starts the tour over."""
        self.seed, self.number = (self.seed, self.number + 1) if seed is None else (seed, 0)
        self._enter()
        return self.env.reset(
            seed=int(np.random.SeedSequence([self.seed, self.number]).generate_state(1)[0])
        )

    def _enter(self) -> None:
        place = self.task() * self.visits.num_envs + self.index
        if self.save_memory and place not in self.envs:
            self.close()
        if place not in self.envs:
            self.envs[place] = self.make(place)
        self.env = self.envs[place]

    def step(self, action: Any) -> Any:
        """Of the task it is at."""
        return self.env.step(action)

    def episode_state(self) -> dict[str, Any]:
        """What rebuilds the episode, and with it the rest of the tour."""
        return {"seed": self.seed, "number": self.number, "episode": self.env.episode_state()}

    def replay_episode(self, states: list[dict[str, Any]]) -> tuple[np.ndarray, bool]:
        """Rebuilds the episode in `states[index]`; returns what Replayable's does."""
        state = states[self.index]
        self.seed = state["seed"]
        self.number = state["number"]
        self._enter()
        return self.env.replay_episode({self.env.index: state["episode"]})

    def render(self) -> Any:
        """A picture of the task it is at."""
        return self.env.render()

    def close(self) -> None:
        """Ends all simulators."""
        while self.envs:
            self.envs.popitem()[1].close()


class Tours(Vector):
    """`num_envs` Tours; `task` `(num_envs,)` is where each of them is.

    Args:
      make, save_memory: of Tour. visit: the order of Visits. The others are Vector's.
    """

    def __init__(
        self,
        spec: EnvSpec,
        make: Callable[[int], Any],
        num_envs: int,
        *rest: Any,
        visit: str,
        save_memory: bool = False,
    ) -> None:
        self.task = np.zeros(num_envs, int)
        visits = Visits(visit, len(spec.tasks), num_envs)
        tour = functools.partial(Tour, visits=visits, make=make, save_memory=save_memory)
        super().__init__(spec, tour, num_envs, *rest)

    def reset(self, seed: Optional[int] = None) -> np.ndarray:
        """Starts an episode in every env; with a seed all tours start over. Returns obs `(num_envs,
        obs_dim)`."""
        obs = super().reset(seed)
        self._look()
        return obs

    def step(self, act: np.ndarray) -> Step:
        """Steps every env with `act` `(num_envs, act_dim)`."""
        step = super().step(act)._replace(task=self.task)
        if (step.terminated | step.truncated).any():
            self._look()
        return step

    def load_state(self, state: list[dict[str, Any]], obs: np.ndarray) -> None:
        """Rebuilds the episodes of `state`, which must end with `obs` exactly."""
        super().load_state(state, obs)
        self._look()

    def _look(self) -> None:
        self.task = np.array(self.env.call("task"))
