"""What a run is called in a tracker of experiments."""

import re
import uuid
from typing import Any, Mapping, Optional

from rl.logging import Tracker

# Of names that trackers take everywhere.
LONGEST = 128
PLAIN = re.compile(rf"[\w.-]{{1,{LONGEST}}}")


def make_tracker(flags: Mapping[str, Any], run: str, tracked: str = "") -> Optional[Tracker]:
    """The tracker that a run's flags ask for; None if they don't.

    Args:
      run: its name. tracked: what the tracker has called it so far; "" for one that is new there,
        whose name gets digits that no other run's has.

    Raises:
      UserError: the package isn't there.
    """
    if flags["track"] == "none":
        return None
    name = tracked or f"{_plain(run)}-{uuid.uuid4().hex[:8]}"
    return Tracker(flags["track"], _plain(flags["exp_name"]), name, flags)


def _plain(name: str) -> str:
    """A name of letters, digits, dots, hyphens and underscores alone."""
    return re.sub(r"[^\w.-]+", "_", name)
