"""Figures of a search: how its trials went on, and how much each flag matters."""

from typing import TYPE_CHECKING, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rl.experiments.searches.definition import Search

if TYPE_CHECKING:
    from rl.experiments.searches.study import TrialRow

SIZE = (6.4, 4.0)  # inches
COLOURS = {"complete": "C0", "pruned": "C7"}


def draw_progression(search: Search, rows: Sequence["TrialRow"]) -> Figure:
    """Every trial's fitness and the best one so far, by the trials' numbers."""
    figure = Figure(figsize=SIZE)
    axes = figure.add_subplot()
    for state, colour in COLOURS.items():
        state_rows = [row for row in rows if row.state == state and row.value is not None]
        if not state_rows:
            continue
        numbers = [row.number for row in state_rows]
        axes.plot(numbers, [row.value for row in state_rows], "o", color=colour, label=state)
    complete = [row for row in rows if row.state == "complete" and row.value is not None]
    if complete:
        values = np.array([row.value for row in complete])
        choose = np.maximum if search.maximise else np.minimum
        numbers = [row.number for row in complete]
        axes.step(numbers, choose.accumulate(values), where="post", color="C1", label="best so far")
    failed = [row.number for row in rows if row.state == "failed"]
    if failed:
        bottom = axes.get_ylim()[0]
        axes.plot(failed, [bottom] * len(failed), "x", color="C3", label="failed", clip_on=False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("trial")
    axes.set_ylabel(search.fitness)
    axes.set_title(f"{search.name}: {search.strategy}")
    axes.legend()
    return figure


def draw_importance(search: Search, importance: Mapping[str, float], method: str) -> Figure:
    """The importance of each flag as a bar."""
    figure = Figure(figsize=SIZE)
    axes = figure.add_subplot()
    names = sorted(importance, key=lambda name: importance[name])
    bars = axes.barh(names, [importance[name] for name in names])
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.set_xlim(0, 1.1)
    axes.set_xlabel(f"share of the variance of {search.fitness}, by {method}")
    axes.set_title(f"{search.name}: importance")
    return figure
