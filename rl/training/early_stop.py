"""Ending a run before its last epoch: because its task is solved, or because it learns no more."""

from typing import Any, Mapping, Optional

import numpy as np

from rl.flags.binding import ends_alike
from rl.flags.training import Config

SCORES = ("EpRet", "Success")  # those of a test that can improve


class EarlyStop:
    """Told of every test of a run; has a reason once `early_stop_epochs` tests in a row gave one.

    "solved": each test's success was 1, in all its episodes of all tasks; where the env doesn't
    tell of success, its mean return was at least the env's threshold.

    "plateau": neither the mean return nor the success of any of them was an improvement. That is
    a mean which is above that of the last improvement, the first test at first, by more than the
    standard error of their difference, the root of the sum of both tests' squared standard errors.
    A test's own is over its episodes, of each task apart, so that differences between tasks are no
    noise; one episode a test has none. What improves slowly is thus found out once it has come far
    enough.

    Args:
      config: of the run. threshold: the return at which the env is solved, or None.

    Attributes:
      reason: why the run should end; "" as long as it shouldn't.
    """

    def __init__(self, config: Config, threshold: Optional[float]) -> None:
        self.config = config
        self.threshold = threshold
        self.begin()

    def begin(self) -> None:
        """Forgets the tests so far."""
        self.reason = ""
        self.count = 0  # tests in a row that speak for an end
        # Mean and standard error of each score's last improvement.
        self.best = {score: [-np.inf, 0.0] for score in SCORES}

    def observe(self, played: Mapping[str, np.ndarray]) -> None:
        """Told a test's scores, as `evaluate` returns them."""
        kind = self.config.early_stop
        if kind == "none" or self.reason:
            return
        speaks = self._is_solved(played) if kind == "solved" else not self._improves(played)
        self.count = self.count + 1 if speaks else 0
        if self.count >= self.config.early_stop_epochs:
            self.reason = self._reason(played)

    def _is_solved(self, played: Mapping[str, np.ndarray]) -> bool:
        if "Success" in played:
            return bool(np.all(played["Success"]))
        return self.threshold is not None and bool(played["EpRet"].mean() >= self.threshold)

    def _improves(self, played: Mapping[str, np.ndarray]) -> bool:
        """Whether a score has improved, which is then the one to beat."""
        improved = False
        for score in SCORES:
            if score not in played:
                continue
            mean = float(np.mean(played[score]))
            error = standard_error(played[score])
            best, error_of_best = self.best[score]
            if mean > best + np.hypot(error, error_of_best):
                self.best[score] = [mean, error]
                improved = True
        return improved

    def _reason(self, played: Mapping[str, np.ndarray]) -> str:
        tests = f"in {self.count} tests in a row" if self.count > 1 else "in a test"
        told = "Success" in played
        if self.config.early_stop == "plateau":
            what = "neither test return nor success" if told else "the test return has not"
            return f"{what} improved {tests}"
        if told:
            return f"the test success was 1 {tests}"
        return f"the test return was at least {self.threshold:g} {tests}"

    def state(self) -> dict[str, Any]:
        """All that later ends depend on."""
        best = {score: list(pair) for score, pair in self.best.items()}
        kind = self.config.early_stop
        return {"kind": kind, "reason": self.reason, "count": self.count, "best": best}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Goes back to `state`; begins anew if that was of another kind of end."""
        self.begin()
        if state["kind"] != self.config.early_stop:
            return
        self.reason = state["reason"]
        self.count = state["count"]
        self.best = {score: list(pair) for score, pair in state["best"].items()}


def standard_error(values: np.ndarray) -> float:
    """Of the mean over episodes, `(episodes,)` or `(num_tasks, episodes)`, as many of each task."""
    variances = np.var(np.asarray(values, float), axis=-1)
    return float(np.sqrt(variances.mean() / values.size))


def stopped_early(state: Mapping[str, Any], flags: Mapping[str, Any]) -> str:
    """Why a run ended before its last epoch; "" if it didn't, or goes on since.

    Args:
      state: of its newest checkpoint. flags: the run's now; it goes on if they end it otherwise.
    """
    saved = state.get("early_stop")
    reason = saved.get("reason") if isinstance(saved, dict) else ""
    if not isinstance(reason, str) or not ends_alike(flags, state.get("flags")):
        return ""
    return reason
