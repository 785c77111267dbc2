"""Which flags matter only beside others: giving one that has no effect is an error."""

from typing import Any, Callable, Mapping, NamedTuple

from rl.config import UserError
from rl.flags.splitting import BY_UPDATES
from rl.flags.torsos import NETWORKS

Values = Mapping[str, Any]

# Whether an env id is a set of tasks, asked of every family of envs that was registered.
TASK_SETS: list[Callable[[str], bool]] = []


class Need(NamedTuple):
    """When a flag has an effect: in words, and as a function of the values of all flags."""

    words: str
    holds: Callable[[Values], bool]


def _is(name: str, *choices: Any) -> Need:
    """The flag `name` has one of `choices`."""
    shown = " or ".join("true" if choice is True else str(choice) for choice in choices)
    return Need(f"--{name} {shown}", lambda values: values.get(name) in choices)


def _is_not(name: str, choice: Any) -> Need:
    words = f"another --{name} than {choice}"
    return Need(words, lambda values: values.get(name) != choice)


def _regions_split_by(*criteria: str) -> Need:
    """Regions, not single weights, split while the network trains, by one of `criteria`."""
    words = f"--split_criterion {' or '.join(criteria)}, no --split_map and no --split_weights"

    def holds(values: Values) -> bool:
        chosen = values["split_criterion"] in criteria
        return chosen and not values["split_map"] and not values.get("split_weights")

    return Need(words, holds)


def _splits(values: Values) -> bool:
    return not values["split_map"]


def _splits_by_blocks(values: Values) -> bool:
    return _splits(values) and values["split_criterion"] not in BY_UPDATES


def _has_criterion(values: Values) -> bool:
    return _splits(values) and (
        not values.get("split_weights") or values["split_criterion"] == "conflict"
    )


def _is_on_metaworld(values: Values) -> bool:
    return values["env"][:3] in ("MT1", "MT2", "MT5", "MT:", "ML1", "ML2", "ML4", "ML:")


def _has_test_tasks(values: Values) -> bool:
    return values["env"].startswith(("ML", "PointMass-ML"))


def _has_tasks(values: Values) -> bool:
    if _is_on_metaworld(values) or values["env"].startswith("PointMass"):
        return True
    return any(is_task_set(values["env"]) for is_task_set in TASK_SETS)


def _has_std(values: Values) -> bool:
    if values["std"] == "split":
        return _has_tasks(values) and NETWORKS[values["network"]].splits
    return values["std"] != "shared" or _has_tasks(values)


def _has_shared_start(values: Values) -> bool:
    is_free = not values["split_map"] and not values.get("split_weights")
    return is_free and values["network"] != "splitting_moore"  # whose tasks have output layers


METAWORLD = Need("an env of Meta-World", _is_on_metaworld)
TEST_TASKS = Need("an ML set, which has test tasks", _has_test_tasks)
SEVERAL_TASKS = Need("an env of several tasks", _has_tasks)
GYMNASIUM = Need("an env of Gymnasium", lambda values: not _has_tasks(values))
ONEHOT = Need(
    "an env of several tasks, and another network than piggyback",
    lambda values: _has_tasks(values) and values["network"] != "piggyback",
)
STD = Need("an env of several tasks to be shared, and a network that splits to be split", _has_std)
TEMPERATURES = Need(
    "an env of several tasks and --learn_alpha true",
    lambda values: _has_tasks(values) and values["learn_alpha"],
)
SPLITS = Need("no --split_map, with which nothing splits", _splits)
BLOCKS = Need("another --split_criterion than v1 or v2, and no --split_map", _splits_by_blocks)

CRITERION = Need("no --split_map, and to be conflict with --split_weights", _has_criterion)

NO_STRUCTURE = Need(
    "no --structure, which is trained as it is", lambda values: not values.get("structure")
)

NEEDS = {
    "goals": METAWORLD,
    "reward": METAWORLD,
    "split": TEST_TASKS,
    "env_kwargs": GYMNASIUM,
    "num_workers": _is("env_backend", "async"),
    "early_stop_epochs": _is_not("early_stop", "none"),
    "per_alpha": _is("replay", "prioritised"),
    "per_beta": _is("replay", "prioritised"),
    "overlap": _is("update_at", "steps"),
    "ou_theta": _is("noise", "ou"),
    "atoms": _is_not("critic_loss", "mse"),
    "v_min": _is_not("critic_loss", "mse"),
    "v_max": _is_not("critic_loss", "mse"),
    "hl_sigma": _is("critic_loss", "hl_gauss"),
    "alpha_lr": _is("learn_alpha", True),
    "target_entropy": _is("learn_alpha", True),
    "lr_end": _is_not("lr_schedule", "constant"),
    "lr_cycles": _is("lr_schedule", "cyclic"),
    "lr_factor": _is("lr_schedule", "plateau"),
    "lr_patience": _is("lr_schedule", "plateau"),
    "gradient_stats": SEVERAL_TASKS,
    "task_onehot": ONEHOT,
    "std": STD,
    "critic_embedding": SEVERAL_TASKS,
    "vf_coef": _is("critic", "network"),
    "shared_alpha": TEMPERATURES,
    "weight_tasks": _is("learn_alpha", True),
    "noise_clip": _is_not("target_noise", 0.0),
    "rew_norm_by": _is("rew_norm", True),
    "return_max": _is("rew_norm_by", "max"),
    "inner_lr": _is_not("inner_steps", 0),
    "rounds": _is("tickets", "imp"),
    "round_updates": _is("tickets", "imp"),
    "saliency_updates": _is("tickets", "saliency"),
    "split_private": _is("split_weights", True),
    "split_capacity": Need("no --split_weights", lambda values: not values.get("split_weights")),
    "split_biases": Need("no --split_weights", lambda values: not values.get("split_weights")),
    "warmup_updates": NO_STRUCTURE,
    "turn_updates": NO_STRUCTURE,
    "policy_updates": NO_STRUCTURE,
    "curriculum": NO_STRUCTURE,
    "temperature": NO_STRUCTURE,
    "temperature_decay": NO_STRUCTURE,
    "structure_lr": NO_STRUCTURE,
    "sparsity": NO_STRUCTURE,
    "sharing": NO_STRUCTURE,
    "split_start": Need(
        "neither --split_map nor --split_weights, and a network that can share output layers",
        _has_shared_start,
    ),
    "split_criterion": CRITERION,
    "split_every": SPLITS,
    "splits_per_check": SPLITS,
    "split_min_sharing": SPLITS,
    "split_reset": SPLITS,
    "split_decay": SPLITS,
    "split_block": BLOCKS,
    "split_min_blocks": BLOCKS,
    "split_memory": BLOCKS,
    "split_z": BLOCKS,
    "split_warmup": _regions_split_by(*BY_UPDATES),
    "split_lag": _regions_split_by("lagged"),
    "split_kappa": _regions_split_by("gain"),
    "split_cosine": _regions_split_by("conflict"),
    "split_alpha": _regions_split_by("v1"),
    "split_variance": _regions_split_by("v1"),
    "split_cap": _regions_split_by("v1"),
    "split_metric": _regions_split_by("v2"),
}


def is_idle(name: str, values: Values) -> bool:
    """Whether a flag has no effect beside the others."""
    need = NEEDS.get(name)
    return need is not None and not need.holds(values)


def refuse_idle(given: set[str], values: Values) -> None:
    """Raises a UserError naming the first of the flags `given` that has no effect with `values`."""
    for name in sorted(given):
        if is_idle(name, values):
            raise UserError(f"--{name} has no effect here: it needs {NEEDS[name].words}")
