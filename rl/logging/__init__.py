"""Statistics of each epoch, and the places they go: text, TensorBoard, terminal."""

from rl.logging.board import Board
from rl.logging.epoch_logger import EpochLogger
from rl.logging.resources import Resources, depends_on_machine
from rl.logging.terminal import Terminal
from rl.logging.timer import Timer

__all__ = ["Board", "EpochLogger", "Resources", "Terminal", "Timer", "depends_on_machine"]
