"""Fixtures of several files, and what all tests need of the process."""

import gc
import signal

import pytest

# Tracing makes so many objects at once that collecting garbage meanwhile takes a tenth of its time.
gc.set_threshold(200_000, 20, 100)
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup has it ignored, and all processes from here


@pytest.fixture(scope="module")
def goal_cache_folder(tmp_path_factory):
    """Meta-World's goals are stored in a folder of this file's tests, empty at first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
