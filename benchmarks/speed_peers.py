"""Times Stable-Baselines3 or SBX on one job of speed.py, in their own environment; prints one JSON
object."""

import importlib
import json
import resource
import sys
import time

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.noise import NormalActionNoise

WARM_UP = 4096  # env steps before the clock starts: compilation and the first bursts


class Clock(BaseCallback):
    """Notes when the warm-up ends, and the seconds spent in `train` from then on."""

    def __init__(self) -> None:
        super().__init__()
        self.begin, self.updating = 0.0, 0.0

    def _on_training_start(self) -> None:
        train = self.model.train

        def timed(*args, **kwargs):
            begin = time.perf_counter()
            train(*args, **kwargs)
            if self.begin:
                self.updating += time.perf_counter() - begin

        self.model.train = timed

    def _on_step(self) -> bool:
        if not self.begin and self.num_timesteps > WARM_UP:
            self.begin = time.perf_counter()
        return True


def main() -> None:
    package, job, steps = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
    module = importlib.import_module({"sb3": "stable_baselines3", "sbx": "sbx"}[package])
    env = make_vec_env("HalfCheetah-v5", job.get("num_envs", 1))
    options = dict(job["peers"], seed=0)
    if job["algo"] != "ppo":
        options["buffer_size"] = 1_000_000
    if job.get("noise"):
        size = env.action_space.shape[0]
        options["action_noise"] = NormalActionNoise(np.zeros(size), job["noise"] * np.ones(size))
    model, clock = getattr(module, job["algo"].upper())("MlpPolicy", env, **options), Clock()
    model.learn(WARM_UP + steps, callback=clock)
    timed = model.num_timesteps - WARM_UP
    result = {"steps_per_second": timed / (time.perf_counter() - clock.begin)}
    result |= {"updates_per_second": timed * job["updates_per_step"] / clock.updating}
    print(
        json.dumps(result | {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024})
    )


if __name__ == "__main__":
    main()
