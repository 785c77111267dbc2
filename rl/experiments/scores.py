"""What a policy's test episodes say: statistics of returns, success rates and how sure they are."""

import math
from typing import Any

import numpy as np

Z = 1.959964  # of a two-sided 95% interval


def wilson(successes: int, episodes: int) -> tuple[float, float]:
    """95% interval of a success rate. Wilson, 1927: https://doi.org/10.1080/01621459.1927.10502953.

    For the episodes of one policy; those of several seeds are not independent and must not be
    pooled.
    """
    rate = successes / episodes
    spread = Z**2 / episodes
    centre = (rate + spread / 2) / (1 + spread)
    half = Z * math.sqrt(rate * (1 - rate) / episodes + spread / (4 * episodes)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def iqm(values: np.ndarray) -> float:
    """Interquartile mean: of what is left without the lowest and the highest quarter of values
    `(n,)`."""
    ordered = np.sort(values)
    cut = len(values) // 4
    return float(ordered[cut : len(ordered) - cut].mean())


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
        stats |= {"success_iqm": iqm(rates), "tasks": {}}
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
