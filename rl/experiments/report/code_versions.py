"""Which code made runs: commits, package versions, and what differed from the commit."""

import dataclasses
from typing import Any, Sequence

from rl.config import UserError
from rl.experiments.plots.columns import Run
from rl.experiments.plots.text_table import read_file
from rl.files import file_names

MOST_CHARACTERS = 200_000  # of a patch in the page
UNKNOWN = "unknown"


@dataclasses.dataclass(frozen=True)
class CodeVersion:
    """What runs of one version have in common, and which they are.

    Attributes:
      resumed: commits that went on with them, where others. patches: by file name, shortened.
    """

    commit: str
    digest: str
    resumed: tuple[str, ...]
    packages: tuple[tuple[str, str], ...]
    patches: tuple[tuple[str, str], ...]
    runs: list[str]


def find_versions(runs: Sequence[Run]) -> list[CodeVersion]:
    """The versions that made `runs`, in their order."""
    versions: dict[tuple[object, ...], CodeVersion] = {}
    for run in runs:
        commit = str(run.config.get("git_commit", UNKNOWN))
        digest = str(run.config.get("code", UNKNOWN))
        resumed = _resuming_commits(run, commit)
        packages = _packages(run)
        patches = _read_patches(run)
        key = (commit, digest, resumed, packages, patches)
        version = versions.setdefault(key, CodeVersion(*key, []))
        version.runs.append(run.directory.name)
    return list(versions.values())


def _packages(run: Run) -> tuple[tuple[str, str], ...]:
    found = []
    for name, version in run.config.items():
        if name.startswith("versions:"):
            found.append((name.removeprefix("versions:"), str(version)))
    return tuple(sorted(found))


def _resuming_commits(run: Run, commit: str) -> tuple[str, ...]:
    resumes: Any = run.config.get("resumes", [])
    if not isinstance(resumes, list):
        return ()
    commits: dict[str, None] = {}
    for resumed in resumes:
        if isinstance(resumed, dict) and resumed.get("git_commit", commit) != commit:
            commits[str(resumed["git_commit"])] = None
    return tuple(commits)


def _read_patches(run: Run) -> tuple[tuple[str, str], ...]:
    """The patches of a run, or why they can't be read."""
    try:
        names = file_names(run.directory, _is_patch)
        return tuple((name, _shortened(read_file(run.directory / name))) for name in names)
    except UserError as error:
        return (("code.diff", str(error)),)


def _is_patch(name: str) -> bool:
    return name.startswith("code") and name.endswith(".diff")


def _shortened(patch: str) -> str:
    if len(patch) <= MOST_CHARACTERS:
        return patch
    left_out = len(patch) - MOST_CHARACTERS
    return f"{patch[:MOST_CHARACTERS]}\n[{left_out} more characters are in the run's file]"
