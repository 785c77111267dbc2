"""One task of Meta-World as an env that draws its goal at reset, from a list, with its own
generator."""

# pylint: disable=no-member  # of compiled modules

import copy
import functools
import math
import types
from typing import Any, Callable, Optional

import gymnasium as gym
import mujoco
import numpy as np
from gymnasium.envs.mujoco import MujocoEnv
from metaworld.env_dict import ALL_V3_ENVIRONMENTS
from metaworld.sawyer_xyz_env import SawyerXYZEnv

from rl.envs.metaworld.rotation import Rotation

OBS = 39  # numbers of an observation: of now, of the step before, and the goal
NOW = 18
MOCAP_QUAT = np.array([1.0, 0.0, 1.0, 0.0])  # the gripper points down


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

    def set_xyz_action(self, action: np.ndarray) -> None:
        """Moves the gripper by `action` `(3,)`, in steps of `action_scale`, within the table's
        bounds; with np.clip, as the package has it, that takes twice as long."""
        delta = np.minimum(np.maximum(action, -1), 1) * self.action_scale
        moved = self.data.mocap_pos[0] + delta
        self.data.mocap_pos[0] = np.minimum(np.maximum(moved, self.mocap_low), self.mocap_high)
        self.data.mocap_quat[0] = MOCAP_QUAT

    def touching_object(self, object_geom_id: int) -> bool:
        """Whether both pads press on the geom. The package walks the contacts in Python: half of a
        push's step."""
        contact = self.data.contact
        force = self.data.efc_force
        at_object = (contact.geom == object_geom_id).any(1)
        pads = [self.data.geom(name).id for name in ("leftpad_geom", "rightpad_geom")]
        touches = [at_object & (contact.geom == pad).any(1) for pad in pads]
        return all(force[contact.efc_address[touch]].sum() > 0 for touch in touches)

    def _get_obs(self) -> np.ndarray:
        """`(OBS,)`; the package stacks them."""
        obs = np.zeros(OBS)
        obs[:NOW] = self._get_curr_obs_combined_no_goal()
        obs[NOW : 2 * NOW] = self._prev_obs
        if not self._partially_observable:
            obs[2 * NOW :] = self._get_pos_goal()
        self._prev_obs = obs[:NOW].copy()
        return obs

    @functools.cached_property
    def _hand_and_claws(self) -> tuple[int, int, int]:
        """Ids of bodies, which take microseconds to find by name."""
        hand, right, left = (self.model.body(n).id for n in ("hand", "rightclaw", "leftclaw"))
        return hand, right, left

    def _get_curr_obs_combined_no_goal(self) -> np.ndarray:
        """Hand, how far the gripper is open, objects `(NOW,)`; the package splits and stacks its
        way there."""
        obs = np.zeros(NOW)
        hand, right, left = self._hand_and_claws
        xpos = self.data.xpos
        obs[:3] = xpos[hand]
        gap = xpos[right] - xpos[left]
        obs[3] = min(math.sqrt(gap.dot(gap)) / 0.1, 1.0)
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
    task = ALL_V3_ENVIRONMENTS[name]
    quat_objects = _with_our_rotation(task._get_quat_objects)  # pylint: disable=protected-access
    made = type(name, (SawyerTask, task), {"_get_quat_objects": quat_objects})
    return made(goals, **options)


def _with_our_rotation(method: Callable) -> Callable:
    """The same method, in which the name Rotation is of ours; the package's stays as it is."""
    names = {**method.__globals__, "Rotation": Rotation}
    return types.FunctionType(method.__code__, names, method.__name__, None, method.__closure__)
