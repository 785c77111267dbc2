"""Small envs with known answers. Importing this module registers them."""

import random
import time

import gymnasium as gym
import numpy as np

LONG = 10**9  # steps, or seconds


class Toy(gym.Env):
    """Observation and action of given spaces; `_step(act)` returns reward and terminated."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 30}
    observation_space: gym.Space = gym.spaces.Box(-1, 1, (1,), np.float32)
    action_space: gym.Space = gym.spaces.Box(-1, 1, (1,), np.float32)

    def __init__(self, render_mode=None):
        self.render_mode = render_mode
        self.steps = 0

    def obs(self):
        return self.np_random.uniform(-1, 1, self.observation_space.shape).astype(np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self.obs(), {}

    def step(self, action):
        self.steps += 1
        reward, terminated = self._step(action)
        return self.obs(), reward, terminated, False, {}

    def _step(self, action):
        return 1.0, False

    def render(self):
        return np.full((32, 48, 3), self.steps % 255, np.uint8)


class Matrix(Toy):
    """Action Box((2, 3)) with different, asymmetric bounds; reward counts the elements inside
    them."""

    observation_space = gym.spaces.Box(-np.inf, np.inf, (2, 2), np.float64)
    action_space = gym.spaces.Box(
        np.array([[-1, -2, 0], [-3, 1, -1]], np.float32),
        np.array([[1, 4, 1], [3, 2, 0]], np.float32),
    )

    def _step(self, action):
        assert action.shape == (2, 3) and self.action_space.contains(action)
        return float(action.sum()), False


class Ones(Toy):
    """Reward 1 for ever: the value is 1 / (1 - gamma) if time limits bootstrap."""


class OnesUntilDeath(Toy):
    """Reward 1 and termination at step 5: the value of the last step is 1."""

    def _step(self, action):
        return 1.0, self.steps == 5


class Count(Toy):
    """Observes the number of steps; reward is that number; terminates at 3."""

    observation_space = gym.spaces.Box(0, np.inf, (1,), np.float32)

    def obs(self):
        return np.array([self.steps], np.float32)

    def _step(self, action):
        return float(self.steps), self.steps == 3


class Target(Toy):
    """Reward is minus the squared distance of the action to the observation: solvable in hundreds
    of steps."""

    def reset(self, *, seed=None, options=None):
        self.last, info = super().reset(seed=seed)
        return self.last, info

    def step(self, action):
        reward = -float(np.square(action - self.last).sum())
        self.last, _, terminated, truncated, info = super().step(action)
        return self.last, reward, terminated, truncated, info


class NanReward(Toy):
    """Reward becomes nan at step 30."""

    def _step(self, action):
        return (float("nan") if self.steps == 30 else 0.0), False


class Sick(Toy):
    """Falls ill for one step: `part`, "reward", "observation" or "reset", is `value` at age `age`.

    The age counts the steps of all its episodes; healthy where `part` is empty, as at first.
    """

    part, age, value = "", 0, float("nan")

    def __init__(self, render_mode=None):
        super().__init__(render_mode)
        self.lived = 0

    def ill(self, part):
        return part == self.part and self.lived == self.age

    def reset(self, *, seed=None, options=None):
        obs, info = super().reset(seed=seed)
        return (obs * self.value if self.ill("reset") else obs), info

    def step(self, action):
        self.lived += 1
        obs, reward, *rest = super().step(action)
        obs = obs * self.value if self.ill("observation") else obs
        return obs, (self.value if self.ill("reward") else reward), *rest


class Endless(Toy):
    """Never done with its 30th step."""

    def _step(self, action):
        if self.steps == 30:
            time.sleep(LONG)
        return 0.0, False


class Stuck(Toy):
    """A mistake at step 3 of an episode, and never done with closing."""

    def _step(self, action):
        assert self.steps < 3, "a mistake in an env"
        return 0.0, False

    def close(self):
        time.sleep(LONG)


class Unrepeatable(Toy):
    """Observations from a generator that no seed reaches."""

    def obs(self):
        return np.array([random.SystemRandom().uniform(-1, 1)], np.float32)


class HiddenGoal(Toy):
    """Observes nothing; rewards are from a generator that no seed reaches."""

    def obs(self):
        return np.zeros(1, np.float32)

    def _step(self, action):
        return random.SystemRandom().uniform(-1, 1), False


class Worn(Toy):
    """Pays less with each episode that it has played, as envs do whose reset leaves something."""

    def __init__(self, render_mode=None):
        super().__init__(render_mode)
        self.episodes = 0

    def reset(self, *, seed=None, options=None):
        self.episodes += 1
        return super().reset(seed=seed)

    def _step(self, action):
        return 1 / self.episodes, False


class TellsTwo(Toy):
    """Tells of two successes."""

    def step(self, action):
        return *super().step(action)[:4], {"success": np.ones(2)}


class ArrayReward(Toy):
    """Rewards of shape (1,), but of the second step of an episode."""

    def _step(self, action):
        return (2.0 if self.steps == 2 else np.array([1.0])), False


class TwoRewards(Toy):
    """Rewards of two numbers."""

    def _step(self, action):
        return np.ones(2), False


class DictObs(Toy):
    observation_space = gym.spaces.Dict({"a": gym.spaces.Discrete(2)})


class Unbounded(Toy):
    action_space = gym.spaces.Box(-np.inf, np.inf, (1,), np.float32)


class DictAct(Toy):
    action_space = gym.spaces.Dict({"a": gym.spaces.Discrete(2)})


class Discrete(Toy):
    """Actions 5, 6 and 7; the reward is the action."""

    action_space = gym.spaces.Discrete(3, start=5)

    def _step(self, action):
        assert self.action_space.contains(int(action))
        return float(action), False


class Paid(Toy):
    """The reward is the action, which the env then overwrites."""

    action_space = gym.spaces.Box(2, 6, (1,), np.float32)

    def _step(self, action):
        reward = float(action.sum())
        action[:] = 0
        return reward, False


class Tells(Toy):
    """Half of the episodes are won at step 2, which pays 1; they end at 3. Every step tells."""

    def reset(self, *, seed=None, options=None):
        obs, info = super().reset(seed=seed)
        self.won = self.np_random.random() < 0.5
        return obs, info

    def step(self, action):
        obs, reward, terminated, truncated, _ = super().step(action)
        return obs, reward, terminated, truncated, self.info()

    def _step(self, action):
        return float(self.won and self.steps == 2), self.steps == 3

    def info(self):
        return {"success": float(self.won and self.steps == 2)}


class TellsAtEnd(Tells):
    """As others call it, and only in an episode's last step."""

    def info(self):
        return {"is_success": self.won} if self.steps == 3 else {}


class TellsWins(Tells):
    """Says nothing of the episodes that are lost."""

    def info(self):
        return {"success": True} if self.won and self.steps == 2 else {}


class TellsSome(Tells):
    """Wins every episode; only envs that were first seeded with an even number tell."""

    tells = None

    def reset(self, *, seed=None, options=None):
        result = super().reset(seed=seed)
        self.won = True
        if self.tells is None:
            self.tells = seed % 2 == 0
        return result

    def info(self):
        return super().info() if self.tells else {}


LIMITS = {
    Matrix: 20,
    Ones: 10,
    OnesUntilDeath: 50,
    Count: 50,
    Target: 10,
    NanReward: 50,
    Sick: 10,
    Endless: 50,
    Stuck: 10,
    Unrepeatable: 30,
    HiddenGoal: 30,
    TellsTwo: 10,
    Worn: 50,
    Discrete: 20,
    ArrayReward: 3,
    TwoRewards: 3,
    Paid: 10,
}
TELLERS = (Tells, TellsAtEnd, TellsWins, TellsSome)
for cls in (*LIMITS, *TELLERS, DictObs, DictAct, Unbounded):
    if f"{cls.__name__}-v0" not in gym.registry:
        gym.register(
            f"{cls.__name__}-v0",
            entry_point=cls,
            max_episode_steps=LIMITS.get(cls, LONG),
            reward_threshold=0.5,
        )
