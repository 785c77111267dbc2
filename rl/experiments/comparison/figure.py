"""The results as a figure: a row for each env, with the intervals of its methods and their
performance profiles."""

from typing import Any, Sequence

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rl.experiments.comparison.comparisons import Estimate, Summary
from rl.experiments.comparison.report import EnvReport, titles
from rl.experiments.plots.panels import PANEL_WIDTH, SETTINGS, line_style
from rl.experiments.plots.text import shorten
from rl.experiments.statistics.bootstrap import FEWEST_FOR_BOOTSTRAP
from rl.experiments.statistics.profiles import performance_profile, profile_band

ROW_HEIGHT = 2.2  # inches, of an env with its axes
METHOD_HEIGHT = 0.3  # more for each method
POINTS = 201  # thresholds of a profile
LABEL_LENGTH = 40  # characters


def draw_comparison(reports: Sequence[EnvReport], rate: bool) -> Figure:
    """Means, IQMs and profiles of every method; a label looks the same in all panels.

    Args:
      rate: the scores are success rates, so that axes are from 0 to 1.
    """
    labels: dict[str, None] = {}
    for report in reports:
        labels.update(dict.fromkeys(summary.method.label for summary in report.summaries))
    styles = {label: line_style(number) for number, label in enumerate(labels)}
    heights = [ROW_HEIGHT + METHOD_HEIGHT * len(report.summaries) for report in reports]
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(3 * PANEL_WIDTH, sum(heights)), layout="constrained")
        FigureCanvasAgg(figure)
        rows = figure.subplots(len(reports), 3, squeeze=False, height_ratios=heights)
        for panels, title, report in zip(rows, titles(reports), reports):
            means = [summary.mean for summary in report.summaries]
            middles = [summary.iqm for summary in report.summaries]
            _draw_estimates(panels[0], report, means, styles)
            panels[0].set(title=shorten(f"{title}: mean, 95%", 60), xlabel=report.scoring.value)
            _draw_estimates(panels[1], report, middles, styles)
            panels[1].set(title="IQM, 95%", xlabel=report.scoring.value, yticklabels=[])
            _draw_profiles(panels[2], report, rate, styles)
    return figure


def _draw_estimates(
    panel: Any,
    report: EnvReport,
    estimates: Sequence[Estimate],
    styles: dict[str, dict[str, Any]],
) -> None:
    """A point with its interval for each method, from top to bottom."""
    names = []
    for place, (summary, estimate) in enumerate(zip(report.summaries, estimates)):
        color = styles[summary.method.label]["color"]
        panel.plot(estimate.value, place, marker="o", color=color)
        if estimate.interval is not None:
            panel.plot(list(estimate.interval), [place, place], linewidth=2, color=color)
        names.append(_name(summary))
    panel.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))


def _name(summary: Summary) -> str:
    return f"{shorten(summary.method.label, LABEL_LENGTH)} (n={summary.method.count})"


def _draw_profiles(
    panel: Any, report: EnvReport, rate: bool, styles: dict[str, dict[str, Any]]
) -> None:
    """The share of scores above each threshold, with a band where there are enough runs."""
    thresholds = _thresholds(report, rate)
    for summary in report.summaries:
        method = summary.method
        style = styles[method.label]
        shares = performance_profile(method.scores, thresholds)
        panel.plot(thresholds, shares, **style)
        if method.count >= FEWEST_FOR_BOOTSTRAP:
            options = report.options
            low, high = profile_band(method.scores, thresholds, options.unit, options.rng())
            panel.fill_between(thresholds, low, high, alpha=0.2, linewidth=0, color=style["color"])
    unit = "runs and tasks" if report.summaries[0].method.tasks else "runs"
    panel.set(title="performance profile", ylim=(-0.03, 1.03))
    panel.set(xlabel=f"{report.scoring.value} t", ylabel=f"share of {unit} above t")


def _thresholds(report: EnvReport, rate: bool) -> np.ndarray:
    if rate:
        return np.linspace(0, 1, POINTS)
    scores = np.concatenate([summary.method.scores.ravel() for summary in report.summaries])
    return np.linspace(scores.min(), scores.max(), POINTS)
