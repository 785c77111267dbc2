"""Which algorithms, networks and gradient methods have a flag."""

import dataclasses
from typing import Iterable, Mapping

from rl.flags import ALGORITHMS, GRADIENTS, NETWORKS, sections


def others(chosen: Mapping[str, str]) -> dict[str, str]:
    """Name of a flag -> who has it, and that what is `chosen` has not."""
    tables: dict[str, dict[str, Iterable[type]]] = {
        "algo": {name: sections({"algo": name}).values() for name in ALGORITHMS},
        "network": {name: [flags.config] for name, flags in NETWORKS.items()},
        "gradient": {name: [config] for name, config in GRADIENTS.items()},
    }
    told = {}
    for choice, table in tables.items():
        for name, owners in _owners(table).items():
            told[name] = f"--{choice} {' or '.join(owners)} has it, {chosen[choice]} has not"
    return told


def _owners(table: Mapping[str, Iterable[type]]) -> dict[str, list[str]]:
    """Name of a flag -> which of `table` have it in one of their dataclasses."""
    owners: dict[str, list[str]] = {}
    for owner, parts in table.items():
        for part in parts:
            for field in dataclasses.fields(part):
                owners.setdefault(field.name, []).append(owner)
    return owners
