"""The tree-structured Parzen estimator, by Optuna. Imports Optuna.

Bergstra et al., 2011: https://papers.nips.cc/paper/4443-algorithms-for-hyper-parameter-optimization
"""

from typing import Mapping, Optional, Sequence

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from rl.experiments.searches.parameters import distribution_of, suggest
from rl.experiments.searches.spaces import Space
from rl.experiments.searches.strategies import Proposal, Tried

STATES = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "running": TrialState.RUNNING,
    "failed": TrialState.FAIL,
}


class TPE:
    """Optuna's TPESampler as it is by default: the first ten configurations are random.

    A sampler's random draws depend on what its process drew before. So each configuration is chosen
    by a new sampler, which is seeded for this trial, in a new study that has the trials so far.
    """

    def __init__(self, space: Mapping[str, Space]) -> None:
        self.space = space

    def propose(self, tried: Sequence[Tried], rng: np.random.Generator) -> Optional[Proposal]:
        """What TPESampler would try."""
        sampler = optuna.samplers.TPESampler(seed=int(rng.integers(2**31)))
        study = optuna.create_study(direction="maximize", sampler=sampler)
        study.add_trials([self._frozen(before) for before in tried])
        return Proposal(suggest(study.ask(), self.space))

    def _frozen(self, tried: Tried) -> FrozenTrial:
        """A trial as Optuna has it."""
        reported = {}
        if tried.state == "pruned" and tried.value is not None:
            reported[max(tried.step, 0)] = tried.value
        has_value = tried.state in ("complete", "pruned")
        return create_trial(
            state=STATES[tried.state],
            value=tried.value if has_value else None,
            params=dict(tried.params),
            distributions={name: distribution_of(space) for name, space in self.space.items()},
            intermediate_values=reported,
        )
