"""What runs have seen: replay, rollouts, running statistics; NumPy only."""

from rl.buffers.normaliser import Normaliser
from rl.buffers.prioritised import PrioritisedReplay
from rl.buffers.replay import ReplayBuffer
from rl.buffers.rollout import Rollout
from rl.buffers.visited import VisitedReplay
from rl.buffers.visited_rollout import VisitedRollout

__all__ = [
    "Normaliser",
    "PrioritisedReplay",
    "ReplayBuffer",
    "Rollout",
    "VisitedReplay",
    "VisitedRollout",
]
