"""How an algorithm for other tasks takes over what a run's networks have learned."""

from typing import Any, Sequence

import numpy as np

from rl.buffers.normaliser import RunningMoments
from rl.networks import Temperature
from rl.networks.torsos.meta_splitting import MetaSplitting, copies_used
from rl.networks.torsos.modular import Modular
from rl.networks.torsos.soft_order import SoftOrder
from rl.networks.torsos.splitting import Splitting
from rl.training.evaluate import evaluate
from rl.training.policy import EnvPolicy
from rl.training.session import Stream


def networks(algo: Any) -> list[Any]:
    """What other tasks take over: torsos, those of target networks too, and the temperature.

    A log std starts anew: what is left of it at the end of training explores too little to learn
      by.
    """
    nets = [getattr(algo, name) for name in algo.saved]
    torsos: list[Any] = []
    for net in nets:
        for group in getattr(net, "groups", {}).values():
            torsos.extend(group.torsos)
    kinds = (Splitting, MetaSplitting, SoftOrder, Modular, Temperature)
    return [net for net in torsos + nets if isinstance(net, kinds)]


def most_copies(algo: Any) -> int:
    """The largest number of copies of a layer that its tasks use."""
    counts = [1]
    for net in networks(algo):
        if isinstance(net, Splitting):
            for banks in net.layers_of_banks():
                copies, _ = copies_used(banks)
                counts.append(len(copies))
    return max(counts)


def adopt(algo: Any, trained: Any) -> None:
    """Gives `algo`, for other tasks, what `trained` has learned: layers, or copies of them, and
    means over its tasks of the rest."""
    for net, learned in zip(networks(algo), networks(trained), strict=True):
        net.adopt(learned)
    for name in algo.saved:  # frozen targets would lag behind for good
        if hasattr(algo, f"{name}_targ"):
            getattr(algo, f"{name}_targ").set_weights(getattr(algo, name).get_weights())
    for name in algo.host:
        if isinstance(getattr(algo, name), RunningMoments):
            getattr(algo, name).pool(getattr(trained, name))
    algo.refresh()


def follow_best(algo: Any, trained: Any, env: Any, session: Any) -> dict[str, str]:
    """Gives each task of `algo` what makes it the task of `trained` whose policy earns most in it;
    which that is.

    Every one of them plays an episode in each env of `env`, from the same states. `session` is the
    run's.
    """
    tasks = env.spec.tasks
    names = trained.spec.tasks
    returns = []
    episodes = env.num_envs // len(tasks)
    for k in range(len(names)):
        follow(algo, trained, [k] * len(tasks))
        policy = EnvPolicy(algo.policy, env, session.normaliser)
        played = evaluate(policy, env, episodes, session.seed_for(Stream.META_START))
        returns.append(played["EpRet"].mean(axis=1))
    best = np.argmax(returns, axis=0)
    follow(algo, trained, best)
    return {task: names[k] for task, k in zip(tasks, best)}


def follow(algo: Any, trained: Any, tasks: Sequence[int]) -> None:
    """Gives each task of `algo` what makes it the task of `trained` numbered in `tasks`."""
    for net, learned in zip(networks(algo), networks(trained), strict=True):
        if hasattr(net, "follow"):
            net.follow(learned, tasks)
    for optimizer in algo.optimizers:
        optimizer.follow()
    algo.refresh()
