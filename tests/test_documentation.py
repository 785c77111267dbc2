"""Every command that the documentation shows has flags that exist and go together, and every sweep
of benchmarks/ can be planned."""

import dataclasses
import os
import re
import shlex
from pathlib import Path

import pytest

from rl.config import UserError
from rl.experiments.commands import branch, compare
from rl.experiments.commands import eval as eval_command
from rl.experiments.commands import meta_test, plot, report, resume, search, sweep, training_flags
from rl.experiments.rundir import RunDir
from rl.experiments.sweeps.definition import load_sweep
from rl.experiments.sweeps.plan import make_plan
from tests.helpers import ROOT

PAGES = [
    ROOT / "README.md",
    ROOT / "benchmarks" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
SWEEPS = sorted((ROOT / "benchmarks" / "sweeps").glob("*.py"))
# Flags of configurations that leave algorithm and env to the reader.
BASE = {
    "ddpg": ["--algo", "ddpg", "--env", "Pendulum"],
    "sac": ["--algo", "sac", "--env", "Pendulum"],
    "ppo": ["--algo", "ppo", "--env", "MT10"],
}
PARSERS = {
    "branch": branch.parse,
    "compare": compare.parse,
    "eval": eval_command.parse,
    "meta-test": meta_test.parse_command,
    "plot": plot.parse,
    "report": report.parse,
    "resume": lambda argv: resume.arguments().parse(argv),
    "search": search.parse,
    "sweep": sweep.parse,
}


def commands_of(text):
    """The words after main.py of each command in Markdown's blocks of code, and in `...`; variables
    of the shell have the values that the lines before gave them."""
    text = text.replace("\\\n", " ")
    shell = re.findall(r"^(?:    )?(\w+=\".*\"|[\w./]*python main\.py .*)$", text, re.MULTILINE)
    shell += re.findall(r"`(python main\.py [^`]+)`", text)
    variables = {}
    for line in shell:
        line = re.sub(r"\$(\w+)", lambda match: variables.get(match[1], match[0]), line)
        words = shlex.split(line, comments=True)
        name, _, value = words[0].partition("=")
        if value:
            variables[name] = value
        else:
            yield words[2:]


def check(argv):
    """Raises a UserError, or SystemExit where help is asked for, as the command would."""
    if argv[0] in PARSERS:
        PARSERS[argv[0]](argv[1:])
    else:
        training_flags.parse(argv)


@pytest.fixture(autouse=True)
def runs_are_there(monkeypatch):
    """The documentation's runs needn't be."""
    monkeypatch.setattr(RunDir, "find", staticmethod(lambda text: RunDir(Path(text))))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_are_taken(page):
    for argv in commands_of(page.read_text(encoding="utf-8")):
        try:
            check(argv)
        except SystemExit as end:
            assert end.code == 0 and argv[-1].startswith("--help")
        except UserError as error:
            pytest.fail(f"{shlex.join(argv)}: {error}")


def test_there_are_commands_to_check():
    counts = [len(list(commands_of(page.read_text(encoding="utf-8")))) for page in PAGES]
    assert sum(counts) >= 50
    lines = [
        'A="--algo ddpg"',
        'A="$A -s 1"',
        "    python main.py $A \\",
        "        --epochs 2  # two",
        "or `python main.py sweep x`",
    ]
    text = "\n".join(lines)
    assert list(commands_of(text)) == [
        ["--algo", "ddpg", "-s", "1", "--epochs", "2"],
        ["sweep", "x"],
    ]


def test_a_wrong_command_is_noticed():
    with pytest.raises(UserError):
        check("--env MT10 --network splitting --split_warmup 100".split())
    with pytest.raises(UserError):
        check("plot data --nothing".split())


def test_the_configurations_of_the_readme_are_taken():
    """Each by some algorithm, on one task or several."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"Some configurations:\n\n```\n(.*?)```", text, re.DOTALL)
    lines = [line for line in block.splitlines() if line.startswith("--")]
    assert len(lines) > 15
    for line in lines:
        words = shlex.split(line, comments=True)
        assert any(is_taken([*BASE[algo], *words]) for algo in BASE), line


def is_taken(argv):
    try:
        training_flags.parse(argv)
    except UserError:
        return False
    return True


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_sweeps_can_be_planned(path, monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    definition = load_sweep(path)
    once = dataclasses.replace(definition, seeds=definition.seeds[:1])
    assert len(make_plan(once, tmp_path)) == len(definition.methods)
    assert not os.listdir(tmp_path)
