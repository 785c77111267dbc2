"""Networks that choose what tasks share, with flags for the length of a run, for several sweeps."""

from typing import Any

Methods = dict[str, dict[str, Any]]


def choosing(updates: int) -> Methods:
    """Networks that choose their structure by gradients, proposals or routers.

    Args:
      updates: of a whole run, of which they choose in the first half.
    """
    return {
        "routing": {"network": "routing", "blocks": 2, "route_updates": 40, "router_lr": 0.1},
        "modular": {
            "network": "modular",
            "modules": 3,
            "propose_updates": 40,
            "anneal_updates": updates // 2,
        },
        "adashare": {
            "network": "adashare",
            "warmup_updates": updates // 10,
            "turn_updates": 80,
            "policy_updates": updates // 2,
            "structure_lr": 0.05,
        },
        "learned_branching": {
            "network": "learned_branching",
            "warmup_updates": updates // 20,
            "policy_updates": updates // 2,
            "structure_lr": 0.05,
        },
    }


def masking(updates: int) -> Methods:
    """Networks of which tasks use parts by masks, made while a run of `updates` begins."""
    return {
        "sparse_sharing": {
            "network": "sparse_sharing",
            "warmup_updates": updates // 10,
            "rounds": 3,
            "round_updates": updates // 10,
        },
        "sparse_sharing_saliency": {
            "network": "sparse_sharing",
            "tickets": "saliency",
            "warmup_updates": updates // 10,
            "saliency_updates": updates // 20,
        },
    }


def mixing(units: int) -> Methods:
    """Networks that mix what they share by weights; `units` is the width of their layers."""
    return {
        "soft_modules": {"network": "soft_modules", "module_units": units},
        "paco": {"network": "paco"},
        "moore": {"network": "moore"},
        "soft_order": {"network": "soft_order"},
        "cross_stitch": {"network": "cross_stitch"},
        "mtan": {"network": "mtan"},
    }
