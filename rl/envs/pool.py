"""EnvPool's envs, which step in C++ threads, behind the part of Gymnasium's vector interface that
we use.

https://github.com/sail-sg/envpool; install it with the extra `fast`. Only the ids it has, in their
own dynamics: near Gymnasium's, not bit for bit. The state of an episode can't be saved.
"""

from typing import Any, Optional

import numpy as np

from rl.config import UserError


class EnvPool:
    """`num_envs` copies of env `name` with time limit `max_ep_len`; they reset in the step that
    ends an episode.

    `own` are further options of `envpool.make`.

    Raises:
      UserError: EnvPool is missing, or doesn't have this env.
    """

    def __init__(self, name: str, num_envs: int, max_ep_len: int, **own: Any) -> None:
        try:
            import envpool  # pylint: disable=import-outside-toplevel
        except ImportError as error:
            raise UserError(
                f'--env_backend envpool needs EnvPool: pip install "envpool>=1.2" ({error})'
            ) from None
        if name not in envpool.list_all_envs():
            raise UserError(f"EnvPool has no env {name}; --env_backend async has")
        options = {"num_envs": num_envs, "max_episode_steps": max_ep_len, **own}
        self.make = lambda seed: envpool.make(name, env_type="gymnasium", seed=seed, **options)
        self.env: Any = None

    def reset(self, seed: Optional[int]) -> tuple[np.ndarray, dict[str, Any]]:
        """Starts over: EnvPool takes seeds only when it makes envs."""
        self.close()
        self.env = self.make((seed or 0) % 2**31)
        return self.env.reset()

    def step(self, act: np.ndarray) -> tuple[Any, ...]:
        """Steps every env with `act` `(num_envs, *act_shape)`; as SAME_STEP, with `final_obs` in
        info."""
        obs, rew, terminated, truncated, _ = self.env.step(act.astype(self.env.action_space.dtype))
        end = np.flatnonzero(terminated | truncated)
        if not end.size:
            return obs, rew, terminated, truncated, {}
        final = obs
        obs = obs.copy()
        obs[end] = self.env.reset(end)[0]
        return obs, rew, terminated, truncated, {"final_obs": final}

    def close(self) -> None:
        """Ends the envs and their threads."""
        if self.env is not None:
            self.env.close()
            self.env = None
