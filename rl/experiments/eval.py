"""`eval`: test a saved policy, film it, export it."""

import os
from pathlib import Path
from typing import Any, Mapping, Optional

import imageio.v3 as imageio
import numpy as np
import tensorflow as tf

from rl import envs
from rl.buffers.normaliser import CLIP
from rl.config import UserError
from rl.experiments.agent import Agent, load_agent
from rl.experiments.build import use_device
from rl.experiments.environments import env_options
from rl.experiments.rundir import RunDir
from rl.experiments.scores import summary
from rl.files import expanded
from rl.networks.actor_critic import env_action
from rl.training.contracts import Policy
from rl.training.evaluate import evaluate
from rl.training.policy import EnvPolicy


class Evaluation:
    """The policy of a run, and what it did in test episodes.

    Args:
      values: flags of the run. config: rl.experiments.commands.eval's Config.

    Attributes:
      result: JSON values.

    Raises:
      UserError: there is no sound checkpoint, or no such split.
    """

    def __init__(self, run: RunDir, values: Mapping[str, Any], config: Any) -> None:
        self.name = run.path.resolve().name
        self.env_id = values["env"]
        self.config = config
        self.options = env_options(values)
        if config.split and config.split != self.options["split"]:
            check_split(self.env_id, config.split, self.options["split"])
            self.options["split"] = config.split
        env = make_env(self.env_id, config.episodes, self.options)
        use_device("cpu")
        self.agent = load_agent(run, config.checkpoint, env.spec, values)
        self.policy = EnvPolicy(self.agent.algo.policy, env, self.agent.normaliser)
        rng = np.random.default_rng(config.seed) if config.noise else None
        played = evaluate(self.policy, env, config.episodes, config.seed, rng)
        self.result = {
            "env": self.env_id,
            "step": self.agent.step,
            **summary(played, env.spec),
        }

    def write_policy(self) -> str:
        """Exports the policy, as `--export` says. Returns where it is."""
        export(self.agent, expanded(self.config.export))
        return self.config.export

    def write_video(self) -> str:
        """Films an episode, as `--video` says. Returns the file.

        Raises:
          UserError: there is nothing to draw with.
        """
        name = f"{self.name}_{self.agent.step}.{self.config.format}"
        path = expanded(self.config.video) / name
        film(
            self.policy,
            self.env_id,
            path,
            self.config.seed,
            self.options,
            self.config.noise,
        )
        return str(path)


def check_split(env_id: str, split: str, trained: str) -> None:
    """Raises a UserError if an env has no other split than `trained`, or if other tasks are in
    it."""
    if envs.tasks_of(env_id, split) != envs.tasks_of(env_id, trained):
        raise UserError(
            f"--split {split}: the networks have no part for the {split} tasks of {env_id}; see "
            "meta-test"
        )
    if not env_id.startswith("ML"):
        raise UserError(
            f"--split {split}: only ML sets have other goals to test on, and the run's env is "
            f"{env_id}"
        )


def make_env(env_id: str, episodes: int, options: dict[str, Any]) -> Any:
    """Envs to play `episodes` episodes in, of each task."""
    env = envs.make(env_id, **options)
    if env.spec.tasks:
        return env
    env.close()
    return envs.make(env_id, min(episodes, 10), **options)


def film(
    policy: Policy,
    env_id: str,
    path: Path,
    seed: int,
    options: dict[str, Any],
    noise: bool = False,
) -> None:
    """One episode as an MP4 or GIF, drawn without a screen; with exploration noise, if asked for.

    Raises:
      UserError: there is nothing to draw with.
    """
    rng = np.random.default_rng(seed) if noise else None
    if not os.environ.get("DISPLAY"):
        os.environ.setdefault("MUJOCO_GL", "egl")
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    try:
        frames, fps = _frames(policy, env_id, seed, options, rng)
    except Exception as error:  # every renderer has errors of its own
        raise UserError(
            f"cannot draw {env_id} without a screen ({error}); MuJoCo needs EGL or OSMesa"
        ) from None
    path.parent.mkdir(parents=True, exist_ok=True)
    speed = (
        {"fps": fps, "macro_block_size": 2}
        if path.suffix == ".mp4"
        else {"duration": 1000 / fps, "loop": 0}
    )
    imageio.imwrite(path, frames, **speed)


def _frames(
    policy: Policy,
    env_id: str,
    seed: int,
    options: dict[str, Any],
    rng: Optional[np.random.Generator],
) -> tuple[np.ndarray, int]:
    """The pictures of an episode `(frames, height, width, 3)`, and how many make a second."""
    # In a worker, without TensorFlow: its LLVM and that of Mesa's software renderer crash in one
    # process.
    env = envs.make(env_id, render_mode="rgb_array", backend="async", **options)
    obs = env.reset(seed)
    start = np.ones(env.num_envs, bool)  # of several tasks, of which the first is filmed
    memory = policy.initial_memory(env.num_envs)
    frames = [env.render()]
    while True:
        act, memory = policy.act(obs, memory, start, rng)
        step = env.step(env.spec.env_action(act))
        obs = step.obs
        start = step.terminated | step.truncated
        if start[0]:
            env.close()
            return np.stack(frames), env.fps
        frames.append(env.render())


class Exported(tf.Module):
    """What `--export` saves: `act(obs)`, observations `(batch, *obs.shape)` that are not normalised
    to the env's own actions `(batch, *act_shape)`.

    For several tasks both have the axis `num_tasks` in front.
    """

    def __init__(self, actor: Any, normaliser: Any, spec: Any) -> None:
        super().__init__()
        self.actor = actor
        shape = (*spec.batch_dims, -1, *spec.act_shape)
        scale = normaliser.config.obs_norm
        mean, std = (np.asarray(x, np.float32) for x in (normaliser.seen.mean, normaliser.seen.std))

        def act(obs: tf.Tensor) -> tf.Tensor:
            seen = tf.clip_by_value((obs - mean) / std, -CLIP, CLIP) if scale else obs
            chosen = tf.reshape(env_action(spec, actor(seen)), shape)
            return tf.cast(chosen, spec.act_dtype)

        inputs = tf.TensorSpec(
            (*spec.batch_dims, None, *spec.obs.shape), spec.obs.dtype, name="obs"
        )
        self.act = tf.function(act, autograph=False, input_signature=[inputs])


def export(agent: Agent, directory: Path) -> None:
    """Writes the deterministic policy as a SavedModel that TensorFlow loads without this package.

    Raises:
      UserError: the policy has memory.
    """
    if agent.algo.actor.torso.memory_shape is not None:
        raise UserError("--export: what is exported acts on one observation, without memory")
    module = Exported(agent.algo.actor, agent.normaliser, agent.spec)
    tf.saved_model.save(module, str(directory), signatures={"serving_default": module.act})
