"""An env that Python code hands over: a function that makes it, or the env itself.

It has no id by which another process could make it, so a name stands for it in a run's config.
"""

from multiprocessing.reduction import ForkingPickler
from typing import Any, Callable, Optional, Union

import gymnasium as gym

from rl.config import UserError
from rl.envs.closing import close_in_time
from rl.envs.replayable import Replayable
from rl.envs.spaces import spec_of, with_flat_numbers
from rl.envs.vector import Vector

PREFIX = "python "  # no id of Gymnasium has a space
DEFAULT_LIMIT = 1000  # steps of an episode, where an env has no limit of its own


def knows(env_id: str) -> bool:
    """Whether an id is the name of such an env."""
    return env_id.startswith(PREFIX)


def resolve(env_id: str) -> str:
    """Raises a UserError: only the code that handed it over can make it."""
    name = env_id.removeprefix(PREFIX)
    raise UserError(
        f"the env {name} was handed over by Python code, which alone can make it: hand it to "
        "rl.load or rl.resume, such as rl.load(directory, env=make_env)"
    )


def tasks_of(env_id: str, split: str) -> tuple[str, ...]:
    """None: it is a single task."""
    del env_id, split
    return ()


class PythonEnv:
    """Makes vectors of an env that was handed over.

    Args:
      env: a function without arguments that makes a Gymnasium env, such as the class of one; or an
        env, which is used as it is, and closed by nobody.

    Attributes:
      name: by which the config of a run names it.

    Raises:
      UserError: it is neither, or the function makes something else.
    """

    def __init__(self, env: Union[gym.Env, Callable[[], gym.Env]]) -> None:
        self.is_single = isinstance(env, gym.Env)
        if self.is_single:
            self.factory: Any = _Lender(env)
        elif callable(env):
            self.factory = env
        else:
            raise UserError(
                f"env must be a Gymnasium env, or a function that makes one, got {env!r}"
            )
        probe = self.factory()
        if not isinstance(probe, gym.Env):
            raise UserError(f"env must make a Gymnasium env, and it made {probe!r}")
        self.name = PREFIX + type(probe.unwrapped).__name__
        self.limit = _limit(probe)
        self.fps = (probe.metadata or {}).get("render_fps", 30)
        self.spec = spec_of(self.name, with_flat_numbers(probe))
        close_in_time(probe.close)

    def make(
        self,
        num_envs: int = 1,
        visit: str = "all",
        backend: str = "sync",
        max_ep_len: int = 0,
        num_workers: int = 0,
        **options: Any,
    ) -> Vector:
        """`num_envs` of it side by side; see `VectorEnv`. Other options are for other envs.

        Raises:
          UserError: there is one env and more are asked for, here or in workers; the function can't
            be handed to workers; an option is for envs that have an id; the env's own time limit is
            shorter than `max_ep_len`.
        """
        if visit != "all":
            raise UserError(f"--visit {visit} is for several tasks; {self.name} is one")
        if options.get("env_kwargs"):
            raise UserError("--env_kwargs is for envs that have an id; env makes its own")
        if backend == "envpool":
            raise UserError("--env_backend envpool is for envs that have an id; async is for all")
        if self.is_single and (num_envs > 1 or backend != "sync"):
            raise UserError(
                "a single env is stepped here and alone; for --num_envs above 1 or --env_backend "
                "async hand over a function that makes envs"
            )
        if self.limit and max_ep_len > self.limit:
            raise UserError(
                f"--max_ep_len {max_ep_len} is more than the {self.limit} steps that the env was "
                "made with; hand over one with a longer limit"
            )
        if backend == "async":
            _check_pickles(self.factory)
        limit = max_ep_len or self.limit or DEFAULT_LIMIT
        make = _Maker(self.factory, limit)
        return Vector(self.spec, make, num_envs, backend, self.fps, limit, num_workers)


class _Lender:
    """Gives the same env whenever one is to be made."""

    def __init__(self, env: gym.Env) -> None:
        self.env = env

    def __call__(self) -> gym.Env:
        return _Lent(self.env)


class _Lent(gym.Wrapper):
    """An env that its owner goes on using: it is not closed."""

    def close(self) -> None:
        pass


class _Maker:
    """Makes env `index` of a vector, with its time limit; picklable if `factory` is."""

    def __init__(self, factory: Callable[[], gym.Env], limit: int) -> None:
        self.factory = factory
        self.limit = limit

    def __call__(self, index: int) -> gym.Env:
        env = self.factory()
        if _limit(env) != self.limit:
            env = gym.wrappers.TimeLimit(env, self.limit)
        return Replayable(with_flat_numbers(env), index)


def _limit(env: gym.Env) -> Optional[int]:
    """The time limit that an env has, in steps."""
    return env.spec.max_episode_steps if env.spec else None


def _check_pickles(factory: Callable[[], gym.Env]) -> None:
    """Raises a UserError if a function can't be handed to worker processes."""
    try:
        ForkingPickler.dumps(factory)
    except Exception as error:  # pickle, and whatever the objects in it raise
        raise UserError(
            "--env_backend async needs an env function that can be pickled, such as one of a "
            f"module ({' '.join(str(error).split())[:200]})"
        ) from None
