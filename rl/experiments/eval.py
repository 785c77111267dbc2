"""`eval`: test a saved policy, film it, export it."""

import json
import os
from pathlib import Path
from typing import Any, Callable, Sequence

import imageio.v3 as imageio
import numpy as np
import tensorflow as tf

from rl import envs
from rl.config import Parser, UserError
from rl.experiments.build import load_config, make_algo
from rl.training.checkpoint import Checkpoints
from rl.training.evaluate import evaluate
from rl.training.files import TORN, load_tree


def main(argv: Sequence[str]) -> int:
    """The command `main.py eval DIR ...`; prints one JSON object."""
    parser = Parser(prog="main.py eval", description="Test the policy of a run, film it, export it.")
    parser.add_argument("directory", type=Path, help="of the run")
    parser.add_argument("--episodes", type=int, default=10, help="how many, at least 1 (default: 10)")
    parser.add_argument("--checkpoint", default="last", help="last, best, or an env step (default: last)")
    parser.add_argument("--noise", action="store_true", help="act with exploration noise, as in training")
    parser.add_argument("--seed", "-s", type=int, default=0, help="of the episodes and the noise (default: 0)")
    parser.add_argument("--video", type=Path, metavar="DIR", help="film an episode into this folder")
    parser.add_argument("--format", choices=("mp4", "gif"), default="mp4", help="of the video (default: mp4)")
    parser.add_argument("--export", type=Path, metavar="DIR", help="write the policy there as a SavedModel")
    args = parser.parse(argv)
    if args.episodes < 1:
        raise UserError(f"--episodes must be at least 1, got {args.episodes}")
    values = load_config(args.directory)
    options = {"max_ep_len": values["max_ep_len"]}
    env = envs.make(values["env"], min(args.episodes, 10), **options)
    algo, step = load_policy(args.directory, args.checkpoint, env.spec, values)
    act = _acting(algo, env.spec, args.noise, args.seed)
    returns, lengths = evaluate(act, env, args.episodes, args.seed)
    print(json.dumps({"env": values["env"], "step": step, **summary(returns, lengths, env.spec)}, indent=2))
    if args.export:
        export(algo, env.spec, args.export)
        print(f"policy: {args.export}")
    if args.video:
        path = args.video / f"{args.directory.name}_{step}.{args.format}"
        film(_acting(algo, env.spec, args.noise, args.seed), values["env"], path, args.seed, options)
        print(f"video: {path}")
    return 0


def load_policy(directory: Path, which: str, spec: Any, values: dict[str, Any]) -> tuple[Any, int]:
    """The algorithm of a run with the weights of a checkpoint ("last", "best" or a step), and that step."""
    checkpoints = Checkpoints(directory)
    steps, best = checkpoints.steps(), checkpoints.directory / "best.npz"
    known = ({"best": best} if best.exists() else {}) | {str(step): checkpoints.path(step) for step in steps}
    algo = make_algo(values, spec)
    names = [str(step) for step in reversed(steps)] if which == "last" else [which]
    for path in [known[name] for name in names if name in known]:
        try:
            state = load_tree(path)
            algo.load_state(state["algo"])
        except TORN:  # damaged, or of another version of this package
            continue
        algo.refresh()
        return algo, state["loop"]["step"]
    raise UserError(f"{directory} has no sound checkpoint {which!r}; it has: {', '.join(known) or 'none'}")


def _acting(algo: Any, spec: Any, noise: bool, seed: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    rng = np.random.default_rng(seed)

    def act(obs: np.ndarray, start: np.ndarray) -> np.ndarray:
        by_task = spec.by_task(obs)
        return (algo.explore(by_task, start, rng) if noise else algo.act(by_task)).reshape(len(obs), -1)

    return act


def summary(returns: np.ndarray, lengths: np.ndarray, spec: Any) -> dict[str, Any]:
    """Statistics of some episodes; `solved` is None where the env has no reward threshold."""
    stats: dict[str, Any] = {"episodes": len(returns)}
    for name, values in {"return": returns, "length": lengths}.items():
        stats |= {f"{name}_{f.__name__}": float(f(values)) for f in (np.mean, np.std, np.min, np.max)}
    threshold = spec.reward_threshold
    solved = None if threshold is None else bool(returns.mean() >= threshold)
    return stats | {"reward_threshold": threshold, "solved": solved}


def film(act: Callable[..., np.ndarray], env_id: str, path: Path, seed: int, options: dict[str, Any]) -> None:
    """One episode as an MP4 or GIF, drawn without a screen.

    Raises:
      UserError: nothing to draw with.
    """
    if not os.environ.get("DISPLAY"):
        os.environ.setdefault("MUJOCO_GL", "egl")
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    try:
        frames, fps = _frames(act, env_id, seed, options)
    except Exception as error:  # every renderer has errors of its own
        raise UserError(f"cannot draw {env_id} without a screen ({error}); MuJoCo needs EGL or OSMesa") from None
    path.parent.mkdir(parents=True, exist_ok=True)
    speed = {"fps": fps, "macro_block_size": 2} if path.suffix == ".mp4" else {"duration": 1000 / fps, "loop": 0}
    imageio.imwrite(path, frames, **speed)


def _frames(act: Callable[..., np.ndarray], env_id: str, seed: int, options: dict[str, Any]) -> tuple[np.ndarray, int]:
    """The pictures of an episode `(frames, height, width, 3)`, and how many make a second."""
    # In a worker, without TensorFlow: its LLVM and that of Mesa's software renderer crash in one process.
    env = envs.make(env_id, render_mode="rgb_array", backend="async", **options)
    obs, start, frames = env.reset(seed), np.ones(1, bool), [env.render()]
    while True:
        step = env.step(act(obs, start))
        obs, start = step.obs, step.terminated | step.truncated
        if start[0]:
            env.close()
            return np.stack(frames), env.fps
        frames.append(env.render())


class Policy(tf.Module):
    """What `--export` saves: `act(obs)`, float32 `(batch, obs_dim)` to `(batch, *act_shape)`."""

    def __init__(self, actor: Any, spec: Any) -> None:
        super().__init__()
        self.actor = actor
        shape = (-1, *spec.act_shape)
        signature = [tf.TensorSpec((None, spec.obs_dim), tf.float32, name="obs")]
        self.act = tf.function(lambda obs: tf.reshape(actor(obs), shape), input_signature=signature)


def export(algo: Any, spec: Any, directory: Path) -> None:
    """Writes the deterministic policy as a SavedModel that TensorFlow loads without this package."""
    policy = Policy(algo.actor, spec)
    tf.saved_model.save(policy, str(directory), signatures={"serving_default": policy.act})
