"""One task of Meta-World as an env that draws its goal at reset, from a list, with its own
generator."""

# pylint: disable=no-member  # of compiled modules

import copy
import functools
from typing import Any, Optional

import gymnasium as gym
import mujoco
import numpy as np
from gymnasium.envs.mujoco import MujocoEnv
from metaworld.env_dict import ALL_V3_ENVIRONMENTS
from metaworld.sawyer_xyz_env import SawyerXYZEnv


class SawyerTask(SawyerXYZEnv):
    """To be mixed into a task's own class, see `make_task`. Rewards and observations are the
    package's, bit for bit.

    Args:
      goals: as `goal_lists` has them, `(count, dim)`.
      hidden: zeros in place of the goal's position, the last 3 observations.
      limit: steps to an episode's truncation.
      options: of the task's own class.
    """

    def __init__(self, goals: np.ndarray, hidden: bool, limit: int, **options: Any) -> None:
        super().__init__(**options)
        self.goals = goals
        self._partially_observable = hidden
        self.max_path_length = limit
        del self.sawyer_observation_space  # cached, with bounds that clip the goal away
        self._set_task_called = True
        self._settles = True

    def reset(self, seed: Optional[int] = None, options: Optional[dict[str, Any]] = None) -> Any:
        """Starts an episode with goal `options["goal"]` of the list, or one drawn uniformly."""
        if seed is not None:
            self.np_random, _ = gym.utils.seeding.np_random(seed)
        self._last_rand_vec = self.goals[
            options["goal"] if options else self.np_random.integers(len(self.goals))
        ]
        # The package resets a model twice. The first time matters: the second settles with bodies
        # where it put them. That the first settles, too, doesn't.
        self.curr_path_length = 0
        self._settles = False
        self.reset_model()
        self._settles = True
        obs, info = MujocoEnv.reset(self)
        obs[18:36] = self._prev_obs = obs[:18].copy()
        return obs, info

    def do_simulation(self, ctrl: Any, n_frames: int) -> None:
        if self._settles:
            super().do_simulation(ctrl, n_frames)

    def touching_object(self, object_geom_id: int) -> bool:
        """Whether both pads press on the geom. The package walks the contacts in Python: half of a
        push's step."""
        contact = self.data.contact
        force = self.data.efc_force
        at_object = (contact.geom == object_geom_id).any(1)
        pads = [self.data.geom(name).id for name in ("leftpad_geom", "rightpad_geom")]
        touches = [at_object & (contact.geom == pad).any(1) for pad in pads]
        return all(force[contact.efc_address[touch]].sum() > 0 for touch in touches)

    def _get_curr_obs_combined_no_goal(self) -> np.ndarray:
        """Hand, how far the gripper is open, objects; the package splits and stacks its way
        there."""
        obs = np.zeros(4 + self._obs_obj_max_len)
        body = self.data.body
        obs[:3] = body("hand").xpos
        obs[3] = min(np.linalg.norm(body("rightclaw").xpos - body("leftclaw").xpos) / 0.1, 1.0)
        pos = self._get_pos_objects()
        quat = self._get_quat_objects()
        for i in range(len(pos) // 3):
            obs[4 + 7 * i : 7 + 7 * i] = pos[3 * i : 3 * i + 3]
            obs[7 + 7 * i : 11 + 7 * i] = quat[4 * i : 4 * i + 4]
        return obs

    def render(self) -> Any:
        """A picture; the package's cameras hang upside down."""
        return np.rot90(super().render(), 2)

    def _initialize_simulation(self) -> Any:
        model = copy.copy(_compiled(self.fullpath))
        size = model.vis.global_
        size.offwidth = max(size.offwidth, self.width)
        size.offheight = max(size.offheight, self.height)
        return model, mujoco.MjData(model)


@functools.lru_cache(maxsize=1)
def _compiled(path: str) -> Any:
    """The model of an XML file. Envs of a task are made one after another, so the last one is
    enough."""
    return mujoco.MjModel.from_xml_path(path)


def make_task(name: str, goals: np.ndarray, **options: Any) -> gym.Env:
    """A SawyerTask of task `name`; `options` are SawyerTask's."""
    return type(name, (SawyerTask, ALL_V3_ENVIRONMENTS[name]), {})(goals, **options)
