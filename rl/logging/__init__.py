"""Statistics of each epoch, and the places they go: text, TensorBoard, trackers, terminal."""

from rl.logging.board import Board
from rl.logging.epoch_logger import EpochLogger
from rl.logging.resources import Resources, depends_on_machine
from rl.logging.sink import Sink
from rl.logging.terminal import Terminal
from rl.logging.timer import Timer
from rl.logging.tracker import Tracker

__all__ = [
    "Board",
    "EpochLogger",
    "Resources",
    "Sink",
    "Terminal",
    "Timer",
    "Tracker",
    "depends_on_machine",
]
