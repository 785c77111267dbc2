"""`meta-test`: what a run's networks learned, frozen, and put together anew for the test tasks of
its ML set."""

from typing import Any, Sequence

from rl import envs
from rl.config import UserError
from rl.experiments import build, run
from rl.experiments.adapted_flags import adapted_flags, tried_tasks
from rl.experiments.adopt import adopt, follow_best, most_copies
from rl.experiments.agent import load_agent
from rl.experiments.environments import env_options
from rl.experiments.rundir import RunDir


def adapt(source: RunDir, saved: dict[str, Any], asked: Any, flags: Sequence[str]) -> RunDir:
    """A run of its own, whose epochs are episodes of each test task.

    Args:
      source, saved: the run that is adapted, and its flags.
      asked: rl.experiments.commands.meta_test's Config. flags: of training, as text.

    Raises:
      UserError: there is no sound checkpoint, or a flag's value is refused.
    """
    build.use_device(saved["device"])
    env = envs.make(saved["env"], **env_options(saved))
    env.close()
    trained = load_agent(source, asked.checkpoint, env.spec, saved)
    values = adapted_flags(saved, asked, flags, env, most_copies(trained.algo))
    if RunDir.of(values).path.resolve() == source.path.resolve():
        raise UserError(f"--exp_name {values['exp_name']}: {source} is the run that is adapted")
    tried = tried_tasks(asked, env)

    def prepare(loop: Any) -> dict[str, Any]:
        adopt(loop.algo, trained.algo)
        loop.session.normaliser.seen.load_state(trained.normaliser.seen.state())
        loop.session.normaliser.earned.pool(trained.normaliser.earned)
        largest = loop.session.normaliser.largest
        if largest and trained.normaliser.largest:
            largest.pool(trained.normaliser.largest)
        notes: dict[str, Any] = {"meta_run": str(source)}
        if asked.checkpoint != "last":
            notes["meta_checkpoint"] = asked.checkpoint
        if tried:
            trials = envs.make(values["env"], values["num_envs"], **env_options(values))
            notes["meta_start"] = follow_best(loop.algo, trained.algo, trials, loop.session)
            trials.close()
            pairs = [f"{task} as {other}" for task, other in notes["meta_start"].items()]
            print("start: " + ", ".join(pairs))
            loop.step = tried * values["steps_per_epoch"]
        loop.session.end_epoch(loop, save=True)
        return notes

    return run.train(values, prepare=prepare)
