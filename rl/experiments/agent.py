"""A run's policy, from a checkpoint."""

import sys
from typing import Any, Mapping, Optional

import numpy as np

from rl.buffers.normaliser import Config as NormaliserConfig
from rl.buffers.normaliser import Normaliser
from rl.config import UserError, build, closest
from rl.experiments.build import make_algo
from rl.experiments.rundir import RunDir, changed_flags
from rl.files import Damaged, check_tree, load_tree
from rl.spec import EnvSpec, Memory
from rl.training.checkpoint import Checkpoints
from rl.training.policy import EnvPolicy, Placement
from rl.training.run import VARYING, check_flags


class Agent:
    """A trained policy: from raw observations of envs to their own actions.

    Args:
      algo, normaliser: of the run. spec: of envs that it acts in. step: of the checkpoint.
      seed: of the exploration noise.

    Attributes:
      algo, normaliser, spec, step: the same.
    """

    def __init__(
        self, algo: Any, normaliser: Normaliser, spec: EnvSpec, step: int, seed: int = 0
    ) -> None:
        self.algo = algo
        self.normaliser = normaliser
        self.spec = spec
        self.step = step
        self._rng = np.random.default_rng(seed)
        self._start = np.ones(0, bool)  # of each env, whether its next step is an episode's first
        self._placed_by_name = False
        self._memory: Memory = ()

    def act(self, obs: Any, task: Optional[str] = None, noise: bool = False) -> np.ndarray:
        """Actions for raw observations.

        Args:
          obs: of one env, as the env gives it or flat; or of several, with an axis in front. For a
            run of several tasks, where no `task` is named: of as many envs of each task, those of a
            task side by side, as `rl.make_env` has them.
          task: in which all these envs are.
          noise: explore, as in training.

        Returns:
          The env's own actions: of `spec.act_shape` for one env, else with the axis in front.

        Raises:
          UserError: `obs` has another size, or there is no such task.
        """
        rows, is_single = self._rows(obs)
        placed = Placement(self.spec, self._place(len(rows), task))
        policy = EnvPolicy(self.algo.policy, placed, self.normaliser)
        if len(self._start) != len(rows) or self._placed_by_name != (task is not None):
            self._start = np.ones(len(rows), bool)
            self._memory = policy.initial_memory(len(rows))
            self._placed_by_name = task is not None  # memory is then of all tasks for each env
        rng = self._rng if noise else None
        units, self._memory = policy.act(rows, self._memory, self._start, rng)
        act = self.spec.env_action(units)
        self._start = np.zeros(len(rows), bool)
        act = act.reshape(len(rows), *self.spec.act_shape)
        act = act.astype(self.spec.act_dtype, copy=False)
        return act[0] if is_single else act

    def reset(self, ended: Optional[np.ndarray] = None) -> None:
        """To be called where episodes begin, for policies and noises with a memory.

        Args:
          ended: bool `(num_envs,)`, which of the envs begin one; None: all.
        """
        if ended is None:
            self._start = np.ones(0, bool)
        else:
            self._start = self._start | ended

    def _rows(self, obs: Any) -> tuple[np.ndarray, bool]:
        """Observations `(num_envs, *obs.shape)`, and whether they came as that of one env."""
        field = self.spec.obs
        array = np.asarray(obs, field.dtype)
        size = field.size
        if array.shape == (self.spec.obs_shape or field.shape):
            return array.reshape(1, *field.shape), True
        is_flat_batch = array.ndim > 1 and array.shape[-1] == size  # (1, size) is a batch of one
        if array.size == size and not is_flat_batch:
            return array.reshape(1, *field.shape), True
        if array.ndim > 1 and len(array) and array[0].size == size:
            return array.reshape(len(array), *field.shape), False
        raise UserError(
            f"an observation of {self.spec.env_id} has {size} numbers, got an array of shape "
            f"{array.shape}"
        )

    def _place(self, num_envs: int, task: Optional[str]) -> Optional[np.ndarray]:
        """The task's number for each env; None where the order of envs tells it."""
        tasks = self.spec.tasks
        if task is not None:
            if task not in tasks:
                known = closest(task, tasks) if tasks else "none, it is a single task"
                raise UserError(f"{self.spec.env_id} has no task {task!r}; there are {known}")
            return np.full(num_envs, tasks.index(task))
        if tasks and num_envs % len(tasks):
            raise UserError(
                f"{self.spec.env_id} has {len(tasks)} tasks, and {num_envs} observations are not "
                "as many of each; or name their task"
            )
        return None


def load_agent(run: RunDir, which: str, spec: EnvSpec, config: Mapping[str, Any]) -> Agent:
    """The policy of a run.

    Args:
      which: checkpoint: "last", "best" or an env step. spec: of an env as the run's. config: the
        run's.

    Raises:
      UserError: there is no sound checkpoint of that name.
    """
    checkpoints = Checkpoints(run.path)
    best = checkpoints.best()
    steps = checkpoints.steps()
    known = {"best": best} if best else {}
    known |= {str(step): checkpoints.path(step) for step in steps}
    algo = make_algo(config, spec)
    normaliser = Normaliser(spec, build(NormaliserConfig, config))
    expected = {"algo": algo.state(), "normaliser": normaliser.state()}
    varying = (*VARYING, "state/normaliser/ret", "state/normaliser/largest")  # of training's envs
    names = [str(step) for step in reversed(steps)] if which == "last" else [which]
    reason = ""
    for path in [known[name] for name in names if name in known]:
        try:
            state = load_tree(path)
            check_flags(state, config, changed_flags(config), run.path)
            parts = {name: state.get(name) for name in expected}
            check_tree(parts, expected, varying)
            step = int(state["loop"]["step"])
        except (Damaged, KeyError, TypeError, ValueError) as error:  # or of another version of this
            reason = reason or f" ({error})"
            continue
        if reason:
            print(f"a later checkpoint is damaged{reason}; using {path.name}", file=sys.stderr)
        algo.load_state(state["algo"])
        normaliser.load_state(state["normaliser"])
        algo.refresh()
        return Agent(algo, normaliser, spec, step)
    raise UserError(
        f"{run} has no sound checkpoint {which!r}{reason}; it has: {', '.join(known) or 'none'}"
    )
