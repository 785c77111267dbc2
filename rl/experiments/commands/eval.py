"""`eval`: test the policy of a run, film it, export it."""

import contextlib
import dataclasses
import json
from typing import Any, Sequence

from rl import lock
from rl.config import Parser, UserError, add_flags, build, flag
from rl.experiments import deferred
from rl.experiments.commands.resume import DIRECTORY, TRUST
from rl.experiments.commands.train import make_current_folder_importable
from rl.experiments.rundir import RunDir
from rl.files import expanded

# Flags that decide the result.
ASKED = ("episodes", "checkpoint", "split", "noise", "seed")


@dataclasses.dataclass(frozen=True)
class Config:
    """The flags of `eval`."""

    episodes: int = flag(10, "how many, of each task", low=1)
    checkpoint: str = flag("last", "last, best, or an env step")
    split: str = flag(
        "", "of ML's goals; by default that of training", choices=("", "train", "test")
    )
    noise: bool = flag(False, "act with exploration noise, as in training")
    seed: int = flag(0, "of the episodes and the noise", low=0, high=2**31 - 2, short="-s")
    video: str = flag("", "film an episode into this folder")
    format: str = flag("mp4", "of the video", choices=("mp4", "gif"))
    export: str = flag("", "write the policy into this new folder, as a SavedModel")
    save: bool = flag(False, "keep the result in the run's directory, for compare --score eval")
    trust: bool = flag(False, TRUST)


def main(argv: Sequence[str]) -> int:
    """The command `main.py eval DIR ...`; prints one JSON object."""
    run, config = parse(argv)
    if config.trust:
        make_current_folder_importable()
    values = run.load_config(config.trust)
    with lock.locked(run.path) if config.save else contextlib.nullcontext():
        evaluation = deferred.load("rl.experiments.eval").Evaluation(run, values, config)
        if config.save:
            run.write_evaluation({**evaluation.result, "asked": asked_of(config)})
    written = {}
    try:
        if config.export:
            written["policy"] = evaluation.write_policy()
        if config.video:
            written["video"] = evaluation.write_video()
    finally:  # what was played is told, whatever can't be written
        print(json.dumps({**evaluation.result, **written}, indent=2))
    return 0


def asked_of(config: Config) -> dict[str, Any]:
    """The values of the flags that decide the result."""
    values = dataclasses.asdict(config)
    return {name: values[name] for name in ASKED}


def parse(argv: Sequence[str]) -> tuple[RunDir, Any]:
    """The run and the Config.

    Raises:
      UserError: an unknown flag, or a value that it can't have.
    """
    parser = Parser("eval", description="Test the policy of a run, film it, export it.")
    parser.add_argument("directory", type=RunDir.find, help=DIRECTORY)
    add_flags(parser, Config, "flags")
    given = vars(parser.parse(argv))
    config = build(Config, given)
    if config.export and expanded(config.export).exists():
        raise UserError(f"--export {config.export} exists; the policy needs a folder of its own")
    video = expanded(config.video)
    if config.video and video.exists() and not video.is_dir():
        raise UserError(f"--video {config.video} is no folder")
    return given["directory"], config
