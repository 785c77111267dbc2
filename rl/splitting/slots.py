"""What an optimiser remembers of a parameter's gradients, and what of it is due to some tasks."""

from typing import Any, NamedTuple

import numpy as np

# Lists of Keras' optimisers -> the power of the gradient that is averaged in them; what is
# normalised already has none.
POWERS = {
    "Adam": {"_momentums": 1, "_velocities": 2},
    "RMSprop": {"_velocities": 2, "_average_gradients": 1, "_momentums": 0},
    "SGD": {"momentums": 1},
}


class Slot(NamedTuple):
    """An average, of the shape of the parameter: of its gradients' `power`."""

    variable: Any
    power: int

    def share(self, gram: np.ndarray, some: np.ndarray, tasks: np.ndarray) -> float:
        """What it would be by the gradients of some tasks, over what it is by those of all `tasks`,
        bool `(num_tasks,)`.

        Means are shared out by number, mean squares as |sum of gradients|^2 is. No step becomes
        longer by that: what is known of the gradients may be little.

        Args:
          gram: `(num_tasks, num_tasks)`, mean inner products of the tasks' gradients.
        """
        part = some.sum() / tasks.sum()
        if self.power == 2:
            whole = gram[np.ix_(tasks, tasks)].sum()
            square = gram[np.ix_(some, some)].sum() / whole if whole > 0 else part
            return float(max(square, part**2))
        return float(part**self.power)


def slots_of(optimizer: Any, number: int) -> list[Slot]:
    """Those of the optimiser's target of this number."""
    found = []
    for name, power in POWERS[type(optimizer).__name__].items():
        variables = getattr(optimizer, name, None)
        if variables:
            found.append(Slot(variables[number], power))
    return found
