"""Flags of every loop."""

from typing import Any

from rl.config import UserError
from rl.flags.training import Config


def check_visits(frame: Config, values: dict[str, Any], loop: str) -> None:
    """Raises a UserError if a flag or the algorithm's `loop` makes no sense with `--visit`,
    `--save_memory` without."""
    visit = frame.visit
    if visit == "all":
        if frame.save_memory:
            raise UserError(
                "--save_memory needs --visit cycle, random or shuffle: with all every simulator "
                "is in use"
            )
        return
    if loop == "on_policy":
        raise UserError(
            f"--visit {visit}: {values['algo']} learns from every task in every rollout, which is "
            "--visit all"
        )
    if values["replay"] == "prioritised":
        raise UserError(f"--visit {visit} needs --replay uniform")
    if frame.reset_at_checkpoint:
        raise UserError(f"--visit {visit}: --reset_at_checkpoint would start the order over")
