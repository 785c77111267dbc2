"""Flags of a run as a whole."""

import dataclasses

from rl.config import flag

# Those of rl.algos, by name; registered ones join.
ALGOS = ["ddpg", "ppo", "sac", "td3"]


@dataclasses.dataclass(frozen=True)
class Config:
    """Flags of a run as a whole."""

    algo: str = flag("ddpg", "algorithm", choices=ALGOS)
    env: str = flag("HalfCheetah", "env id; without a version, the newest")
    env_kwargs: str = flag("", "arguments of the env's constructor, as a JSON object")
    seed: int = flag(
        0,
        "seed of every random number; several make one run each",
        low=0,
        high=2**31 - 2,
        short="-s",
        several=True,
    )
    exp_name: str = flag("", "name of the experiment's folder in data_dir; empty: <algo>_<env>")
    data_dir: str = flag("data", "folder of all experiments")
    overwrite: bool = flag(False, "replace an existing run")
    start_from: str = flag("", "directory of a run with whose weights the networks start")
    tensorboard: bool = flag(True, "write TensorBoard event files")
    track: str = flag(
        "none",
        "also log to Weights & Biases or Trackio",
        choices=("none", "wandb", "trackio"),
    )
    table: bool = flag(False, "show every column of each row, not only the most telling ones")
    check_inputs: bool = flag(False, "check shapes, finiteness and tasks inside updates; slower")
    device: str = flag(
        "auto", "where updates run; auto: on a GPU if there is one", choices=("auto", "cpu", "gpu")
    )
