"""`--backbone`: a run masks the hidden layers that another run has learned.

What it takes over are the hidden layers of actor and critics, and the moments by which observations
are scaled. Heads, target networks' included, and all else are the new run's own. The other run is
only read.
"""

import dataclasses
from typing import Any

from rl import envs
from rl.config import UserError
from rl.experiments.agent import Agent, load_agent
from rl.experiments.rundir import RunDir
from rl.networks.torsos.piggyback import Piggyback


def adopt_backbone(loop: Any, source: RunDir) -> None:
    """Gives the Piggyback networks of `loop` the hidden layers of the newest sound checkpoint of
    `source`.

    Raises:
      UserError: there is no sound checkpoint, or its networks are for other observations or
        actions. `loop` is then as it was.
    """
    algo = loop.algo
    agent = _load(source, algo.spec)
    for name in algo.saved:
        groups = {} if name.endswith("_targ") else getattr(getattr(algo, name), "groups", {})
        for key, group in groups.items():
            learned = getattr(agent.algo, name).groups[key]
            for torso, trained in zip(group.torsos, learned.torsos):
                if isinstance(torso, Piggyback):
                    torso.adopt(trained)
    for name in algo.saved:
        if hasattr(algo, f"{name}_targ"):
            getattr(algo, f"{name}_targ").set_weights(getattr(algo, name).get_weights())
    loop.session.normaliser.seen.load_state(agent.normaliser.seen.state())
    algo.refresh()


def _load(source: RunDir, spec: Any) -> Agent:
    """The agent of a run whose env observes, and is acted on, as `spec` has it. Its env is not
    made: that could run code of others."""
    config = source.load_config(trust=True)
    tasks = envs.tasks_of(config["env"], config["split"])
    spec = dataclasses.replace(spec, env_id=config["env"], tasks=tasks)
    try:
        return load_agent(source, "last", spec, config)
    except UserError as error:
        raise UserError(f"--backbone: its networks don't fit this env's: {error}") from error
