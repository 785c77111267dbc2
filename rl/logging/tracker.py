"""The sink to a tracker of experiments: Weights & Biases, or Trackio, which has its functions."""

import importlib
import math
from types import ModuleType
from typing import Any, Callable, Mapping

from rl.config import UserError

INSTALL = 'pip install ".[track]", in the folder of this package, brings it'


class Tracker:
    """A run of `package`, begun with the first row so that a run refused tracks nothing.

    The package keeps its files where it always does (WANDB_DIR and TRACKIO_DIR say where), not in
    the run's directory: wandb takes its settings, the server's address among them, from where it
    writes. Where it fails that is said once, and training goes on without it.

    Args:
      package: "wandb" or "trackio". project, name: what it calls the experiment and the run; a run
        of this name goes on. config: of the run.

    Raises:
      UserError: the package isn't there.
    """

    takes_partial_rows = False  # what was sent can't be taken back

    def __init__(self, package: str, project: str, name: str, config: Mapping[str, Any]) -> None:
        self.package = package
        self.project = project
        self.name = name
        self.config = dict(config)
        self._module = _load(package)
        self._begun = False
        self._failed = False

    def write(self, step: int, row: dict[str, float]) -> None:
        """Sends the finite values of a row, at x = `step`. Rows that a killed run writes again are
        sent again, with the values that they had."""
        finite = {name: value for name, value in row.items() if math.isfinite(value)}
        if not self._begun:
            self._begun = True
            self._try(self._begin)
        self._try(lambda: self._module.log(finite, step=step))

    def close(self) -> None:
        """Ends the run there, so that all of it is sent."""
        if self._begun:
            self._try(self._module.finish)

    def _begin(self) -> None:
        options: dict[str, Any] = {}
        if self.package == "wandb":  # Trackio knows runs by their names
            options = {"id": self.name, "allow_val_change": True}
        self._module.init(
            project=self.project, name=self.name, config=self.config, resume="allow", **options
        )

    def _try(self, function: Callable[[], Any]) -> None:
        """Calls `function`, unless the package has failed before."""
        if self._failed:
            return
        try:
            function()
        # What a package raises that talks to a server is listed nowhere.
        except Exception as error:  # pylint: disable=broad-exception-caught
            self._failed = True
            print(
                f"{self.package} failed, {type(error).__name__}: {error}; it is told no more, and "
                "the run goes on"
            )


def _load(package: str) -> ModuleType:
    """Imports a package when a run asks for it, and no sooner."""
    try:
        module = importlib.import_module(package)
    # What an installation that is not whole raises is listed nowhere either.
    except Exception as error:  # pylint: disable=broad-exception-caught
        raise UserError(f"--track {package}: {error}; {INSTALL}") from error
    if not hasattr(module, "init"):  # a folder of this name, such as wandb makes
        raise UserError(f"--track {package}: there is no such package; {INSTALL}")
    return module
