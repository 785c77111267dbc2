"""Algorithms by name. A new one is one file and one line of ALGOS."""

from typing import Any

from rl.algos.ddpg import DDPG

ALGOS: dict[str, Any] = {"ddpg": DDPG}
