"""Training loops by name; an algorithm's `loop` picks one."""

from typing import Any

from rl.training.config import Config
from rl.training.off_policy import OffPolicy
from rl.training.on_policy import OnPolicy
from rl.training.run import ended, restore, run
from rl.training.session import Session

__all__ = ["Config", "LOOPS", "OffPolicy", "OnPolicy", "Session", "ended", "restore", "run"]

LOOPS: dict[str, Any] = {"off_policy": OffPolicy, "on_policy": OnPolicy}
