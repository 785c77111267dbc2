"""Which runs of a sweep begin with what others of its runs have learned, and so wait for them."""

import dataclasses
import os
from pathlib import Path
from typing import Sequence, Union

from rl.config import UserError
from rl.experiments.sweeps.runs import SweepRun
from rl.files import expanded


def with_sources(runs: Sequence[SweepRun], methods: Sequence[str]) -> list[SweepRun]:
    """The runs, each with those as its sources whose directories its commands name.

    Args:
      methods: in the order in which they are defined.

    Raises:
      UserError: a source is not of a method above, so that runs could wait for each other.
    """
    places = {place_of(stage.run.path): run for run in runs for stage in run.stages}
    found = []
    for run in runs:
        names: dict[str, None] = {}
        words = [word for stage in run.stages for word in stage.argv]
        for word in words:
            source = places.get(place_of(word.partition("=")[2] or word), run)
            if source is run:
                continue
            if methods.index(source.method) >= methods.index(run.method):
                raise UserError(
                    f"method {run.method} begins with {source.name}, whose method must be above it"
                )
            names[source.name] = None
        found.append(dataclasses.replace(run, sources=tuple(names)))
    return found


def place_of(path: Union[str, Path]) -> Path:
    """The same for all spellings of a path, of which nothing need be there."""
    return Path(os.path.abspath(expanded(path)))
