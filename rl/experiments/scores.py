"""What a policy's test episodes say: statistics of returns, success rates and how sure they are."""

from typing import Any

import numpy as np

from rl.experiments.statistics.estimators import iqm
from rl.experiments.statistics.intervals import wilson


def summary(played: dict[str, np.ndarray], spec: Any) -> dict[str, Any]:
    """Statistics of what `evaluate` played; `solved` is None where the env has no reward
    threshold."""
    returns = played["EpRet"]
    threshold = spec.reward_threshold
    stats: dict[str, Any] = {"episodes": returns.size}
    for name, values in {"return": returns, "length": played["EpLen"]}.items():
        stats |= {
            f"{name}_{f.__name__}": float(f(values)) for f in (np.mean, np.std, np.min, np.max)
        }
    solved = None if threshold is None else bool(returns.mean() >= threshold)
    stats |= {"reward_threshold": threshold, "solved": solved}
    if "Success" not in played:
        return stats
    rates = played["Success"].mean(-1)
    stats["success_mean"] = float(rates.mean())
    if spec.tasks:
        stats |= {"success_iqm": float(iqm(rates, axis=0)), "tasks": {}}
        for task, won, ret in zip(spec.tasks, played["Success"], returns):
            interval = wilson(int(won.sum()), len(won))
            stats["tasks"][task] = {
                "success": float(won.mean()),
                "interval": interval,
                "return": float(ret.mean()),
            }
    else:
        stats["success_interval"] = wilson(int(played["Success"].sum()), returns.size)
    return stats
