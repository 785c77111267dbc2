"""Which flags a checkpoint binds: its run can't go on, or be tested, with others."""

from typing import Any, Iterable, Mapping

from rl.config import UserError

# Those that `resume` takes.
RATES = ("pi_lr", "q_lr", "lr", "alpha_lr", "task_weight_lr")
SCHEDULE = ("lr_schedule", "lr_end", "lr_cycles", "lr_factor", "lr_patience")
ENDING = ("epochs", "early_stop", "early_stop_epochs")
CHANGEABLE = (*ENDING, "track", *RATES, *SCHEDULE)
# Those that say nothing of what a checkpoint holds; and a run may be moved, or renamed.
FREE = (
    "exp_name",
    "data_dir",
    "overwrite",
    "tensorboard",
    "track",
    "table",
    "device",
    "keep",
    "save_freq",
)


def check_unchanged(
    values: Mapping[str, Any], saved: Mapping[str, Any], changed: Iterable[str], place: str
) -> None:
    """Raises a UserError naming the first flag that contradicts a checkpoint.

    Args:
      values: of the flags now. saved: those that the checkpoint was made with; {}: not known.
      changed: names of the flags that `resume` was given new values of.
      place: of `values`, for the message.
    """
    allowed = {*FREE, *(name for name in changed if name in CHANGEABLE)}
    for name in sorted(set(saved) - allowed):
        now = _plain(values.get(name))
        then = _plain(saved[name])
        if now != then:
            raise UserError(
                f"{place} says {name} {now!r}, and its checkpoint was made with {then!r}"
            )


def ends_alike(values: Mapping[str, Any], saved: Any) -> bool:
    """Whether the flags that say when a run ends are those that a checkpoint was made with.

    Args:
      values: of the flags now. saved: what the checkpoint has for its flags.
    """
    return isinstance(saved, dict) and all(values.get(name) == saved.get(name) for name in ENDING)


def _plain(value: Any) -> Any:
    """A value as JSON gives it back: lists for tuples."""
    return list(value) if isinstance(value, tuple) else value
