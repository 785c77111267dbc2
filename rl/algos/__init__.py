"""Algorithms by name. A new one is one file and one line of ALGOS, or, from outside, `register`."""

from types import MappingProxyType
from typing import Any, Mapping, Optional

from rl.algos.ddpg import DDPG
from rl.algos.ppo import PPO
from rl.algos.sac import SAC
from rl.algos.td3 import TD3
from rl.flags import LOOPS, AlgorithmFlags, register_algorithm

ALGOS: dict[str, Any] = {"ddpg": DDPG, "ppo": PPO, "sac": SAC, "td3": TD3}


def register(
    name: str,
    algorithm: Any,
    flags: Optional[type] = None,
    defaults: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Adds an algorithm, for this process.

    Args:
      name: for `--algo` and `rl.train`. algorithm: a subclass of `rl.algos.common.Algorithm`.
      flags: the dataclass of its own flags, of which it is given one; by default its `flags`.
      defaults: other values for flags of its runs that aren't its own.

    Raises:
      UserError: the name is taken, or is none.
    """
    config = flags or algorithm.flags
    loop = LOOPS[algorithm.loop]
    register_algorithm(name, AlgorithmFlags(config, loop, defaults, algorithm.discrete))
    ALGOS[name] = algorithm
