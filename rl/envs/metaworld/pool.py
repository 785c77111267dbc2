"""Meta-World in EnvPool's C++ threads: an EnvPool for each task, all under way at once.

https://github.com/sail-sg/envpool; install it with the extra `fast`. REFUSED is of 1.2.5.

Differs from `rl.envs.metaworld.vector`:
  1. EnvPool can't be told a goal: an env draws every episode's afresh, from the task's whole range
     and not from its list of 50. So it is for training alone, and has neither `--goals fixed` nor
     ML sets.
  2. The simulators are its own. Tasks on which the scripted expert isn't shown to score alike are
     refused.
  3. The state of an episode can't be saved.
"""

import os
from typing import Any, Optional, Sequence

import numpy as np

from rl.config import UserError
from rl.envs.pool import EnvPool
from rl.spec import EnvSpec, Step

# Tasks that don't agree in benchmarks/results/metaworld_envpool.csv: their expert's return in the
# package and here.
REFUSED = {
    "box-close-v3": (2908, 2788),
    "button-press-topdown-wall-v3": (2110, 1),
    "dial-turn-v3": (4077, 2703),
    "disassemble-v3": (3710, 3659),
    "door-lock-v3": (3456, 4197),
    "hammer-v3": (2679, 1051),
    "hand-insert-v3": (4557, 4412),
    "peg-insert-side-v3": (3774, 3349),
    "peg-unplug-side-v3": (1218, 999),
    "push-back-v3": (464, 482),
    "shelf-place-v3": (2578, 983),
    "soccer-v3": (2746, 3153),
    "stick-pull-v3": (829, 606),
    "stick-push-v3": (1204, 1001),
    "sweep-into-v3": (2302, 2420),
}


class MetaWorldPool:
    """`num_envs` envs of each task of `spec`, side by side, with Vector's interface.

    Whether a task is as the package has it is `refuse`'s to say. All episodes end together, after
    `max_ep_len` steps.

    Raises:
      UserError: EnvPool is missing, or doesn't have a task.
    """

    keeps_state = False
    fps = 80
    task: Optional[np.ndarray] = None

    def __init__(self, spec: EnvSpec, num_envs: int, max_ep_len: int) -> None:
        self.spec = spec
        self.num_envs = num_envs * len(spec.tasks)
        self.max_ep_len = max_ep_len
        threads = min(num_envs, max(1, (os.cpu_count() or 1) // len(spec.tasks)))  # of each EnvPool
        options = {"num_threads": threads, "partially_observable": False}
        self.pools = [
            EnvPool(pool_id(task), num_envs, max_ep_len, **options) for task in spec.tasks
        ]

    def reset(self, seed: Optional[int] = None) -> np.ndarray:
        """Makes the envs anew; env i draws its goals from `seed + i`, without a seed from 0 on.
        Returns obs `(num_envs, obs_dim)`."""
        seed = seed or 0
        envs_per_task = self.num_envs // len(self.pools)
        obs = []
        for number, pool in enumerate(self.pools):
            first_seed = seed + number * envs_per_task
            obs.append(pool.reset(first_seed)[0])
        return _joined(obs)

    def step(self, act: np.ndarray) -> Step:
        """Steps every env with `act` `(num_envs, act_dim)`."""
        for pool, act_of_task in zip(self.pools, np.split(act, len(self.pools))):
            pool.env.send(act_of_task)
        obs, rew, terminated, truncated, info = zip(*(pool.env.recv() for pool in self.pools))
        obs2 = _joined(obs)
        over = np.concatenate(truncated)
        success = np.concatenate([task_info["success"] for task_info in info]) > 0
        obs = self._restart() if over.any() else obs2
        return Step(
            obs2, np.concatenate(rew).astype(float), np.concatenate(terminated), over, obs, success
        )

    def state(self) -> Any:
        """Raises a UserError: EnvPool gives none."""
        raise UserError(f"{self.spec.env_id}: EnvPool does not give the state of its envs")

    def load_state(self, state: Any, obs: np.ndarray) -> None:
        """Raises a UserError: there is none."""
        del state, obs
        self.state()

    def render(self) -> np.ndarray:
        """Raises a UserError: EnvPool draws nothing."""
        raise UserError(f"{self.spec.env_id}: EnvPool draws no pictures; sync and async do")

    def rebuild(self, seed: int) -> np.ndarray:
        """As `reset`: a state that depends on `seed` alone."""
        return self.reset(seed)

    def close(self) -> None:
        """Ends the envs and their threads."""
        for pool in self.pools:
            pool.close()

    def _restart(self) -> np.ndarray:
        for pool in self.pools:
            pool.env.async_reset()
        return _joined([pool.env.recv(reset=True)[0] for pool in self.pools])


def refuse(spec: EnvSpec, goals: str, reward: str) -> None:
    """Raises a UserError if EnvPool doesn't have a set as the package has it; `goals` and `reward`
    are the flags."""
    hidden_goals = spec.env_id.startswith("ML")
    unlike = {
        f"{spec.env_id}, which needs goals of a list: EnvPool draws its own": hidden_goals,
        "--goals fixed: EnvPool draws its own": goals == "fixed",
        "--reward v1: EnvPool has v2 only": reward == "v1",
    }
    for what, asked in unlike.items():
        if asked:
            raise UserError(f"--env_backend envpool can't have {what}; sync and async can")
    refused = [task for task in spec.tasks if task in REFUSED]
    if refused:
        returns = ", ".join(
            f"{REFUSED[task][1]} and {REFUSED[task][0]} on {task}" for task in refused
        )
        agree = ",".join(task.removesuffix("-v3") for task in spec.tasks if task not in REFUSED)
        raise UserError(
            "EnvPool and the package aren't shown to agree: the scripted expert's return is "
            f"{returns}; "
            f"--env_backend async has all{', envpool MT:' * bool(agree)}{agree}"
        )


def pool_id(task: str) -> str:
    """EnvPool's id of a task: "door-open-v3" -> "MetaWorld/DoorOpen-v3"."""
    *words, version = task.split("-")
    return f"MetaWorld/{''.join(word.capitalize() for word in words)}-{version}"


def _joined(obs: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(obs).astype(np.float32)
