"""Names of envs: an id without a version is its newest registered version."""

import importlib
import traceback

import gymnasium as gym
from gymnasium.envs.registration import find_highest_version, parse_env_id

from rl.config import UserError, closest
from rl.envs.contract import EnvError, described


def registered_name(env_id: str) -> str:
    """`module:Name-v0` -> `Name-v0`, with `module` imported, which registers it."""
    module, _, name = env_id.rpartition(":")
    if module:
        importlib.import_module(module)
    return name


def resolve(env_id: str) -> str:
    """The full id of a registered env: "HalfCheetah" -> "HalfCheetah-v5".

    `module:Name-v0` imports `module` first, as in Gymnasium, so that one's own envs work too.

    Raises:
      UserError: nothing of that name is registered; the message has the closest names.
    """
    module, colon, _ = env_id.rpartition(":")
    try:
        name = registered_name(env_id)
    except Exception as error:  # whatever the module raises
        raise EnvError(
            f"--env {env_id}: cannot import {module}: {described(error)}", traceback.format_exc()
        ) from error
    try:
        namespace, short, version = parse_env_id(name)
    except gym.error.Error:
        namespace = None
        short = name
        version = None
    if version is None and (newest := find_highest_version(namespace, short)) is not None:
        name = f"{name}-v{newest}"
    if name not in gym.registry:
        raise UserError(
            f"unknown env {env_id!r}; the closest known are {closest(name, gym.registry)}"
        )
    return module + colon + name
