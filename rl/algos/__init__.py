"""Algorithms by name. A new one is one file and one line of ALGOS."""

from typing import Any

from rl.algos.ddpg import DDPG
from rl.algos.ppo import PPO
from rl.algos.sac import SAC
from rl.algos.td3 import TD3

ALGOS: dict[str, Any] = {"ddpg": DDPG, "ppo": PPO, "sac": SAC, "td3": TD3}
