"""`branch`: from a run whose tasks have networks of their own to a map of the layers that they
should share."""

from typing import Any, Mapping, Optional, Sequence

import numpy as np
import tensorflow as tf

from rl import envs
from rl.config import UserError
from rl.envs import VectorEnv
from rl.experiments.agent import Agent, load_agent
from rl.experiments.branching import Tree, affinities, count_groups, find_trees
from rl.experiments.build import use_device
from rl.experiments.environments import env_options
from rl.experiments.rundir import RunDir
from rl.networks import Critic
from rl.networks.task_net import Pass
from rl.spec import Memory
from rl.splitting import blocks_of
from rl.training.evaluate import evaluate
from rl.training.policy import EnvPolicy

DIGITS = 6  # of affinities and costs in the file


def branch_run(run: RunDir, values: Mapping[str, Any], config: Any) -> dict[str, Any]:
    """The map of each network of a run, as JSON values; see `branch_network`.

    Args:
      values: flags of the run. config: rl.experiments.commands.branch's Config.

    Raises:
      UserError: there is no sound checkpoint, or there are fewer steps than probes.
    """
    env = envs.make(values["env"], **env_options(values))
    use_device("cpu")
    agent = load_agent(run, config.checkpoint, env.spec, values)
    obs, act = find_probes(agent, env, config)
    env.close()
    return {
        "run": str(run),
        "step": agent.step,
        "probes": len(obs),
        "budget": config.budget,
        "tasks": list(env.spec.tasks),
        "networks": branch_networks(agent.algo, obs, act, config),
    }


# Probes ---------------------------------------------------------------------------


class Recorder:
    """An EnvPolicy that remembers what it saw and did.

    Attributes:
      observations, actions: of each step `(num_envs, ...)`, the actions in units.
    """

    def __init__(self, policy: EnvPolicy) -> None:
        self.policy = policy
        self.observations: list[np.ndarray] = []
        self.actions: list[np.ndarray] = []

    def initial_memory(self, num_envs: int) -> Memory:
        """The policy's."""
        return self.policy.initial_memory(num_envs)

    def act(
        self,
        obs: np.ndarray,
        memory: Memory,
        start: np.ndarray,
        rng: Optional[np.random.Generator] = None,
    ) -> tuple[np.ndarray, Memory]:
        """The policy's."""
        act, memory = self.policy.act(obs, memory, start, rng)
        self.observations.append(np.array(obs))
        self.actions.append(np.array(act))
        return act, memory


def find_probes(agent: Agent, env: VectorEnv, config: Any) -> tuple[np.ndarray, np.ndarray]:
    """States that the run's policy visits while it explores as in training, and what it did there.

    Args:
      env: one of each task. config: as `branch_run`'s.

    Returns:
      Normalised observations `(probes, obs_dim)` and unit actions `(probes, act_dim)`, as many of
      each task, those of a task one after another; drawn from all its steps without repetition.

    Raises:
      UserError: a task has fewer steps.
    """
    recorder = Recorder(EnvPolicy(agent.algo.policy, env, agent.normaliser))
    rng = np.random.default_rng(config.seed)
    evaluate(recorder, env, config.episodes, config.seed, rng, title="the collection of probes")
    observations = np.stack(recorder.observations, axis=1)
    actions = np.stack(recorder.actions, axis=1)
    tasks, steps = observations.shape[:2]
    share = -(-config.probes // tasks)
    if share > steps:
        raise UserError(
            f"--probes {config.probes} needs {share} steps of each task, and --episodes "
            f"{config.episodes} brought {steps}"
        )
    obs = []
    act = []
    for task in range(tasks):
        chosen = rng.choice(steps, share, replace=False)
        obs.append(observations[task, chosen])
        act.append(actions[task, chosen])
    return agent.normaliser.obs(np.concatenate(obs)), np.concatenate(act)


# Features and trees ---------------------------------------------------------------


def features_of(torso: Any, inputs: np.ndarray) -> list[np.ndarray]:
    """What each task's own network makes of the same inputs `(probes, in)`, after each hidden
    layer: `(num_tasks, probes, units)`, the units of an ensemble's members side by side.

    A layer's features are what the next layer is given. Where networks are given the task's code
    each gets that of its own task, whatever task a probe is from.
    """
    passes: list[Pass] = []
    alike = tf.tile(tf.constant(inputs, tf.float32)[None], (torso.num_tasks, 1, 1))
    with torso.using(torso.expand(), passes.append):
        torso(alike)
    inputs_of_layers = [layer.x for layer in passes if layer.x is not None]
    features = []
    for x in inputs_of_layers[1:]:
        members = np.array(x).reshape(-1, *x.shape[-3:])
        features.append(np.concatenate(list(members), axis=-1))
    return features


def branch_networks(
    algo: Any, obs: np.ndarray, act: np.ndarray, config: Any
) -> dict[str, dict[str, Any]]:
    """The trees of an algorithm's networks, targets apart, by the loss that they serve; see
    `branch_network`.

    Args:
      obs, act: probes, as `find_probes` has them. config: as `branch_run`'s.
    """
    found = {}
    for name in algo.saved:
        if name.endswith("_targ"):
            continue
        net = getattr(algo, name)
        inputs = np.concatenate([obs, act], axis=-1) if isinstance(net, Critic) else obs
        for loss, group in getattr(net, "groups", {}).items():
            found[loss] = branch_network(group.torsos, inputs, config)
    return found


def branch_network(torsos: Sequence[Any], inputs: np.ndarray, config: Any) -> dict[str, Any]:
    """The cheapest tree that was found for a network, as JSON values.

    Args:
      torsos: of one loss, the first of them the layers. inputs: `(probes, in)`. config: as
        `branch_run`'s.

    Returns:
      maps: the copy of each region that a task uses, as --split_map takes it. layers: what they
        are. affinities: `(hidden layers, num_tasks, num_tasks)`. cost: the tree's. parameters: of
        the copies in use. shared: parameters where all hidden layers are shared. trees: the
        cheapest for other numbers of parameters, with the copies of each hidden layer.
    """
    net = torsos[0]
    tasks = range(net.num_tasks)
    blocks = blocks_of(torsos)
    depth = len(net.layout.plan(1, net.sizes)) - 1
    sizes = [block.size for block in blocks[:depth]]
    others = blocks[depth + 1 :]  # a learned embedding, a log std
    fixed = blocks[depth].size * len(tasks)
    for block in others:
        fixed += block.size * len(np.unique(block.map))
    shared = fixed + sum(sizes)
    affinity = np.zeros((depth, len(tasks), len(tasks)))
    for layer, features in enumerate(features_of(net, inputs)):
        affinity[layer] = affinities(features)
    # As in the file: features that are the same but for rounding cost nothing.
    affinity = np.round(affinity, DIGITS)
    budget = config.budget * shared
    trees = find_trees(affinity, sizes, fixed, budget, config.beam, config.groupings == "all")
    cheapest = trees[-1]
    maps = [list(grouping) for grouping in cheapest.groupings]
    maps.append(list(tasks))
    for block in others:
        maps.extend(block.map.tolist())
    return {
        "maps": maps,
        "layers": [block.report() for block in blocks],
        "affinities": affinity.tolist(),
        "cost": round(cheapest.cost, DIGITS),
        "parameters": cheapest.parameters,
        "shared": shared,
        "trees": [_summary(tree) for tree in trees],
    }


def _summary(tree: Tree) -> dict[str, Any]:
    copies = [count_groups(grouping) for grouping in tree.groupings]
    return {"parameters": tree.parameters, "cost": round(tree.cost, DIGITS), "copies": copies}
