"""Single-task, multi-task and meta reinforcement learning in TensorFlow 2.

The public names are imported when they are first used: `import rl` alone loads next to nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rl.algos import ALGOS
    from rl.config import UserError
    from rl.experiments.api import load, make_env, resume, train
    from rl.experiments.rundir import RunDir
    from rl.experiments.searches.definition import Search
    from rl.experiments.searches.spaces import Choice, IntUniform, LogUniform, Uniform
    from rl.experiments.sweeps.definition import Sweep
    from rl.gradients import GRADIENTS
    from rl.networks import NETWORKS

__version__ = "0.1.0"
__all__ = [
    "ALGOS",
    "Choice",
    "GRADIENTS",
    "IntUniform",
    "LogUniform",
    "NETWORKS",
    "RunDir",
    "Search",
    "Sweep",
    "Uniform",
    "UserError",
    "load",
    "make_env",
    "resume",
    "train",
]

# name -> the module that has it
_LIGHT = {
    "Choice": "rl.experiments.searches.spaces",
    "IntUniform": "rl.experiments.searches.spaces",
    "LogUniform": "rl.experiments.searches.spaces",
    "RunDir": "rl.experiments.rundir",
    "Search": "rl.experiments.searches.definition",
    "Sweep": "rl.experiments.sweeps.definition",
    "Uniform": "rl.experiments.searches.spaces",
    "UserError": "rl.config",
    "load": "rl.experiments.api",
    "make_env": "rl.experiments.api",
    "resume": "rl.experiments.api",
    "train": "rl.experiments.api",
}
_WITH_TENSORFLOW = {
    "ALGOS": "rl.algos",
    "GRADIENTS": "rl.gradients",
    "NETWORKS": "rl.networks",
}


def __getattr__(name: str) -> Any:
    if name in _LIGHT:
        module = importlib.import_module(_LIGHT[name])
    elif name in _WITH_TENSORFLOW:
        deferred = importlib.import_module("rl.experiments.deferred")
        module = deferred.load(_WITH_TENSORFLOW[name])
    else:
        raise AttributeError(f"module 'rl' has no attribute {name!r}")
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
