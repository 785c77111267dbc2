"""Where a run's code came from: package versions, the commit, and what differs from it."""

import contextlib
import hashlib
import importlib.metadata
import json
import os
import subprocess
from pathlib import Path
from typing import Any, Optional

PACKAGES = (
    "tensorflow",
    "keras",
    "numpy",
    "gymnasium",
    "metaworld",
    "mujoco",
)
ROOT = Path(__file__).parents[2]
COMMIT_VARIABLE = "RL_GIT_COMMIT"  # for images, which are built without the repository


def provenance() -> dict[str, Any]:
    """Package versions, the git commit of this code, and a digest of its files.

    `git_commit` is "unknown" for a copy that neither lies in a repository of its own nor was
    installed from one, and ends in "-dirty" where files differ from the commit; the digest tells
    such copies apart.
    """
    versions = {}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # another build of it
            versions[name] = importlib.metadata.version(name)
    return {"versions": versions, "git_commit": commit(), "code": digest()}


def commit() -> str:
    """The commit of this code: its repository's, the one it was installed from, or the image's."""
    if is_checkout():
        return _git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*").strip()
    return _installed_commit() or os.environ.get(COMMIT_VARIABLE) or "unknown"


def is_checkout() -> bool:
    """Whether this code lies in a repository of its own, not in some other that surrounds it."""
    try:
        top = _git("rev-parse", "--show-toplevel").strip()
        _git("ls-files", "--error-unmatch", "rl/__init__.py")
    except (OSError, subprocess.CalledProcessError):
        return False
    return Path(top).resolve() == ROOT.resolve()


def difference() -> str:
    """What differs from the commit, new modules of the package included, as a patch; else empty."""
    if not is_checkout():
        return ""
    patch = _git("diff", "HEAD")
    new = _git("ls-files", "--others", "--exclude-standard", "-z", "--", "rl/*.py")
    for name in filter(None, new.split("\0")):
        patch += _git("diff", "--no-index", "--", os.devnull, name, fine=(0, 1))
    return patch


def digest() -> str:
    """SHA-256 of the package's source files, names and contents."""
    total = hashlib.sha256()
    for path in sorted((ROOT / "rl").rglob("*.py")):
        total.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def _installed_commit() -> Optional[str]:
    """The commit that pip noted when it installed this package from a repository."""
    try:
        package = importlib.metadata.distribution("rl")
        noted = json.loads(package.read_text("direct_url.json") or "{}")
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return None
    if not Path(str(package.locate_file("rl"))).resolve() == ROOT / "rl":
        return None
    return noted.get("vcs_info", {}).get("commit_id")


def _git(*arguments: str, fine: tuple[int, ...] = (0,)) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode not in fine:
        raise subprocess.CalledProcessError(done.returncode, command)
    return done.stdout.decode(errors="replace")
