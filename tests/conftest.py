"""Fixtures of several files."""

import pytest


@pytest.fixture(scope="module")
def goal_cache_folder(tmp_path_factory):
    """Meta-World's goals are stored in a folder of this file's tests, empty at first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
