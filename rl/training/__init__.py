"""Training loops by name; an algorithm's `loop` picks one."""

from typing import Any

from rl.training.config import Config
from rl.training.off_policy import OffPolicy
from rl.training.on_policy import OnPolicy
from rl.training.run import restore, run, saved_state
from rl.training.session import Session

__all__ = ["Config", "LOOPS", "OffPolicy", "OnPolicy", "Session", "restore", "run", "saved_state"]

LOOPS: dict[str, Any] = {"off_policy": OffPolicy, "on_policy": OnPolicy}
