"""How much memory a run will need at least, so that absurd sizes are refused before they hurt."""

import os
from typing import Any, Mapping, Sequence

import gymnasium as gym

from rl import envs
from rl.config import UserError
from rl.spec import EnvSpec

FLOAT = 4  # bytes
GIB = 2**30
# Bytes of one env: a MuJoCo model with its data, and Meta-World's larger ones; measured roughly.
META_WORLD_ENV = 20e6
MUJOCO_ENV = 4e6
OTHER_ENV = 1e5
WORKER = 60e6  # bytes of a worker process
ACTORS = 2  # with the target
CRITICS = 4  # two, with their targets
COPIES = 4  # of a weight: itself, its gradient, and two slots of the optimiser
BURSTS = 3  # copies of a burst's batches: as drawn, normalised, and handed over


def check_envs(values: Mapping[str, Any]) -> None:
    """Raises a UserError if the envs alone need more memory than the machine has."""
    tasks = len(envs.tasks_of(values["env"], values["split"])) or 1
    count = values["num_envs"] * (tasks if values["visit"] == "all" else 1)
    needs = {"--num_envs": count * _env_size(values["env"])}
    if values["env_backend"] == "async":
        usual = os.cpu_count() or 1 if _is_metaworld(values["env"]) else count
        needs["--num_workers"] = min(count, values["num_workers"] or usual) * WORKER
    _refuse(needs)


def _is_metaworld(env_id: str) -> bool:
    return bool(envs.tasks_of(env_id, "train")) and not env_id.startswith("PointMass")


def _env_size(env_id: str) -> float:
    if _is_metaworld(env_id):
        return META_WORLD_ENV
    spec = gym.registry.get(env_id.rpartition(":")[2])
    return MUJOCO_ENV if spec and "mujoco" in str(spec.entry_point) else OTHER_ENV


def check(values: Mapping[str, Any], spec: EnvSpec, num_envs: int) -> None:
    """Raises a UserError if a run needs more memory than the machine has.

    Args:
      values: of all flags. spec: an EnvSpec. num_envs: of all tasks together.
    """
    tasks = spec.num_tasks or 1
    transition = 2 * spec.obs.nbytes + spec.act.nbytes + 5 * FLOAT
    stored = transition - spec.obs.nbytes * spec.has_images  # replay holds an image once
    needs = {"--hidden_sizes": _networks(values, spec)}
    if "replay_size" in values:
        steps = values["epochs"] * values["steps_per_epoch"] // tasks + 1
        needs["--replay_size"] = min(values["replay_size"], steps) * tasks * stored
        burst = max(1, round(values["update_every"] * values["updates_per_step"]))
        batches = burst * values["batch_size"] * tasks * transition
        needs["--update_every and --batch_size"] = BURSTS * batches
    else:
        rollout = values["rollout_steps"] * num_envs * transition
        needs["--rollout_steps"] = rollout * (1 + values["update_epochs"])
    _refuse(needs)


def _networks(values: Mapping[str, Any], spec: EnvSpec) -> float:
    actor = values["actor_sizes"] or values["hidden_sizes"]
    critic = values["critic_sizes"] or values["hidden_sizes"]
    return ACTORS * _network(actor, values, spec) + CRITICS * _network(critic, values, spec)


def _network(hidden: Sequence[int], values: Mapping[str, Any], spec: EnvSpec) -> float:
    sizes = [spec.obs.size + spec.act.size, *hidden, spec.act.size]
    weights = sum(fan_in * fan_out for fan_in, fan_out in zip(sizes, sizes[1:]))
    activations = values["batch_size"] * (spec.num_tasks or 1) * sum(sizes)
    return FLOAT * (COPIES * weights + activations / 3)


def _refuse(needs: Mapping[str, float]) -> None:
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    needed = sum(needs.values())
    if needed <= there:
        return
    largest = max(needs, key=lambda name: needs[name])
    raise UserError(
        f"this run would need {needed / GIB:.0f} GiB of memory, and the machine has "
        f"{there / GIB:.0f}; most of it, {needs[largest] / GIB:.0f}, by {largest}"
    )
