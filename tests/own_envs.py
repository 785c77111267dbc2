"""Envs as people write them, and as they get them wrong. Importing this module registers them."""

import os

import gymnasium as gym
import numpy as np

LIMIT = 20
UNIT = gym.spaces.Box(-1, 1, (1,), np.float32)


class Plain(gym.Env):
    """Observes the number of steps as a float32 array `(2,)`; its constructor takes nothing."""

    observation_space: gym.Space = gym.spaces.Box(0, np.inf, (2,), np.float32)
    action_space: gym.Space = UNIT

    def __init__(self):
        self.steps = 0

    def obs(self):
        return np.full(2, self.steps, np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self.obs(), {}

    def step(self, action):
        self.steps += 1
        return self.obs(), self.reward(action), self.steps == 5, False, {}

    def reward(self, action):
        return 1.0


FLAGS = {
    "bool": bool,
    "int": int,
    "numpy": np.bool_,
    "zero_d": np.array,
    "zero_d_int": lambda flag: np.array(int(flag)),
    "one_d": lambda flag: np.array([flag]),
}


class Flags(Plain):
    """Says in some way that step 5 terminates, or truncates where `end` is "truncated"."""

    def __init__(self, kind="bool", end="terminated"):
        super().__init__()
        self.flag = FLAGS[kind]
        self.end = end

    def step(self, action):
        obs, reward, over, _, info = super().step(action)
        terminated = self.flag(over and self.end == "terminated")
        truncated = self.flag(over and self.end == "truncated")
        return obs, reward, terminated, truncated, info


class Forms(Plain):
    """Observations as a list, a read-only array, an array that it writes the next one into, or
    whole numbers."""

    def __init__(self, form="list"):
        super().__init__()
        self.form = form
        self.array = np.zeros(2, np.float32)

    def obs(self):
        if self.form == "list":
            return [self.steps, float(self.steps)]
        if self.form == "whole":
            return np.full(2, self.steps)
        if self.form == "read_only":
            array = super().obs()
            array.flags.writeable = False
            return array
        self.array[:] = self.steps
        return self.array


class Odd(Plain):
    """Much at once: lists, ends that are whole numbers in 0-d arrays, and success that the last
    step alone tells of."""

    def obs(self):
        return [self.steps, float(self.steps)]

    def step(self, action):
        obs, reward, over, _, _ = super().step(action)
        info = {"is_success": True} if over else {}
        return obs, reward, np.array(int(over)), np.array(0), info


class Camera(Plain):
    """Observes pictures `(4, 5, 3)` of which every number is that of steps."""

    observation_space = gym.spaces.Box(0, 255, (4, 5, 3), np.uint8)

    def obs(self):
        return np.full((4, 5, 3), self.steps, np.uint8)


class Pays(Plain):
    """The reward is the action, as a number of its digits; refuses actions out of its space."""

    def reward(self, action):
        assert self.action_space.contains(action), f"{action!r} is not in {self.action_space}"
        return float(np.dot(np.ravel(action), 10 ** np.arange(np.size(action))[::-1]))


class Multi(Pays):
    action_space = gym.spaces.MultiDiscrete([2, 3, 4], start=[0, 1, 2])


class MultiGrid(Pays):
    action_space = gym.spaces.MultiDiscrete([[2, 3], [4, 5]])


class Binary(Pays):
    action_space = gym.spaces.MultiBinary(3)


class Whole(Pays):
    """Actions 3 to 6 and -1 to 0."""

    action_space = gym.spaces.Box(np.array([3, -1]), np.array([6, 0]), dtype=np.int32)


class Bytes(Pays):
    action_space = gym.spaces.Box(0, 255, (2,), np.uint8)


class Vast(Pays):
    action_space = gym.spaces.Box(0, 2**31 - 1, (2,), np.int32)


class Room(Multi):
    """Observes the number of a room, 3 to 7, which is that of steps and 2."""

    observation_space = gym.spaces.Discrete(5, start=3)

    def obs(self):
        return min(self.steps + 3, 7)


class Huge(Plain):
    """Bounds that are none in float32."""

    observation_space = gym.spaces.Box(-1e300, 1e300, (2,), np.float64)


class Leaves(Plain):
    """Observations of 1 to 5, in a space that ends at 2."""

    observation_space = gym.spaces.Box(0, 2, (2,), np.float64)


class Wrong(Plain):
    """Breaks the contract in the way that `how` names."""

    def __init__(self, how="step"):
        super().__init__()
        self.how = how
        if how == "space":
            self.observation_space = None

    def obs(self):
        shapes = {"shape": (3,), "axes": (2, 1)}
        if self.how == "final shape" and self.steps == 5:
            return np.zeros(3, np.float32)
        if self.how == "nothing" and self.steps == 2:
            return None
        return np.full(shapes.get(self.how, (2,)), self.steps, np.float32)

    def reset(self, *, seed=None, options=None):
        first, info = super().reset(seed=seed)
        return first if self.how == "reset result" else (first, info)

    def step(self, action):
        result = super().step(action)
        if self.how == "step" and self.steps == 3:
            raise KeyError("a mistake\nof two lines")
        return (*result[:2], result[2], result[4]) if self.how == "old step" else result

    def reward(self, action):
        return None if self.how == "reward" else 1.0


class Seedless(Plain):
    """As before seeds."""

    def reset(self):  # pylint: disable=arguments-differ
        self.steps = 0
        return self.obs(), {}


class Needy(Plain):
    def __init__(self, size):
        super().__init__()
        self.size = size


class Fragile(Plain):
    """Breaks at its 450th step while there is a file `path`."""

    def __init__(self, path):
        super().__init__()
        self.path = path
        self.lived = 0

    def reward(self, action):
        self.lived += 1
        if self.lived >= 450 and os.path.exists(self.path):
            raise ValueError("it broke")
        return 1.0


OWN = (
    Plain,
    Flags,
    Forms,
    Odd,
    Camera,
    Multi,
    MultiGrid,
    Binary,
    Whole,
    Bytes,
    Vast,
    Room,
    Leaves,
    Huge,
)
for cls in (*OWN, Wrong, Seedless, Needy, Fragile):
    if f"{cls.__name__}-v0" not in gym.registry:
        gym.register(f"{cls.__name__}-v0", entry_point=cls, max_episode_steps=LIMIT)
