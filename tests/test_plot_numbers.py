"""The numbers that `plot` draws are those in `tests/data/plots/`.

After a change that is meant to alter them, write them anew and read the difference:

    python -m tests.test_plot_numbers
"""

import json
import math
import tempfile
from pathlib import Path

import numpy as np
import pytest

from tests.plot_runs import bands, drawn, legends, make_run, panels

REFERENCES = Path(__file__).parent / "data" / "plots"
# what is drawn -> folders of runs below, and flags
CASES = {
    "unequal_lengths": ["unequal", "-s", "3"],
    "time": ["unequal", "-x", "Time"],
    "envs_iqm": ["envs", "--est", "iqm", "-y", "Performance", "AverageEpRet"],
    "median": ["unequal", "--est", "median"],
    "pooled_sd": ["flags", "-l", "pooled", "--band", "sd"],
    "told_apart_se": ["flags", "--band", "se"],
    "ten_groups": ["many", "--band", "range"],
}


def curve(rows, top, phase):
    """A learning curve with bumps, without random numbers."""
    return [
        round(top * (1 - math.exp(-3 * i / rows)) + 0.1 * top * math.sin(i + phase), 4)
        for i in range(rows)
    ]


def make_all(folder):
    """Runs of unequal lengths and speeds, of several envs, of different flags, of ten groups."""
    for seed in range(5):
        for name, top in (("slow", 100), ("fast", 200)):
            rows = 6 + 2 * seed
            times = [round((i + 1) * (5 + 1.7 * seed), 4) for i in range(rows)]
            run = folder / "unequal" / f"{name}_s{seed}"
            make_run(run, curve(rows, top, seed), seed=seed, exp_name=name, times=times)
        for env, top in (("Ant-v5", 50), ("Hopper-v5", -300)):
            for name in ("ddpg", "sac"):
                run = folder / "envs" / f"{env}_{name}_s{seed}"
                values = curve(4, top + len(name), seed)
                make_run(run, values, seed=seed, exp_name=name, config={"env": env, "algo": name})
        config = {"q_lr": 0.001 if seed < 3 else 0.01}
        run = folder / "flags" / f"x_s{seed}"
        make_run(run, curve(5, 10, seed), seed=seed, exp_name="x", config=config)
    for number in range(10):
        for seed in range(2):
            run = folder / "many" / f"e{number}_s{seed}"
            make_run(run, curve(3, number + 1, seed), seed=seed, exp_name=f"e{number}")


def numbers(figure):
    """What is drawn, as JSON has it."""
    found = []
    for panel in panels(figure):
        lines = []
        for line in panel.get_lines():
            lines.append(
                {
                    "color": line.get_color(),
                    "width": line.get_linewidth(),
                    "dashes": line._dash_pattern[1],
                    "x": np.asarray(line.get_xdata(), float).tolist(),
                    "y": np.asarray(line.get_ydata(), float).tolist(),
                }
            )
        edges = [
            [[x, float(low), float(high)] for x, (low, high) in band.items()]
            for band in bands(panel)
        ]
        names = {"title": panel.get_title(), "x": panel.get_xlabel(), "y": panel.get_ylabel()}
        found.append({"names": names, "lines": lines, "bands": edges})
    tables = [table for axes in figure.get_axes() for table in axes.tables]
    cells = [
        [*place, cell.get_text().get_text()]
        for t in tables
        for place, cell in t.get_celld().items()
    ]
    return {"panels": found, "legends": legends(figure), "table": sorted(cells)}


def check(actual, wanted, place=""):
    """The same structure and texts, and numbers that agree to a millionth."""
    if isinstance(wanted, dict):
        assert actual.keys() == wanted.keys(), place
        for key in wanted:
            check(actual[key], wanted[key], f"{place}/{key}")
    elif isinstance(wanted, (list, tuple)):
        assert len(actual) == len(wanted), place
        for number, value in enumerate(wanted):
            check(actual[number], value, f"{place}/{number}")
    elif isinstance(wanted, (int, float)):
        assert actual == pytest.approx(wanted, rel=1e-6, abs=1e-9), place
    else:
        assert actual == wanted, place


def draw_case(case, folder, monkeypatch):
    """The figure of a case, from the runs in `folder`."""
    name, *flags = CASES[case]
    return drawn(monkeypatch, folder, folder / name, *flags)


@pytest.fixture(name="folder", scope="module")
def all_runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    make_all(folder)
    return folder


@pytest.mark.parametrize("case", CASES)
def test_numbers(case, folder, monkeypatch):
    wanted = json.loads((REFERENCES / f"{case}.json").read_text())
    check(numbers(draw_case(case, folder, monkeypatch)), wanted)


def test_the_reference_has_what_can_be_worked_out_by_hand():
    """Of 5 runs of 6, 8, .. 14 rows, each row later by 5, 6.7, .. 11.8 seconds."""
    time, unequal, iqm = (
        json.loads((REFERENCES / f"{case}.json").read_text())["panels"][0]
        for case in ("time", "unequal_lengths", "envs_iqm")
    )
    shared = [line["x"] for line in time["lines"] if line["width"] == 1.6]
    assert [(x[0], x[-1]) for x in shared] == [(11.8, 30)] * 2  # last to start, first to end
    shared = [line["x"] for line in unequal["lines"] if line["width"] == 1.6]
    assert shared == [[1000, 2000, 3000, 4000, 5000, 6000]] * 2
    first = sorted(5.4 * math.sin(seed) for seed in range(5))  # top 54, at the first row
    middle = (0.75 * first[1] + first[2] + 0.75 * first[3]) / 2.5
    assert iqm["lines"][0]["y"][0] == pytest.approx(middle, abs=1e-4)


def write_references():
    REFERENCES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as monkeypatch:
        make_all(Path(folder))
        for case in CASES:
            figure = draw_case(case, Path(folder), monkeypatch)
            text = json.dumps(numbers(figure), indent=1)
            (REFERENCES / f"{case}.json").write_text(text + "\n")


if __name__ == "__main__":
    write_references()
