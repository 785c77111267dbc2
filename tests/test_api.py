"""The public API: what docs/api.md shows, one's own envs and algorithms, and acting."""

import json
import multiprocessing
import os
import re
import subprocess
import sys
import threading
from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import pytest

import rl
from rl import algos, envs, flags, signals
from rl.__main__ import main
from rl.algos.ddpg import DDPG
from rl.config import UserError
from rl.envs.python_env import PythonEnv
from rl.experiments.agent import Agent
from rl.experiments.commands.training_flags import parse
from rl.flags import conditions
from rl.networks import DeterministicPolicy
from rl.spec import EnvSpec, Field
from tests import toy_envs
from tests.helpers import ROOT, refused, rows

# Collects, and never updates: nothing is compiled.
QUICK = {
    "epochs": 1,
    "steps_per_epoch": 40,
    "max_ep_len": 10,
    "hidden_sizes": (8,),
    "num_test_episodes": 1,
    "tensorboard": False,
}


@pytest.fixture(scope="module", autouse=True)
def fixture_registrations():
    """What tests register is known to no test of another file."""
    listed = dict(flags.ALGORITHMS)
    named = list(flags.run.ALGOS)
    families = list(envs.FAMILIES)
    yield
    for name in set(flags.ALGORITHMS) - set(listed):
        del flags.ALGORITHMS[name]
        del algos.ALGOS[name]
    flags.run.ALGOS[:] = named
    envs.FAMILIES[:] = families
    conditions.TASK_SETS.clear()


# The documentation --------------------------------------------------------------


@pytest.fixture(scope="module", name="shown")
def fixture_shown(tmp_path_factory):
    """The examples of docs/api.md, run one after another in a folder of their own: that folder, and
    the names that they define."""
    folder = tmp_path_factory.mktemp("shown")
    text = (ROOT / "docs" / "api.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 5
    before = os.getcwd()
    names = {"__name__": "shown"}
    sys.modules["shown"] = SimpleNamespace()
    os.chdir(folder)
    try:
        for block in blocks:
            exec(compile(block, "docs/api.md", "exec"), names)  # pylint: disable=exec-used
    finally:
        os.chdir(before)
        del sys.modules["shown"]
    return folder, SimpleNamespace(**names)


def test_the_runs_of_the_documentation(shown):
    folder, _ = shown
    found = {path.parent.name for path in folder.glob("data/*/*/config.json")}
    small = "small_steps_python_Follow_s0"
    assert found == {"ddpg_Pendulum_s1", "sac_python_Follow_s0", "mine_s0", small}
    for path in folder.glob("data/*/*"):
        assert rl.RunDir(path).status == "finished"
    run = rl.RunDir.find(folder / "data" / "ddpg_Pendulum")
    assert run.name == "ddpg_Pendulum_s1"
    assert run.checkpoints == [200, 400]
    assert run.rows["TotalEnvInteracts"] == [200, 400]
    assert run.config["gamma"] == 0.99 and run.config["env"] == "Pendulum-v1"
    mine = rl.RunDir.find(folder / "data" / "mine")
    assert "AverageTestEpRet" not in mine.rows


def test_the_front_door_trains_the_same(shown, tmp_path):
    folder, _ = shown
    text = (
        "--algo ddpg --env Pendulum --seed 1 --epochs 2 --steps_per_epoch 200 --start_steps 100 "
        "--update_after 100 --hidden_sizes 16 --num_test_episodes 1 --data_dir"
    )
    assert main([*text.split(), str(tmp_path)]) == 0
    parts = ("ddpg_Pendulum", "ddpg_Pendulum_s1")
    assert rows(tmp_path.joinpath(*parts)) == rows((folder / "data").joinpath(*parts))


def test_a_run_in_an_env_of_python_code(shown, capsys):
    """It goes on, and acts, only where the code is."""
    folder, names = shown
    run = rl.RunDir.find(folder / "data" / "sac_python_Follow")
    assert json.loads((run.path / "config.json").read_text())["env"] == "python Follow"
    for argv in (["eval", run.path], ["resume", run.path, "--epochs", "2"]):
        assert "handed over by Python code" in refused(capsys, *argv)
    assert "handed over" in refused(capsys, "--env", "python Follow")
    with pytest.raises(UserError, match="handed over"):
        rl.load(run)
    with pytest.raises(UserError, match="trained in python Follow, and env makes python Target"):
        rl.resume(run, epochs=2, env=toy_envs.Target)
    with pytest.raises(UserError, match="already has 200 of 200 steps"):
        rl.resume(run, env=names.Follow)
    with pytest.raises(UserError, match="no sound checkpoint"):
        rl.load(run, env=toy_envs.Matrix)


def test_what_resume_refuses(shown, tmp_path):
    folder, _ = shown
    run = rl.RunDir.find(folder / "data" / "ddpg_Pendulum")
    before = (run.path / "config.json").read_bytes()
    with pytest.raises(UserError, match="--gamma stays as it is"):
        rl.resume(run, gamma=0.9)
    with pytest.raises(UserError, match="--lr: --algo ppo has it, ddpg has not"):
        rl.resume(run, lr=0.9)
    with pytest.raises(UserError, match="above 0"):
        rl.resume(run, q_lr=0.0)
    assert (run.path / "config.json").read_bytes() == before
    with pytest.raises(UserError, match="not a run directory"):
        rl.resume(tmp_path)
    assert not list(tmp_path.iterdir())


# Importing ------------------------------------------------------------------------


def test_import_is_lazy():
    """Neither `import rl` nor the names that need no network load TensorFlow."""
    code = (
        "import sys, time\n"
        "import rl\n"
        "assert time.process_time() < 1 and not {'numpy', 'gymnasium'} & set(sys.modules)\n"
        "assert set(rl.__all__) <= set(dir(rl))\n"
        "rl.RunDir, rl.UserError, rl.train, rl.resume, rl.load, rl.make_env\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def test_all_that_is_there_by_name():
    assert set(rl.ALGOS) >= {"ddpg", "ppo", "sac", "td3"}
    assert {"mlp", "splitting"} <= set(rl.NETWORKS) and "pcgrad" in rl.GRADIENTS
    assert all(hasattr(rl, name) for name in rl.__all__)
    with pytest.raises(AttributeError, match="no attribute 'tain'"):
        rl.tain  # pylint: disable=no-member,pointless-statement


# Flags ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given, words",
    [
        ({"learning_rate": 1}, "unknown flag --learning_rate: .*--pi_lr"),
        ({"gama": 1}, "closest flags are --gamma"),
        ({"gamma": 1.5}, r"--gamma must be in \[0, 1\]"),
        ({"seed": [0, 1]}, "--seed must be a whole number"),
        ({"goals": "fixed"}, "has no effect here"),
        ({"algo": "dqn"}, "unknown algo"),
        ({"env": "Pendulum-v99"}, "unknown env"),
        ({"env": 3}, "must be a Gymnasium env"),
        ({"env": "PointMass-MT4", "network": "meta_splitting"}, "is made from a run"),
        ({"env": dict}, "must make a Gymnasium env"),
    ],
)
def test_flags_are_checked_as_the_front_door_does(tmp_path, given, words):
    with pytest.raises(UserError, match=words):
        rl.train(**{"env": "Pendulum", "data_dir": str(tmp_path), **given})
    assert not list(tmp_path.iterdir())


# One's own envs -----------------------------------------------------------------


@pytest.mark.parametrize(
    "given, words",
    [
        ({"num_envs": 0}, "num_envs must be at least 1"),
        ({"max_eplen": 5}, "no option max_eplen; the closest are max_ep_len"),
        ({"backend": "asinc"}, "backend must be one of sync, async, envpool"),
    ],
)
def test_options_of_make_env_are_checked(given, words):
    for env in ("Pendulum", toy_envs.Target):
        with pytest.raises(UserError, match=words):
            rl.make_env(env, **given)


def test_the_name_of_an_algorithm_is_a_text():
    with pytest.raises(UserError, match="algo must be a text, got None"):
        rl.train(None, "Pendulum")


def test_refused_runs_leave_no_workers(tmp_path):
    flags = {"env_backend": "async", "num_envs": 2, "network": "film", "data_dir": str(tmp_path)}
    with pytest.raises(UserError, match="--network film is for several tasks"):
        rl.train("ppo", "Pendulum", **flags)
    assert not multiprocessing.active_children()


def test_an_env_that_is_there_is_the_only_one(tmp_path):
    env = toy_envs.Count()
    where = {**QUICK, "data_dir": str(tmp_path)}
    with pytest.raises(UserError, match="--num_test_episodes"):
        rl.train(env=env, **where)
    where["num_test_episodes"] = 0
    with pytest.raises(UserError, match="--num_envs above 1"):
        rl.train(env=env, num_envs=2, **where)
    with pytest.raises(UserError, match="--env_backend async"):
        rl.train(env=env, env_backend="async", **where)
    assert not list(tmp_path.iterdir())
    run = rl.train(env=env, **where)
    assert run.status == "finished" and run.rows["EpLen"] == [3]
    again = rl.resume(run, env=env, epochs=2)
    assert again == run and again.rows["Epoch"] == [1, 2]
    assert "--overwrite" in str(pytest.raises(UserError, rl.train, env=env, **where).value)


@pytest.mark.parametrize("backend", ["sync", "async"])
def test_a_function_that_makes_envs(tmp_path, backend):
    where = {**QUICK, "data_dir": str(tmp_path), "num_envs": 2, "env_backend": backend}
    run = rl.train(env=toy_envs.Count, **where)
    assert run.status == "finished"
    assert run.rows["EpLen"] == [3] and run.rows["AverageTestEpRet"] == [6]


def test_what_is_for_envs_with_an_id():
    source = PythonEnv(toy_envs.Target)
    for options in ({"visit": "cycle"}, {"env_kwargs": {"a": 1}}, {"backend": "envpool"}):
        with pytest.raises(UserError):
            source.make(1, **options)


def test_a_time_limit_beyond_the_envs_own():
    """It would end episodes before the limit that is asked for."""
    source = PythonEnv(lambda: gym.make("Pendulum-v1"))
    assert source.make(max_ep_len=50).max_ep_len == 50
    assert source.make().max_ep_len == 200
    with pytest.raises(UserError, match="--max_ep_len 400 is more than the 200 steps"):
        source.make(max_ep_len=400)


def test_observations_that_are_numbers_are_one_hot_codes():
    """As those of an env that has an id."""
    vector = PythonEnv(lambda: gym.make("FrozenLake-v1", is_slippery=False)).make(2)
    assert vector.spec.obs_dim == 16
    np.testing.assert_array_equal(vector.reset(0), np.eye(16)[[0, 0]])


def test_both_backends_step_alike():
    vectors = [rl.make_env(toy_envs.Target, 2, backend=name) for name in ("sync", "async")]
    act = np.array([[0.5], [-0.5]], np.float32)
    seen = []
    for vector in vectors:
        seen.append([vector.reset(3)])
        seen[-1] += [vector.step(act).rew for _ in range(3)]
        vector.close()
    for here, there in zip(*seen):
        np.testing.assert_array_equal(here, there)
    with pytest.raises(UserError, match="can be pickled"):
        rl.make_env(lambda: toy_envs.Target(), backend="async")  # pylint: disable=W0108


def test_time_limits():
    """The env's own, or what is asked for, or 1000."""
    assert rl.make_env(toy_envs.Ones).max_ep_len == 1000
    vector = rl.make_env(toy_envs.Ones, max_ep_len=3)
    vector.reset(0)
    ends = [vector.step(np.zeros((1, 1), np.float32)).truncated[0] for _ in range(6)]
    assert ends == [False, False, True] * 2


def test_an_env_is_left_open_and_goes_on():
    class Closing(toy_envs.Ones):
        """Knows whether it was closed."""

        closed = False

        def close(self):
            self.closed = True

    env = Closing()
    vector = rl.make_env(env)
    vector.rebuild(0)
    vector.close()
    assert not env.closed
    vector = rl.make_env(Closing)
    inner = vector.env.envs[0].unwrapped
    vector.close()
    assert inner.closed


class Family:
    """Envs "Toy-<class>" of the toys; "Toy-Pair" has two tasks, and is never made."""

    def knows(self, env_id):
        return env_id.startswith("Toy-")

    def resolve(self, env_id):
        return env_id

    def tasks_of(self, env_id, split):
        return ("left", "right") if env_id == "Toy-Pair" else ()

    def make(self, env_id, num_envs=1, **options):
        return rl.make_env(getattr(toy_envs, env_id.removeprefix("Toy-")), num_envs, **options)


class StillPolicy(DeterministicPolicy):
    """Acts 0."""

    def act(self, obs, memory, start, rng=None):
        act, memory = super().act(obs, memory, start, rng)
        return 0 * act, memory


class Still(DDPG):
    """Never moves."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.policy = StillPolicy(self.actor, self.spec, std=0.0)


def test_a_family_and_an_algorithm_from_outside(tmp_path):
    envs.register(Family())
    algos.register("still", Still, defaults={"start_steps": 0})
    run = rl.train("still", "Toy-Target", data_dir=str(tmp_path), **QUICK)
    assert run.status == "finished" and run.config["env"] == "Toy-Target"
    assert run.config["start_steps"] == 0
    assert rl.load(run).act([0.5]).tolist() == [0.0]
    parse(["--env", "Toy-Pair", "--gradient_stats"])
    with pytest.raises(UserError, match="has no effect"):
        parse(["--env", "Toy-Target", "--gradient_stats"])
    assert parse(["--algo", "still"])["start_steps"] == 0
    with pytest.raises(UserError, match="already"):
        algos.register("still", Still)
    with pytest.raises(UserError, match="needs a name"):
        algos.register("no name", Still)
    with pytest.raises(UserError, match="needs a function knows"):
        envs.register(object())


# Acting ----------------------------------------------------------------------------


class Echo:
    """Acts with the first numbers of the observation, times 1, 2, ... by task."""

    def __init__(self, spec):
        self.spec = spec
        self.starts = []

    def initial_memory(self, num_envs):
        return np.zeros(num_envs, np.float32)

    def act(self, obs, memory, start, rng=None):
        """Its memory counts steps, and is told of first steps where it explores."""
        scale = np.arange(1, 1 + (self.spec.num_tasks or 1))
        acts = obs[..., : self.spec.act_dim]
        if rng is not None:
            self.starts.append(start.reshape(-1).tolist())
        return acts * scale[:, None, None] if self.spec.tasks else acts, memory + 1


class Same:
    """A normaliser that changes nothing."""

    def obs(self, obs):
        return obs


def agent_of(obs_dim=2, act_dim=1, **options):
    high = np.ones(act_dim, np.float32)
    shape = options.pop("act_shape", (act_dim,))
    fields = (Field((obs_dim,)), Field((act_dim,)))
    spec = EnvSpec("toy", *fields, shape, -2 * high, 2 * high, **options)
    return Agent(SimpleNamespace(policy=Echo(spec)), Same(), spec, step=0)


def test_actions_of_one_env_and_of_several():
    """In the env's own units: the bounds are -2 and 2."""
    agent = agent_of()
    assert agent.act([0.25, 0.0]).tolist() == [0.5]
    assert agent.act([[0.25, 0.0], [-0.5, 0.0]]).tolist() == [[0.5], [-1.0]]
    assert agent_of(4).act([[0.5, 0.0], [0.0, 0.0]]).tolist() == [1.0]  # as the env gives it
    assert agent_of(4).act(np.zeros((3, 2, 2))).shape == (3, 1)
    assert agent_of(1).act([0.5]).shape == (1,) and agent_of(1).act([[0.5]]).shape == (1, 1)
    assert agent_of(obs_shape=(1, 2)).act([[0.25, 0.0]]).tolist() == [0.5]
    assert agent_of(obs_shape=(1, 2)).act(np.zeros((3, 1, 2))).shape == (3, 1)
    assert agent_of(6, 6, act_shape=(2, 3)).act(np.zeros(6)).shape == (2, 3)
    for wrong in ([0.0], [[0.0]], [], np.zeros((2, 3))):
        with pytest.raises(UserError, match="has 2 numbers"):
            agent.act(wrong)


def test_choices_are_whole_numbers():
    agent = agent_of(choices=(5,), act_shape=(), act_dtype="int64")
    assert agent.act([1, 0]) == -1 and agent.act([1, 0]).dtype == np.int64
    assert agent.act([[1, 0], [2, 0]]).tolist() == [-1, 0]


def test_actions_by_task():
    agent = agent_of(tasks=("left", "right"))
    assert agent.act([0.25, 0.0], task="right").tolist() == [1.0]
    assert agent.act([[0.25, 0.0]] * 3, task="left").tolist() == [[0.5]] * 3
    both = agent.act([[0.25, 0.0]] * 4)
    assert both.tolist() == [[0.5], [0.5], [1.0], [1.0]]
    with pytest.raises(UserError, match="not as many of each"):
        agent.act([0.25, 0.0])
    with pytest.raises(UserError, match="no task 'up'"):
        agent.act([0.25, 0.0], task="up")
    with pytest.raises(UserError, match="no task 'up'"):
        agent_of().act([0.25, 0.0], task="up")


def test_noise_is_told_where_episodes_begin():
    agent = agent_of()
    pair = np.zeros((2, 2))
    agent.act(pair, noise=True)
    agent.act(pair, noise=True)
    agent.reset(np.array([False, True]))
    agent.act(pair, noise=True)
    agent.reset()
    agent.act(pair, noise=True)
    agent.act(pair[:1], noise=True)  # others than before
    wanted = [[True, True], [False, False], [False, True], [True, True], [True]]
    assert agent.algo.policy.starts == wanted


def test_signals_are_left_alone_in_another_thread():
    failed = []

    def train():
        try:
            with signals.handled(lambda number: None):
                pass
        except ValueError as error:
            failed.append(error)

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert not failed
