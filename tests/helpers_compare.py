"""Runs of several tasks as small files, for what compares methods."""

import json
import re
from pathlib import Path

DOCUMENTATION = Path(__file__).parents[1] / "docs" / "experiments.md"


def make_task_run(directory, rates, exp_name, seed=0, env="MT2", **config):
    """A run whose tasks have these success rates, a list of rows each; its own is their mean."""
    directory.mkdir(parents=True)
    names = [f"TestSuccess/{task}" for task in rates]
    lines = ["\t".join(["Epoch", "AverageEpRet", "TotalEnvInteracts", "TestSuccess", *names])]
    for epoch, row in enumerate(zip(*rates.values())):
        cells = [epoch, 0, 1000 * (epoch + 1), sum(row) / len(row), *row]
        lines.append("\t".join(map(str, cells)))
    (directory / "progress.txt").write_text("\n".join(lines) + "\n")
    settings = {"exp_name": exp_name, "seed": seed, "env": env, **config}
    (directory / "config.json").write_text(json.dumps(settings))


def make_methods(folder, levels, runs=5, **config):
    """Runs of experiments in two tasks: `levels` has the mean rate of each, from which runs differ
    by steps of 0.02, and tasks by 0.1 either way."""
    for exp_name, level in levels.items():
        for seed in range(runs):
            rate = round(level + 0.02 * (seed - (runs - 1) / 2), 3)
            rates = {"reach": [0, rate + 0.1], "push": [0, rate - 0.1]}
            place = folder / exp_name / f"{exp_name}_s{seed}"
            make_task_run(place, rates, exp_name, seed, **config)


def examples(title, language):
    """The blocks in a language in the section of docs/experiments.md with this title."""
    sections = re.split("^## ", DOCUMENTATION.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (section,) = [text for text in sections if text.startswith(f"{title}\n")]
    return re.findall(rf"^```{language}\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
