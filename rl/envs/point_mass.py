"""Point masses in the plane: several tasks, some at odds with others, at next to no cost.

A test bed for what tasks do to each other in one network. Every task sees the same observations;
what they disagree on is where to go. NumPy arrays hold all envs, so a step of one costs as much as
of fifty.
"""

from typing import Any, Optional

import numpy as np

from rl.config import UserError, closest
from rl.envs.visits import Visits
from rl.spec import EnvSpec, Field, Step

SPEED = 0.2
HORIZON = 20
NEAR = 0.1
# id -> task -> by how many degrees its target is the marker turned about the origin
GROUPS = {"east": 0.0, "east-north": 20.0, "west": 180.0, "west-south": 200.0}
LAYOUTS: dict[str, dict[str, float]] = {
    "PointMass-MT4": GROUPS,
    "PointMass-Uneven4": GROUPS,
    "PointMass-Identical4": {"first": 0.0, "second": 0.0, "third": 0.0, "fourth": 0.0},
    "PointMass-Pairs4": {"east": 0.0, "east-too": 0.0, "west": 180.0, "west-too": 180.0},
    "PointMass-Opposed2": {"there": 0.0, "back": 180.0},
    "PointMass-ML4": GROUPS,
    "PointMass-North1": {"north": 90.0},
}
TESTS = {
    "PointMass-ML4": {"between-east": 10.0, "between-west": 190.0}
}  # of split "test", where they differ
# id -> what multiplies each task's rewards, 1 where there is none
SCALES = {"PointMass-Uneven4": (30.0, 30.0, 1.0, 1.0)}


def knows(env_id: str) -> bool:
    """Whether an id, right or wrong, is meant for this family."""
    return env_id.startswith("PointMass")


def resolve(env_id: str) -> str:
    """The id itself. Raises a UserError if there is none such."""
    if env_id not in LAYOUTS:
        raise UserError(f"unknown env {env_id!r}; the closest known are {closest(env_id, LAYOUTS)}")
    return env_id


def tasks_of(env_id: str, split: str) -> dict[str, float]:
    """The tasks of an id in split "train" or "test"."""
    return (TESTS if split == "test" else LAYOUTS).get(env_id, LAYOUTS[env_id])


def make(
    env_id: str,
    num_envs: int = 1,
    max_ep_len: int = 0,
    visit: str = "all",
    split: str = "train",
    **options: Any,
) -> "PointMass":
    """A PointMass; options for other families are not heeded."""
    del options
    return PointMass(env_id, num_envs, max_ep_len, visit, split)


class PointMass:
    """`num_envs` envs of every task of a layout, with VectorEnv's interface; envs of a task are
    side by side.

    With `visit` other than "all", an order of Visits, `num_envs` envs in all, which go from task to
    task. With `split` "test" the tasks are those that a layout holds out, if it does.

    A step moves the point by SPEED times the action, inside [-1, 1]^2. The reward is minus the
    distance to the target, times the task's of SCALES; success is a distance under NEAR. An episode
    ends by truncation after `max_ep_len` steps.

    Observation: point, marker `(4,)`. Action: `(2,)` in [-1, 1].
    """

    keeps_state = True
    fps = 30

    task: Optional[np.ndarray] = None

    def __init__(
        self,
        env_id: str,
        num_envs: int = 1,
        max_ep_len: int = 0,
        visit: str = "all",
        split: str = "train",
    ) -> None:
        tasks = tasks_of(env_id, split)
        bounds = np.ones(2, np.float32)
        self.spec = EnvSpec(
            env_id, Field((4,)), Field((2,)), (2,), -bounds, bounds, tasks=tuple(tasks)
        )
        self.num_envs = num_envs * len(tasks)
        self.max_ep_len = max_ep_len or HORIZON
        angle = np.repeat(np.deg2rad(list(tasks.values())), num_envs)
        self.turn = np.stack(
            [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        ).transpose(2, 0, 1)
        self.scale = np.repeat(SCALES.get(env_id, np.ones(len(tasks))), num_envs)
        if visit != "all":
            self.visits = Visits(visit, len(tasks), num_envs)
            self.turns = self.turn[::num_envs]
            self.scales = self.scale[::num_envs]
            self.num_envs = num_envs
            self.task = np.zeros(num_envs, int)
        self.rngs = [np.random.default_rng(i) for i in range(self.num_envs)]
        self.point, self.marker = np.zeros((2, self.num_envs, 2))
        self.steps = 0
        self.seed = 0
        self.number = 0

    def reset(self, seed: Optional[int] = None) -> np.ndarray:
        """Starts an episode in every env. Returns obs `(num_envs, 4)`."""
        if seed is not None:
            self.rngs = [np.random.default_rng([seed, i]) for i in range(self.num_envs)]
        self._go(*((self.seed, self.number + 1) if seed is None else (seed, 0)))
        drawn = np.stack([rng.uniform(-1, 1, 4) for rng in self.rngs])
        self.point = 0.5 * drawn[:, :2]
        self.steps = 0
        self.marker = (
            0.8
            * drawn[:, 2:]
            / np.maximum(1e-9, np.linalg.norm(drawn[:, 2:], axis=1, keepdims=True))
        )
        return self._obs()

    def _go(self, seed: int, number: int) -> None:
        """To the tasks of episode `number`, where envs go from task to task."""
        self.seed = seed
        self.number = number
        if self.task is not None:
            self.task = np.array([self.visits.task(seed, i, number) for i in range(self.num_envs)])
            self.turn = self.turns[self.task]
            self.scale = self.scales[self.task]

    def step(self, act: np.ndarray) -> Step:
        """Steps every env with `act` `(num_envs, 2)`."""
        self.point = np.clip(self.point + SPEED * np.clip(act, -1, 1), -1, 1)
        self.steps += 1
        target = np.einsum("nij,nj->ni", self.turn, self.marker)
        distance = np.linalg.norm(self.point - target, axis=1)
        obs2 = self._obs()
        rew = -self.scale * distance
        over = self.steps == self.max_ep_len
        none = np.zeros(self.num_envs, bool)
        task = self.task
        return Step(
            obs2, rew, none, none | over, self.reset() if over else obs2, distance < NEAR, task
        )

    def _obs(self) -> np.ndarray:
        return np.concatenate([self.point, self.marker], axis=1).astype(np.float32)

    def state(self) -> dict[str, Any]:
        """All that later steps depend on."""
        rngs = [rng.bit_generator.state for rng in self.rngs]
        visit = {"seed": self.seed, "number": self.number}
        return {
            "point": self.point,
            "marker": self.marker,
            "steps": self.steps,
            "rngs": rngs,
            **visit,
        }

    def load_state(self, state: dict[str, Any], obs: np.ndarray) -> None:
        """Goes back to `state`, in which the envs show `obs`."""
        self.point = state["point"]
        self.marker = state["marker"]
        self.steps = state["steps"]
        self._go(state["seed"], state["number"])
        for rng, saved in zip(self.rngs, state["rngs"]):
            rng.bit_generator.state = saved
        if not np.array_equal(self._obs(), obs):
            raise UserError("the checkpoint's envs and observations do not belong together")

    def rebuild(self, seed: int) -> np.ndarray:
        """Starts over: a state that depends on `seed` alone."""
        return self.reset(seed)

    def render(self) -> np.ndarray:
        """A picture of env 0, `(96, 96, 3)` uint8: the target green, the point red."""
        picture = np.full((96, 96, 3), 255, np.uint8)
        for place, colour in (
            (self.turn[0] @ self.marker[0], (0, 160, 0)),
            (self.point[0], (200, 0, 0)),
        ):
            column, row = np.round((place * (1, -1) + 1) * 44).astype(int) + 2
            picture[row : row + 5, column : column + 5] = colour
        return picture

    def close(self) -> None:
        """Nothing to end."""
