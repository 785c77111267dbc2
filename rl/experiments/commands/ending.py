"""What commands that train say at a run's end."""

from rl.experiments.rundir import RunDir
from rl.signals import STOPPED


def tell_end(run: RunDir) -> int:
    """Prints how a run ended. Returns the exit code."""
    if run.status == "finished":
        print(f"done: {run}")
        return 0
    print(f"stopped at step {run.step}; go on with: {run.resume_command()}")
    return STOPPED
