"""`search`: flags of training that are good, found by trying, each trial with every seed."""

import argparse
import contextlib
import shlex
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Sequence

from rl import lock
from rl.config import Parser, UserError, program
from rl.experiments.commands.train import make_current_folder_importable
from rl.experiments.comparison.run_scores import CHOICES, LAST_ROWS
from rl.experiments.searches.command_line import FORM, common_flags, read_space
from rl.experiments.searches.definition import (
    PRUNERS,
    STRATEGIES,
    Search,
    check_values,
    load_search,
)
from rl.experiments.searches.pool import SearchPool, trial_name
from rl.experiments.searches.results import (
    FILE,
    best_command,
    describe,
    read_owner,
    status_text,
    write_search,
    write_trials,
)
from rl.experiments.sweeps.launcher import Launcher
from rl.experiments.sweeps.overview import Overview
from rl.experiments.sweeps.pool_flags import (
    POOL_FLAGS,
    add_pool_flags,
    check_pool_flags,
    make_launcher,
    refuse_other,
    split_own_flags,
)
from rl.experiments.sweeps.product import plain
from rl.files import expanded
from rl.signals import STOPPED

if TYPE_CHECKING:
    from rl.experiments.searches.study import Searcher

DATABASE = "search.db"
# Flags of the command itself that are for searches without a file.
OF_SEARCH = {
    "name": "",
    "strategy": "tpe",
    "trials": None,
    "seeds": [0],
    "space": None,
    "fitness": "Performance",
    "score": "last",
    "last": None,
    "minimise": False,
    "prune": None,
    "search_seed": 0,
}
# Those that are for all; what is neither is a flag of training.
OWN = ("", *OF_SEARCH, *POOL_FLAGS, "storage", "data_dir", "status", "debug", "help")
EPILOG = """\
examples:
  search FILE.py --jobs 2
  search --algo ddpg --env Pendulum --epochs 5 --trials 20 --seeds 0 1 \\
    --space pi_lr=log:1e-4:1e-2 q_lr=log:1e-4:1e-2
  search --algo sac --env Pendulum --strategy grid --space gamma=uniform:0.9:0.99:4 \\
    hidden_sizes=choice:64,64:256,256
  search --status data/search_tpe_ddpg_Pendulum

All other flags are those of training, of all runs. The same command again goes on where it was.
"""


def main(argv: Sequence[str]) -> int:
    """The command `main.py search ...`."""
    args, training = parse(argv)
    if args.status is not None:
        print(status_text(args.status))
        return 0
    make_current_folder_importable()
    search = load_search(args.file) if args.file else make_search(args, training)
    check_values(search, args.data_dir)
    folder = args.data_dir / search.name
    refuse_other(folder, "search", FILE, (DATABASE, f"{DATABASE}-journal"))
    storage, study = import_study()
    with contextlib.closing(make_launcher(args)) as launcher:
        folder.mkdir(parents=True, exist_ok=True)
        with lock.locked(folder), storage.storage_errors():
            url = args.storage or f"sqlite:///{(folder / DATABASE).absolute()}"
            owner = read_owner(folder)
            searcher = study.Searcher(search, storage.open_storage(url), owner)
            write_search(folder, search, owner, hide_storage(argv))
            return work(search, searcher, folder, launcher, args, argv)


def parse(argv: Sequence[str]) -> tuple[argparse.Namespace, dict[str, list[str]]]:
    """The command's own flags, and the words of those of training.

    Raises:
      UserError: they can't be, or don't go together.
    """
    words, training = split_own_flags(argv, OWN)
    args = arguments().parse(words)
    check_pool_flags(args)
    given = args.file or args.status
    of_search = [name for name, usual in OF_SEARCH.items() if getattr(args, name) != usual]
    if given and (training or of_search):
        name = min([*training, *of_search])
        raise UserError(f"--{name} is for searches without a file; {given} has it")
    if args.file and args.status:
        raise UserError("--status takes a search's folder, and no file beside it")
    if not given and not args.space:
        raise UserError("search needs a file, --space, or --status DIR; see --help")
    if args.last is not None and args.score != "mean":
        raise UserError("--last is for --score mean")
    return args, training


def arguments() -> Parser:
    """What the command has beside the flags of training."""
    parser = Parser(
        "search",
        description="Search for good flags: try configurations, each with every seed.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    text = "Python file that makes search = rl.Search(name, space, ...)"
    add("file", nargs="?", type=expanded, metavar="FILE.py", help=text)
    text = f"what to search: {FORM}; ranges may end with :POINTS, of their grid (default: 5)"
    add("--space", nargs="+", metavar="SPACE", help=text)
    text = "how configurations are chosen (default: tpe)"
    add("--strategy", choices=STRATEGIES, default="tpe", help=text)
    text = "configurations to try (default: all that grid and ic_grid have)"
    add("--trials", type=int, help=text)
    text = "each configuration is trained with every one (default: 0)"
    add("--seeds", nargs="+", type=int, default=[0], help=text)
    text = "column of the runs' rows (default: Performance, which is the test return)"
    add("--fitness", default="Performance", help=text)
    text = "what a run scores: its last row, the mean of its last rows, or its best row"
    add("--score", choices=CHOICES, default="last", help=text + " (default: last)")
    add("--last", type=int, help=f"rows, for --score mean (default: {LAST_ROWS})")
    add("--minimise", action="store_true", help="less fitness is better")
    text = (
        "give trials up: by a Wilcoxon test over seeds and tasks after each run, or when the "
        "curve of the first run is below the median (default: seeds if there are several)"
    )
    add("--prune", choices=PRUNERS, help=text)
    text = "seed of the strategy's own draws (default: 0)"
    add("--search_seed", type=int, default=0, help=text)
    add_pool_flags(parser)
    text = (
        "URL of an Optuna storage that several machines share, each with its own --data_dir: of a "
        f"database, journal:FILE or grpc://HOST:PORT (default: {DATABASE} in the search's folder)"
    )
    add("--storage", metavar="URL", help=text)
    text = "of the search's folder (default: search, its strategy, algorithm and env)"
    add("--name", default="", help=text)
    text = "folder that the search's folder is in (default: data)"
    add("--data_dir", type=expanded, default=Path("data"), help=text)
    text = "print how far the search in a folder is, from another terminal too"
    add("--status", type=expanded, metavar="DIR", help=text)
    return parser


def make_search(args: argparse.Namespace, training: dict[str, list[str]]) -> Search:
    """The search that a command line says. Raises a UserError where it can't be."""
    common = common_flags(training)
    name = args.name
    if not name:
        parts = ["search", args.strategy, common.get("algo", "ddpg"), common.get("env", "")]
        name = plain("_".join(filter(None, parts)))
    return Search(
        name=name,
        space=read_space(args.space, training),
        common=common,
        strategy=args.strategy,
        trials=args.trials,
        seeds=tuple(args.seeds),
        fitness=args.fitness,
        score=args.score,
        rows=LAST_ROWS if args.last is None else args.last,
        maximise=not args.minimise,
        prune=args.prune,
        seed=args.search_seed,
    )


def import_study() -> tuple[ModuleType, ModuleType]:
    """The modules that need Optuna, of storages and of studies. Raises a UserError where that isn't
    installed."""
    try:
        # pylint: disable-next=import-outside-toplevel
        from rl.experiments.searches import storage, study
    except ModuleNotFoundError as error:
        raise UserError(f"search needs {error.name}: pip install '.[search]'") from None
    return storage, study


def hide_storage(argv: Sequence[str]) -> list[str]:
    """A command line without the URL of its storage, which may have a password."""
    words = []
    after = ""
    for word in argv:
        if after == "--storage":
            word = "URL"
        elif word.startswith("--storage="):
            word = "--storage=URL"
        words.append(word)
        after = word
    return words


def work(
    search: Search,
    searcher: "Searcher",
    folder: Path,
    launcher: Launcher,
    args: argparse.Namespace,
    argv: Sequence[str],
) -> int:
    """Tries what is left to try, with the lock of the search's folder held. Returns the exit
    code."""
    print(f"search: {folder}, by {search.strategy}", flush=True)
    overview = Overview()
    teller = Teller(search, searcher, folder, overview)
    try:
        pool = SearchPool(
            search, searcher, args.data_dir, launcher, args.jobs, overview.show, teller.tell
        )
        code = pool.work()
    finally:
        overview.close()
    write_trials(folder, search, searcher.rows())
    report(search, searcher, folder)
    draw(search, searcher, folder)
    if pool.has_given_up:
        print(f"{pool.failures} trials failed one after another: the search gives up")
    if code == STOPPED:
        print(f"stopped; go on with: {program()} search {shlex.join(hide_storage(argv))}")
    return code


class Teller:
    """Tells of each trial that begins or ends, on the terminal and in `trials.csv`."""

    def __init__(
        self, search: Search, searcher: "Searcher", folder: Path, overview: Overview
    ) -> None:
        self.search = search
        self.searcher = searcher
        self.folder = folder
        self.console = overview.console

    def tell(self, number: int) -> None:
        """Tells of a trial."""
        rows = self.searcher.rows()
        write_trials(self.folder, self.search, rows)
        row = next((row for row in rows if row.number == number), None)
        if row is None:  # another machine has taken it up
            return
        line = f"{trial_name(number)}: {row.state}"
        if row.state == "running":
            line += f", {describe(row.params)}"
        if row.value is not None:
            line += f", {self.search.fitness} {row.value:.5g}"
        if row.state == "pruned" and row.runs:
            line += f" after {row.runs} of {len(self.search.seeds)} runs"
        if row.reason:
            line += f", {row.reason}"
        print(line, file=self.console.file, flush=True)


def draw(search: Search, searcher: "Searcher", folder: Path) -> None:
    """Draws the figures of a search, as far as it has the trials for them."""
    # pylint: disable-next=import-outside-toplevel
    from rl.experiments.plots.output import save_figure

    # pylint: disable-next=import-outside-toplevel
    from rl.experiments.searches.figures import draw_importance, draw_progression

    rows = searcher.rows()
    if any(row.value is not None for row in rows):
        save_figure(draw_progression(search, rows), folder / "progression.png")
    importance = searcher.importance()
    if importance.shares:
        figure = draw_importance(search, importance.shares, importance.method)
        save_figure(figure, folder / "importance.png")


def report(search: Search, searcher: "Searcher", folder: Path) -> None:
    """Prints how many trials ended, and the best one as a command."""
    rows = searcher.rows()
    ended = sum(row.state != "running" for row in rows)
    failed = sum(row.state == "failed" for row in rows)
    pruned = sum(row.state == "pruned" for row in rows)
    print(f"{folder}: {ended} trials ended, {pruned} of them pruned and {failed} failed")
    best = searcher.best()
    if best is None:
        print("no trial has a fitness")
        return
    shown = describe(best.params)
    print(f"best: {trial_name(best.number)}, {search.fitness} {best.value:.5g}, {shown}")
    print(f"  {best_command(search, best.params, search.seeds, folder)}")
