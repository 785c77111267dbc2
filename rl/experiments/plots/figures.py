"""All that `plot` draws, to be imported when it does, since matplotlib takes long."""

from typing import Sequence

import numpy as np
from matplotlib.figure import Figure

from rl.experiments.plots.branches import draw_branches
from rl.experiments.plots.flag_table import MOST_COLUMNS
from rl.experiments.plots.groups import Group, differences
from rl.experiments.plots.heatmap import draw_tasks
from rl.experiments.plots.options import Options
from rl.experiments.plots.panels import draw
from rl.experiments.plots.text import warn
from rl.experiments.plots.tree import draw_structure

__all__ = ["draw_branches", "draw_curves", "draw_structure", "draw_tasks"]


def draw_curves(groups: Sequence[Group], options: Options) -> Figure:
    """Learning curves and the table of flags; warns on stderr of flags that it has no room for."""
    names = differences(groups)[0]
    if len(names) > MOST_COLUMNS:
        hidden = ", ".join(names[MOST_COLUMNS:])
        warn(f"the table has {MOST_COLUMNS} of {len(names)} differing flags; the others: {hidden}")
    with np.errstate(over="ignore", invalid="ignore"):  # diverged runs have the largest numbers
        return draw(groups, options)
