"""Training loops by name; an algorithm's `loop` picks one."""

from typing import Any

from rl.training.off_policy import OffPolicy

LOOPS: dict[str, Any] = {"off_policy": OffPolicy}
