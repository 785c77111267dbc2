"""How strategies of `search` do on a function whose best configuration is known.

    .venv/bin/python benchmarks/search_strategies.py

The function is a quadratic of the places of three flags in their ranges, with another optimum and
other curvatures in each of 20 repeats, without noise and with some; a trial is a call of it in
place of runs. Printed, and written to `benchmarks/results/search_strategies.csv`, is how far the
configuration that is best by what was measured is from the optimum, as a base-10 logarithm of the
function's loss there, and its difference from that of random search in the same repeat with a 95% t
interval. Then each strategy's search is killed by SIGKILL at random moments, until it is through,
and compared with one that wasn't; and what the grid visits with the grid.
"""

import argparse
import csv
import itertools
import math
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import optuna

sys.path.insert(0, str(Path(__file__).parents[1]))

from rl.experiments.plots.text import aligned  # noqa: E402
from rl.experiments.searches.definition import STRATEGIES, Search  # noqa: E402
from rl.experiments.searches.spaces import LogUniform, Point, Uniform  # noqa: E402
from rl.experiments.searches.storage import open_storage  # noqa: E402
from rl.experiments.searches.study import Searcher  # noqa: E402
from rl.experiments.statistics.intervals import t_interval  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "search_strategies.csv"
SPACE = {
    "pi_lr": LogUniform(1e-5, 1e-1),
    "q_lr": LogUniform(1e-5, 1e-1),
    "gamma": Uniform(0.9, 1.0),
}
TRIALS = 40
REPEATS = 20
NOISES = (0.0, 0.05)  # standard deviations; the loss of the middle of the space is about 0.2
LEAST = 1e-12  # loss, of which there is a logarithm
KILLED_TRIALS = 15
SLOWNESS = 0.05  # seconds that a trial takes in a search that is killed


class Quadratic:
    """Minus the loss of a configuration, which is 0 at the optimum.

    Args:
      repeat: decides the optimum and the curvatures. noise: standard deviation of what is added; it
        is the same whenever a configuration is tried.
    """

    def __init__(self, repeat: int, noise: float) -> None:
        rng = np.random.default_rng(repeat)
        self.optimum = rng.uniform(0.1, 0.9, len(SPACE))
        self.curvatures = 10 ** rng.uniform(-0.5, 0.5, len(SPACE))
        self.repeat = repeat
        self.noise = noise

    def loss(self, params: dict[str, Point]) -> float:
        """Without the noise."""
        places = np.array([SPACE[name].fraction(params[name]) for name in SPACE])
        return float((self.curvatures * (places - self.optimum) ** 2).sum())

    def __call__(self, params: dict[str, Point]) -> float:
        rng = random.Random(f"{self.repeat} {sorted(params.items())}")
        return -self.loss(params) + self.noise * rng.gauss(0, 1)


def make_search(strategy: str, repeat: int, trials: int = TRIALS) -> Search:
    """A search of the space by a strategy."""
    return Search("quadratic", SPACE, strategy=strategy, trials=trials, seed=repeat, prune="none")


def log_loss(strategy: str, repeat: int, noise: float) -> float:
    """Base-10 logarithm of the loss of the best configuration that a strategy found."""
    quadratic = Quadratic(repeat, noise)
    storage = optuna.storages.InMemoryStorage()
    searcher = Searcher(make_search(strategy, repeat), storage, "benchmark")
    searcher.drive(quadratic)
    best = searcher.best()
    assert best is not None
    return math.log10(max(quadratic.loss(best.params), LEAST))


def compare_strategies() -> None:
    """Prints and writes how strategies do."""
    table = [["strategy", "noise", "log10 loss", "minus random's", "low", "high", "wins"]]
    for noise in NOISES:
        losses = {}
        for strategy in STRATEGIES:
            found = [log_loss(strategy, repeat, noise) for repeat in range(REPEATS)]
            losses[strategy] = np.array(found)
        for strategy, of_strategy in losses.items():
            cells = [strategy, f"{noise:g}", f"{of_strategy.mean():.2f}"]
            if strategy != "random":
                difference = of_strategy - losses["random"]
                interval = t_interval(difference)
                cells += [f"{value:.2f}" for value in (difference.mean(), *interval)]
                cells.append(f"{(difference < 0).sum()} of {REPEATS}")
            table.append([*cells, *[""] * (len(table[0]) - len(cells))])
    print(f"{TRIALS} trials, {REPEATS} repeats")
    print(aligned(table))
    RESULTS.parent.mkdir(exist_ok=True)
    with open(RESULTS, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(table)


def check_grid() -> None:
    """Says whether `grid` visits the grid, each point once."""
    search = Search("grid", SPACE, strategy="grid", prune="none")
    searcher = Searcher(search, optuna.storages.InMemoryStorage(), "benchmark")
    searcher.drive(Quadratic(0, 0.0))
    visited = [tuple(row.params.values()) for row in searcher.rows()]
    grid = list(itertools.product(*[space.grid() for space in SPACE.values()]))
    print(f"grid: {len(visited)} trials, the {len(grid)} points once each: {visited == grid}")


def slow_quadratic(params: dict[str, Point]) -> float:
    """The first quadratic, at a pace at which a process can be killed in the middle."""
    time.sleep(SLOWNESS)
    return Quadratic(0, 0.0)(params)


def search_on_disk(strategy: str, folder: Path) -> list[tuple[object, ...]]:
    """Goes on with a search whose trials are in a database. Returns all its trials."""
    storage = open_storage(f"sqlite:///{folder / strategy}.db")
    searcher = Searcher(make_search(strategy, 0, KILLED_TRIALS), storage, "benchmark")
    searcher.drive(slow_quadratic)
    return [(row.number, row.state, row.value, row.params) for row in searcher.rows()]


def check_killed(strategy: str) -> None:
    """Says whether a search that is killed again and again ends as one that wasn't."""
    with tempfile.TemporaryDirectory() as folder:
        whole = search_on_disk(strategy, Path(folder))
    rng = random.Random(strategy)
    kills = 0
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--go_on", strategy, folder]
        is_through = False
        while not is_through:
            with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                process.stdout.readline()  # all is imported
                try:
                    is_through = process.wait(timeout=rng.uniform(0.5, 6.0)) == 0
                except subprocess.TimeoutExpired:
                    process.kill()
                    kills += 1
        killed = search_on_disk(strategy, Path(folder))
    print(f"{strategy}: killed {kills} times, the same {len(whole)} trials: {killed == whole}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    text = "strategy and folder: go on with the search that is to be killed"
    parser.add_argument("--go_on", nargs=2, help=text)
    args = parser.parse_args()
    if args.go_on:
        print("begins", flush=True)
        search_on_disk(args.go_on[0], Path(args.go_on[1]))
        return
    compare_strategies()
    check_grid()
    for strategy in STRATEGIES:
        check_killed(strategy)


if __name__ == "__main__":
    main()
