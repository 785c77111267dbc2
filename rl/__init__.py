"""Single-task, multi-task and meta reinforcement learning in TensorFlow 2."""

__version__ = "0.1.0"
