"""The trials of a search, in an Optuna study. Imports Optuna.

A configuration is chosen by the strategy, and given to the study as one that is waiting, all of it
in one step; then Optuna hands it out. What a killed process leaves behind is a trial that waits or
runs, with its configuration, and the next process of the same owner takes it up.
"""

import contextlib
import dataclasses
import importlib.util
import json
import math
import time
import warnings
from typing import Callable, Iterator, Mapping, Optional, Sequence, Union

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import BaseStorage, RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from rl.config import UserError
from rl.experiments.searches.coordinates import AutoIC, ICGrid
from rl.experiments.searches.definition import Search
from rl.experiments.searches.parameters import suggest
from rl.experiments.searches.spaces import Point, Space
from rl.experiments.searches.strategies import Grid, Proposal, Random, Strategy, Tried
from rl.experiments.searches.tpe import TPE

STRATEGIES: Mapping[str, Callable[[Mapping[str, Space]], Strategy]] = {
    "random": Random,
    "grid": Grid,
    "ic_grid": ICGrid,
    "auto_ic": AutoIC,
    "tpe": TPE,
}
HEARTBEAT = 60  # seconds between two signs of life of a trial
GRACE = 240  # seconds without one after which a trial is another machine's to take up
MOST_RETRIES = 3  # of such a trial
FEWEST_CURVES = 5  # complete trials, before "curves" pruning begins
FEWEST_FOR_IMPORTANCE = 4  # complete trials
JOURNAL = "journal:"  # how the URL of a file of Optuna's journal begins
GRPC = "grpc://"
# Keys of a study's and of a trial's attributes.
IDENTITY = "search"
OWNER = "owner"
PARAMS = "params"
NOTE = "note"
RUNS = "runs"
PRUNED = "pruned"
FAILED = "failed"


@dataclasses.dataclass(frozen=True)
class TrialRow:
    """What became of a trial.

    Attributes:
      state: "running", "complete", "pruned" or "failed". value: its fitness, None where there is
        none. runs: how many of its runs that is the mean of. reason: of a failure.
      started, ended: local times, in ISO 8601; "" where it wasn't.
    """

    number: int
    state: str
    value: Optional[float]
    runs: int
    reason: str
    started: str
    ended: str
    params: dict[str, Point]


@dataclasses.dataclass(frozen=True)
class Importance:
    """How much each flag matters.

    Attributes:
      shares: flag -> in [0, 1], their sum is 1; none where there are too few trials.
    """

    method: str
    shares: dict[str, float]


def open_storage(url: str) -> BaseStorage:
    """Where Optuna keeps trials.

    Args:
      url: of a database, as SQLAlchemy has it; `journal:FILE`, for a folder that several machines
        share; or `grpc://HOST:PORT`, of Optuna's proxy. Only databases have a heartbeat, by which a
        machine takes up the trials of one that is gone.

    Raises:
      UserError: it can't be opened.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return _open_storage(url)
    except Exception as error:  # pylint: disable=broad-exception-caught  # of many libraries
        first = str(error).partition("\n")[0]
        raise UserError(f"cannot open the storage: {type(error).__name__}: {first}") from error


def _open_storage(url: str) -> BaseStorage:
    if url.startswith(JOURNAL):
        file = JournalFileBackend(url.removeprefix(JOURNAL))
        return optuna.storages.JournalStorage(file)
    if url.startswith(GRPC):
        host, _, port = url.removeprefix(GRPC).rpartition(":")
        return optuna.storages.GrpcStorageProxy(host=host, port=int(port))
    return RDBStorage(
        url,
        heartbeat_interval=HEARTBEAT,
        grace_period=GRACE,
        heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(MOST_RETRIES),
    )


@contextlib.contextmanager
def storage_errors() -> Iterator[None]:
    """Has a storage that fails meanwhile, such as on a full disk, be a UserError."""
    try:
        yield
    except StorageInternalError as error:
        first = str(error.__cause__ or error).partition("\n")[0]
        raise UserError(f"the storage fails: {first}; what was saved is sound") from error


def make_pruner(kind: str) -> optuna.pruners.BasePruner:
    """The pruner of one of the ways in rl/experiments/searches/definition.py."""
    if kind == "seeds":
        return optuna.pruners.WilcoxonPruner()
    if kind == "curves":
        return optuna.pruners.MedianPruner(n_startup_trials=FEWEST_CURVES)
    return optuna.pruners.NopPruner()


class Searcher:
    """Chooses configurations, and keeps what became of them.

    Args:
      owner: of the trials that this process begins: they are taken up by the next process of the
        same owner, and by no other until their heartbeat has stopped for GRACE seconds.

    Raises:
      UserError: the storage has another search of this name.
    """

    def __init__(self, search: Search, storage: BaseStorage, owner: str) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.search = search
        self.owner = owner
        self.strategy: Strategy = STRATEGIES[search.strategy](search.space)
        self._storage = storage
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            self.study = optuna.create_study(
                storage=storage,
                study_name=search.name,
                direction="maximize" if search.maximise else "minimize",
                pruner=make_pruner(search.pruning),
                load_if_exists=True,
            )
        self._check_identity()
        self._open: dict[int, Trial] = {}
        self._next_beat = 0.0

    def _check_identity(self) -> None:
        identity = self.search.identity()
        found = self.study.user_attrs.get(IDENTITY)
        if found is None:
            self.study.set_user_attr(IDENTITY, identity)
            return
        for name, value in identity.items():
            if found.get(name) != value:
                raise UserError(
                    f"the search {self.search.name} was begun with {name} "
                    f"{json.dumps(found.get(name))}, and now it is {json.dumps(value)}; give it "
                    "another name"
                )

    # Choosing --------------------------------------------------------------------

    def take_up(self) -> list[int]:
        """Numbers of the trials that an earlier process of this owner left behind, in order."""
        for frozen in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if frozen.user_attrs.get(OWNER) == self.owner:
                self._begin(frozen.number)
        return sorted(self._open)

    def ask(self) -> Optional[int]:
        """The number of a new trial; None: there are enough, or nothing is left to try."""
        self._fail_stale()
        trials = self.study.get_trials(deepcopy=False)
        if not any(frozen.state == TrialState.WAITING for frozen in trials):
            proposal = self._propose(trials)
            if proposal is None:
                return None
            attributes = {OWNER: self.owner, PARAMS: proposal.params, NOTE: dict(proposal.note)}
            self.study.enqueue_trial(proposal.params, user_attrs=attributes)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it wants a heartbeat to be Optuna's own thread
            number = self.study.ask().number
        return self._begin(number)

    def _propose(self, trials: Sequence[FrozenTrial]) -> Optional[Proposal]:
        counting = [frozen for frozen in trials if not _is_stale(frozen)]
        if self.search.trials is not None and len(counting) >= self.search.trials:
            return None
        tried = [self._tried(frozen) for frozen in counting if PARAMS in frozen.user_attrs]
        rng = np.random.default_rng([self.search.seed, len(trials)])
        return self.strategy.propose(tried, rng)

    def _begin(self, number: int) -> int:
        """Has a trial that runs be this process's, with all of its configuration in the study."""
        study_id = self._storage.get_study_id_from_name(self.search.name)
        trial_id = self._storage.get_trial_id_from_study_id_trial_number(study_id, number)
        trial = Trial(self.study, trial_id)
        if trial.user_attrs.get(OWNER) != self.owner:  # another machine's, which is gone
            trial.set_user_attr(OWNER, self.owner)
        params = suggest(trial, self.search.space)
        if PARAMS not in trial.user_attrs:  # another machine was faster to take what waited
            trial.set_user_attr(PARAMS, params)
        self._open[number] = trial
        self._next_beat = 0.0
        self.beat()
        return number

    def _fail_stale(self) -> None:
        """Lets trials of machines that are gone wait again; after a sign of life of this one, which
        may have slept."""
        self._next_beat = 0.0
        self.beat()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            optuna.storages.fail_stale_trials(self.study)

    def beat(self) -> None:
        """Gives a sign of life of this process's trials, when it is time."""
        if not isinstance(self._storage, RDBStorage) or time.monotonic() < self._next_beat:
            return
        study_id = self._storage.get_study_id_from_name(self.search.name)
        for number in self._open:
            trial_id = self._storage.get_trial_id_from_study_id_trial_number(study_id, number)
            self._storage.record_heartbeat(trial_id)
        self._next_beat = time.monotonic() + HEARTBEAT

    def params(self, number: int) -> dict[str, Point]:
        """The configuration of a trial."""
        return dict(self.study.get_trials(deepcopy=False)[number].user_attrs[PARAMS])

    # What became of them ---------------------------------------------------------

    def report(self, number: int, values: Mapping[int, float]) -> bool:
        """Takes note of values on the way, in order of their steps, until one says to give up.

        Args:
          values: step -> value. Steps that were reported before are left out.

        Returns:
          Whether to give the trial up.
        """
        trial = self._open[number]
        if self._is_ended(number):
            return False
        known = self.study.get_trials(deepcopy=False)[number].intermediate_values
        if known and trial.should_prune():
            return True
        for step in sorted(set(values) - set(known)):
            trial.report(values[step], step)
            if trial.should_prune():
                return True
        return False

    def complete(self, number: int, value: float, runs: int, pruned: bool = False) -> None:
        """Ends a trial that has a fitness.

        Args:
          runs: how many runs the fitness is the mean of.
          pruned: whether it was given up after some of them. To Optuna it is complete, as
            WilcoxonPruner advises: the mean of some runs is an estimate as any other.
        """
        attributes = {RUNS: runs, PRUNED: True} if pruned else {RUNS: runs}
        self._tell(number, TrialState.COMPLETE, attributes, value)

    def give_up(self, number: int) -> None:
        """Ends a trial by its learning curve: its value is the last one that was reported."""
        self._tell(number, TrialState.PRUNED, {})

    def fail(self, number: int, reason: str) -> None:
        """Ends a trial that has no fitness."""
        self._tell(number, TrialState.FAIL, {FAILED: reason})

    def _tell(
        self,
        number: int,
        state: TrialState,
        attributes: Mapping[str, Union[int, str]],
        value: Optional[float] = None,
    ) -> None:
        """Ends a trial, unless another machine has ended it."""
        trial = self._open.pop(number)
        if self._is_ended(number):
            return
        for name, attribute in attributes.items():
            trial.set_user_attr(name, attribute)
        self.study.tell(trial, value, state=state, skip_if_finished=True)

    def _is_ended(self, number: int) -> bool:
        """Whether a trial is ended: another machine does so if it has seen no sign of life."""
        return self.study.get_trials(deepcopy=False)[number].state.is_finished()

    def drive(self, objective: Callable[[dict[str, Point]], float]) -> None:
        """Tries all that is left to try by calling a function, in place of runs."""
        for number in self.take_up():
            self.complete(number, objective(self.params(number)), runs=1)
        number_or_none = self.ask()
        while number_or_none is not None:
            self.complete(number_or_none, objective(self.params(number_or_none)), runs=1)
            number_or_none = self.ask()

    def rows(self) -> list[TrialRow]:
        """All trials in order, but for those that another one took the place of."""
        trials = self.study.get_trials(deepcopy=False)
        return [_row(frozen) for frozen in trials if not _is_stale(frozen)]

    def best(self) -> Optional[TrialRow]:
        """The first of the best trials that weren't given up; None where there is none."""
        sign = 1 if self.search.maximise else -1
        best = None
        highest = -math.inf
        for row in self.rows():
            if row.state == "complete" and row.value is not None and sign * row.value > highest:
                best = row
                highest = sign * row.value
        return best

    def importance(self) -> Importance:
        """How much each flag matters: by fANOVA where scikit-learn is there, else by Optuna's
        PED-ANOVA, which needs nothing else.

        Hutter et al., 2014: http://proceedings.mlr.press/v32/hutter14.html. Watanabe et al., 2023:
        https://arxiv.org/abs/2304.10255.
        """
        evaluators = optuna.importance
        method = "PED-ANOVA"
        evaluator: optuna.importance.BaseImportanceEvaluator
        evaluator = evaluators.PedAnovaImportanceEvaluator()
        if importlib.util.find_spec("sklearn") is not None:
            method = "fANOVA"
            evaluator = evaluators.FanovaImportanceEvaluator(seed=0)
        complete = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if len(complete) < FEWEST_FOR_IMPORTANCE:
            return Importance(method, {})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            shares = evaluators.get_param_importances(self.study, evaluator=evaluator)
        return Importance(method, shares)

    def _tried(self, frozen: FrozenTrial) -> Tried:
        """A trial as strategies see it."""
        row = _row(frozen)
        value = row.value
        if value is not None and not self.search.maximise:
            value = -value
        step = -1 if frozen.last_step is None else frozen.last_step
        state = "pruned" if frozen.state == TrialState.PRUNED else row.state
        if frozen.state == TrialState.COMPLETE:
            state = "complete"
        return Tried(row.params, state, value, step, frozen.user_attrs.get(NOTE, {}))


def _is_stale(frozen: FrozenTrial) -> bool:
    """Whether a trial was of a machine that is gone; one that waits takes its place."""
    return frozen.state == TrialState.FAIL and FAILED not in frozen.user_attrs


def _row(frozen: FrozenTrial) -> TrialRow:
    states = {
        TrialState.COMPLETE: "pruned" if PRUNED in frozen.user_attrs else "complete",
        TrialState.PRUNED: "pruned",
        TrialState.FAIL: "failed",
    }
    is_ended = frozen.state.is_finished()
    started = frozen.datetime_start
    ended = frozen.datetime_complete
    return TrialRow(
        number=frozen.number,
        state=states.get(frozen.state, "running"),
        value=frozen.value if is_ended and frozen.state != TrialState.FAIL else None,
        runs=int(frozen.user_attrs.get(RUNS, 0)),
        reason=str(frozen.user_attrs.get(FAILED, "")),
        started=started.isoformat(timespec="seconds") if started else "",
        ended=ended.isoformat(timespec="seconds") if ended else "",
        params=dict(frozen.user_attrs.get(PARAMS, frozen.params)),
    )
