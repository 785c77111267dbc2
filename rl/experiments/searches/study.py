"""The trials of a search, in an Optuna study. Imports Optuna.

A configuration is chosen by the strategy, and given to the study as one that is waiting, all of it
in one step; then Optuna hands it out. What a killed process leaves behind is a trial that waits or
runs, with its configuration, and the next process of the same owner takes it up.
"""

import dataclasses
import importlib.util
import json
import math
import time
import warnings
from typing import Callable, Mapping, Optional, Sequence, Union

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from rl.config import UserError
from rl.experiments.searches.coordinates import AutoIC, ICGrid
from rl.experiments.searches.definition import Search
from rl.experiments.searches.importance import FEWEST, explained_share
from rl.experiments.searches.parameters import suggest
from rl.experiments.searches.spaces import Point, Space
from rl.experiments.searches.storage import HEARTBEAT
from rl.experiments.searches.strategies import Grid, Proposal, Random, Strategy, Tried
from rl.experiments.searches.tpe import TPE

STRATEGIES: Mapping[str, Callable[[Mapping[str, Space]], Strategy]] = {
    "random": Random,
    "grid": Grid,
    "ic_grid": ICGrid,
    "auto_ic": AutoIC,
    "tpe": TPE,
}
FEWEST_CURVES = 5  # complete trials, before "curves" pruning begins
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
      shares: flag -> in [0, 1]; none where there are too few trials.
    """

    method: str
    shares: dict[str, float]


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
        same owner, and by no other until their heartbeat has stopped for some minutes.

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
        """Takes note of values on the way, in order of their steps, until one says to give up; of
        runs, whose tasks are steps, once they are noted whole.

        Args:
          values: step -> value. Steps that were reported before are left out.

        Returns:
          Whether to give the trial up.
        """
        trial = self._open[number]
        if self._is_ended(number):
            return False
        known = self.study.get_trials(deepcopy=False)[number].intermediate_values
        new = sorted(set(values) - set(known))
        if self.search.pruning == "seeds":
            # Some tasks of a run have another mean than all of them.
            for step in new:
                trial.report(values[step], step)
            return trial.should_prune()
        if known and trial.should_prune():
            return True
        for step in new:
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
        """How much each flag matters in the complete trials: by Optuna's fANOVA where scikit-learn
        is installed, else by each flag's own share of the variance.

        Hutter et al., 2014: http://proceedings.mlr.press/v32/hutter14.html.
        """
        complete = [row for row in self.rows() if row.state == "complete"]
        if importlib.util.find_spec("sklearn") is not None:
            return Importance("fANOVA", self._fanova() if len(complete) >= FEWEST else {})
        shares: dict[str, float] = {}
        if len(complete) >= FEWEST:
            fitness = np.array([row.value for row in complete], dtype=float)
            for name in self.search.space:
                values = [row.params[name] for row in complete]
                shares[name] = explained_share(values, fitness)
        return Importance("the flag alone", shares)

    def _fanova(self) -> dict[str, float]:
        values = {row.value for row in self.rows() if row.state == "complete"}
        if len(values) == 1:  # which Optuna's has no answer for
            return {name: 0.0 for name in self.search.space}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
            return optuna.importance.get_param_importances(self.study, evaluator=evaluator)

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
