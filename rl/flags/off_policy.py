"""Flags of the off-policy loop."""

import dataclasses

from rl.config import flag
from rl.flags import replay


@dataclasses.dataclass(frozen=True)
class Config(replay.Config):
    """The off-policy loop's flags."""

    start_steps: int = flag(10_000, "env steps of uniform random actions at the start", low=0)
    update_after: int = flag(1000, "env steps before the first update", low=0)
    update_every: int = flag(50, "env steps between two bursts of updates", low=1)
    updates_per_step: float = flag(
        1.0, "updates per env step after update_after, on average", low=0
    )
    update_at: str = flag(
        "steps",
        "burst every update_every steps, or at each episode's end",
        choices=("steps", "episode"),
    )
    overlap: bool = flag(
        True, "collect while a burst runs, with the policy before it (bursts at update_every only)"
    )
