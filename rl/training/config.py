"""Flags of every loop."""

from typing import Any

from rl.config import UserError
from rl.flags.training import ORDERS, Config

# Gradient methods that keep nothing from one update to the next.
WITHOUT_MEMORY = ("sum", "pcgrad", "cagrad", "nash_mtl", "imtl_g", "mgda")


def check_visits(frame: Config, values: dict[str, Any], loop: str) -> None:
    """Raises a UserError if a flag or the algorithm's `loop` makes no sense with `--visit`,
    `--save_memory` without."""
    visit = frame.visit
    if visit == "all":
        if frame.save_memory:
            raise UserError(
                f"--save_memory needs --visit {', '.join(ORDERS[1:-1])} or {ORDERS[-1]}: with all "
                "every simulator is in use"
            )
        return
    if loop == "on_policy" and values["gradient"] not in WITHOUT_MEMORY:
        raise UserError(
            f"--visit {visit}: --gradient {values['gradient']} learns from every task's loss or "
            f"gradient in every update, and {values['algo']}'s rollouts can lack tasks; those that "
            f"don't are {', '.join(WITHOUT_MEMORY)}"
        )
    if values.get("replay") == "prioritised":
        raise UserError(f"--visit {visit} needs --replay uniform")
    if frame.reset_at_checkpoint:
        raise UserError(f"--visit {visit}: --reset_at_checkpoint would start the order over")


def check_rollouts(rollout_steps: int, num_envs: int, total_steps: int) -> None:
    """Raises a UserError if a run is shorter than its first rollout: it would learn nothing."""
    rollout = rollout_steps * num_envs
    if total_steps < rollout:
        raise UserError(
            f"nothing would be learned: a rollout by --rollout_steps {rollout_steps} of "
            f"{num_envs} envs is {rollout} env steps, and the run has {total_steps}"
        )
