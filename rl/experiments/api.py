"""What `import rl` offers: the front door's work, for Python code. See docs/api.md."""

import os
from typing import Any, Callable, Optional, Union

import gymnasium as gym

from rl import envs
from rl.config import UserError, closest
from rl.envs import PythonEnv
from rl.experiments import deferred, run
from rl.experiments.commands.training_flags import refuse_unknown
from rl.experiments.environments import env_options
from rl.experiments.rundir import RunDir, flags_of
from rl.flags import presets
from rl.flags.conditions import refuse_idle
from rl.flags.torsos import refuse_adapted
from rl.flags.training import BACKENDS

# An env, or a function that makes one, such as its class.
EnvSource = Union[gym.Env, Callable[[], gym.Env]]
AnyEnv = Union[str, EnvSource]  # a text is an id
AnyPath = Union[str, os.PathLike[str]]
# What `make_env` takes for every env, though some have no use for it.
ENV_OPTIONS = (
    "backend",
    "env_kwargs",
    "goals",
    "max_ep_len",
    "num_workers",
    "render_mode",
    "reward",
    "save_memory",
    "seed",
    "split",
    "visit",
)


def train(algo: str = "ddpg", env: AnyEnv = "HalfCheetah", **flags: Any) -> RunDir:
    """Trains a run in this process, and shows its rows.

    Args:
      algo: one of rl.ALGOS.
      env: an id; or a function without arguments that makes a Gymnasium env; or an env, which is
        then the only one to train in: without tests, `num_test_episodes=0`.
      flags: the front door's, such as `seed=1, hidden_sizes=(64, 64)` or `preset="simba"`.

    Returns:
      The run. Its status is "finished"; or "unfinished" where Ctrl-C or another signal stopped it,
      see `resume`.

    Raises:
      UserError: a flag's value is refused, there is a run already, or another process works on it.
    """
    made = None if isinstance(env, str) else PythonEnv(env)
    flags = {name: _plain(value) for name, value in flags.items()}
    preset = flags.pop("preset", presets.NONE)
    if not isinstance(algo, str):
        raise UserError(f"algo must be a text, got {algo!r}")
    presets.check_algo(preset, algo)
    values = {**presets.preset_flags(preset), **flags, "algo": algo}
    values["env"] = env if made is None else made.name
    known = flags_of(values)
    for name in flags:
        if name not in known:
            refuse_unknown(known, name)
    refuse_idle(set(flags), known)
    refuse_adapted(known["network"])
    return run.train(values, made)


def resume(
    directory: AnyPath, env: Optional[EnvSource] = None, trust: bool = False, **changes: Any
) -> RunDir:
    """Goes on with a run, as if it had never stopped.

    Args:
      directory: of the run, or of an experiment with one run.
      env: what the run was trained in, if that was no id.
      trust: whether to import the module of its env, and to give its env arguments.
      changes: new values of `epochs`, `early_stop`, `track`, learning rates or their schedule.

    Returns:
      The run, as `train` does.

    Raises:
      UserError: there is nothing to do, nothing to go on from, a flag that can't change, or another
        process works on it.
    """
    made = None if env is None else PythonEnv(env)
    return run.resume(RunDir.find(directory), changes, trust, made)


def load(
    directory: AnyPath,
    checkpoint: Union[str, int] = "last",
    trust: bool = False,
    env: Optional[AnyEnv] = None,
) -> Any:
    """The policy of a run, an Agent: `load(directory).act(obs)`.

    Args:
      directory: of the run, or of an experiment with one run. checkpoint: "last", "best", or an env
        step.
      trust: whether to import the module of its env, and to give its env arguments.
      env: of the same spaces as the run's own, which is then not made; needed where that was no id.

    Raises:
      UserError: there is no run, no sound checkpoint, or `env` has other spaces.
    """
    found = RunDir.find(directory)
    config = found.load_config(trust or env is not None)
    if env is None:
        vector = envs.make(config["env"], **env_options(config))
    else:
        vector = make_env(env)
    vector.close()
    agents = deferred.load("rl.experiments.agent")
    return agents.load_agent(found, str(checkpoint), vector.spec, config)


def make_env(env: AnyEnv, num_envs: int = 1, **options: Any) -> Any:
    """A vector of `num_envs` envs, or of as many of each task of a set: see `rl.envs.VectorEnv`.

    Args:
      env: as in `train`. options: such as `backend="async", max_ep_len=100`; see `rl.envs.make`.

    Raises:
      UserError: there is no such env, it has a space that is not supported, or there is no such
        option or backend.
    """
    if num_envs < 1:
        raise UserError(f"num_envs must be at least 1, got {num_envs}")
    backend = options.get("backend", "sync")
    if backend not in BACKENDS:
        raise UserError(f"backend must be one of {', '.join(BACKENDS)}, got {backend!r}")
    of_family = isinstance(env, str) and any(family.knows(env) for family in envs.FAMILIES)
    unknown = [] if of_family else sorted(set(options) - set(ENV_OPTIONS))
    if unknown:
        near = closest(unknown[0], ENV_OPTIONS)
        raise UserError(f"make_env has no option {unknown[0]}; the closest are {near}")
    if isinstance(env, str):
        return envs.make(env, num_envs, **options)
    return PythonEnv(env).make(num_envs, **options)


def _plain(value: Any) -> Any:
    """A flag's value; of a path its text."""
    return os.fspath(value) if isinstance(value, os.PathLike) else value
