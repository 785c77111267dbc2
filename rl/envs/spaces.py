"""From the spaces of a Gymnasium env to its spec."""

import gymnasium as gym
import numpy as np

from rl.config import UserError
from rl.spec import EnvSpec


def spec_of(env_id: str, env: gym.Env) -> EnvSpec:
    """The spec of a Gymnasium env.

    Raises:
      UserError: the observation is no Box, or the action no Discrete and no Box with finite bounds.
    """
    obs_space = env.observation_space
    act_space = env.action_space
    registered = env.spec
    if not isinstance(obs_space, gym.spaces.Box):
        raise UserError(f"{env_id}: observation space {obs_space} is not supported, only Box is")
    if len(obs_space.shape) > 2:
        raise UserError(
            f"{env_id}: observations of shape {obs_space.shape} are images, which need networks "
            "that there are none of yet"
        )
    if not isinstance(act_space, (gym.spaces.Box, gym.spaces.Discrete)):
        raise UserError(
            f"{env_id}: action space {act_space} is not supported, only Box and Discrete are"
        )
    if isinstance(act_space, gym.spaces.Discrete):
        low = np.array([act_space.start], np.float32)
        actions = {"act_low": low, "act_high": low + np.float32(act_space.n - 1)}
        actions |= {"act_shape": (), "num_actions": int(act_space.n)}
    elif act_space.is_bounded():
        actions = {
            key: getattr(act_space, key[4:]).astype(np.float32).reshape(-1)
            for key in ("act_low", "act_high")
        }
        actions |= {"act_shape": act_space.shape}
    else:
        raise UserError(
            f"{env_id}: action space {act_space} is unbounded; actions need finite bounds"
        )
    return EnvSpec(
        env_id=env_id,
        obs_dim=int(np.prod(obs_space.shape)),
        act_dim=len(actions["act_low"]),
        reward_threshold=registered and registered.reward_threshold,
        **actions,
    )
