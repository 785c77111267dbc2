"""Run directories as small files, and what `plot` draws of them. Without TensorFlow."""

import json

import numpy as np
from matplotlib.figure import Figure

from rl.__main__ import main


def make_run(
    directory,
    values,
    step=1000,
    seed=0,
    exp_name="exp",
    extra="",
    config=None,
    name="AverageTestEpRet",
    times=None,
):
    """A run whose training return is one below `values`; `times` are its column Time."""
    directory.mkdir(parents=True)
    times = range(len(values)) if times is None else times
    lines = [f"Epoch\tAverageEpRet\t{name}\tTotalEnvInteracts\tTime"]
    for i, (value, time) in enumerate(zip(values, times)):
        lines.append(f"{i}\t{value - 1}\t{value}\t{step * (i + 1)}\t{time}")
    (directory / "progress.txt").write_text("\n".join(lines) + "\n" + extra)
    settings = {"exp_name": exp_name, "seed": seed, "gamma": 0.99, **(config or {})}
    (directory / "config.json").write_text(json.dumps(settings))


def make_runs(folder, exp_name, curves, **config):
    """A run for each of `curves`, with seeds from 0."""
    for seed, values in enumerate(curves):
        make_run(
            folder / f"{exp_name}_s{seed}", values, seed=seed, exp_name=exp_name, config=config
        )


def drawn(monkeypatch, tmp_path, *argv):
    """The figure that the command draws."""
    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: figures.append(figure))
    out = str(tmp_path / "drawn.png")
    assert main(["plot", *map(str, argv), "-o", out]) == 0
    return figures[0]


def panels(figure):
    """Its axes that have a title: legends and tables have none."""
    return [axes for axes in figure.get_axes() if axes.get_title()]


def legends(figure):
    """All texts of each legend: the title first, where there is one."""
    found = []
    for axes in figure.get_axes():
        legend = axes.get_legend()
        if legend:
            texts = [legend.get_title(), *legend.get_texts()]
            found.append([text.get_text() for text in texts if text.get_text()])
    return found


def lines(panel):
    """Its lines: width, colour, x, y."""
    found = []
    for line in panel.get_lines():
        x, y = np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)
        found.append((line.get_linewidth(), line.get_color(), x.tolist(), y.tolist()))
    return found


def bands(panel):
    """Lower and upper edge of each band, by x."""
    found = []
    for collection in panel.collections:
        vertices = collection.get_paths()[0].vertices
        found.append(
            {
                float(x): (
                    vertices[vertices[:, 0] == x, 1].min(),
                    vertices[vertices[:, 0] == x, 1].max(),
                )
                for x in np.unique(vertices[:, 0])
            }
        )
    return found
