"""Meta-World in EnvPool: order, ends of episodes, refusals; with EnvPool itself where it is
installed."""

import csv
import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from rl import envs
from rl.__main__ import main
from rl.config import UserError
from rl.envs.metaworld import pool as metaworld_pool
from rl.envs.metaworld import vector as metaworld
from rl.envs.metaworld.sawyer import make_task
from rl.envs.metaworld.task_sets import all_tasks
from tests.helpers import column, rows, train

TABLE = Path(__file__).parents[1] / "benchmarks" / "results" / "metaworld_envpool.csv"
AGREE = "MT:reach,drawer-close,window-open"
real = pytest.mark.skipif(
    importlib.util.find_spec("envpool") is None,
    reason="2026-11-21: EnvPool is 0.8 GB, so it is an extra and not in requirements.lock; runs where it is installed",
)


class Pool:
    """What EnvPool documents of its Gymnasium interface; an env shows its task, seed, episode, step
    and action."""

    action_space = types.SimpleNamespace(dtype=np.float32)
    alive: list = []

    def __init__(
        self, name, env_type, seed, num_envs, max_episode_steps, num_threads, partially_observable
    ):
        assert env_type == "gymnasium" and not partially_observable and 1 <= num_threads <= num_envs
        self.obs, self.limit = np.zeros((num_envs, 39)), max_episode_steps
        self.obs[:, 0], self.obs[:, 1] = self.ids().index(name), seed + np.arange(num_envs)
        self.sent = None
        self.alive.append(self)

    @staticmethod
    def ids():
        return [metaworld_pool.pool_id(task) for task in all_tasks()]

    def reset(self):
        self.async_reset()
        return self.recv(reset=True)

    def async_reset(self):
        self.obs = self.obs + np.array([0, 0, 1, 0] + [0] * 35)
        self.obs[:, 3:] = 0
        self.sent = "reset"

    def send(self, act):
        assert act.dtype == np.float32
        self.obs = self.obs + np.array([0, 0, 0, 1] + [0] * 35)
        self.obs[:, 4] = act[:, 0]
        self.sent = "step"

    def recv(self, reset=False):
        assert self.sent == ("reset" if reset else "step")
        self.sent, count = None, len(self.obs)
        if reset:
            return self.obs, {}
        over = self.obs[:, 3] == self.limit
        return (
            self.obs,
            self.obs[:, 4].astype(np.float32),
            np.zeros(count, bool),
            over,
            {"success": self.obs[:, 4]},
        )

    def close(self):
        self.alive.remove(self)


@pytest.fixture(name="fake")
def fixture_fake(monkeypatch):
    monkeypatch.setattr(Pool, "alive", [])
    monkeypatch.setitem(
        sys.modules, "envpool", types.SimpleNamespace(make=Pool, list_all_envs=Pool.ids)
    )
    return Pool


def test_ids():
    assert metaworld_pool.pool_id("peg-unplug-side-v3") == "MetaWorld/PegUnplugSide-v3"


def test_envs_are_ordered_by_task_and_seeded_apart(fake):
    env = envs.make(AGREE, 2, backend="envpool")
    obs = env.reset(5)
    assert obs.shape == (6, 39) and obs.dtype == np.float32
    assert env.spec.num_tasks == 3 and (env.num_envs, env.max_ep_len, env.keeps_state) == (
        6,
        500,
        False,
    )
    assert [all_tasks()[int(task)] for task in obs[:, 0]] == [
        task for task in env.spec.tasks for _ in range(2)
    ]
    assert obs[:, 1].tolist() == [5, 6, 7, 8, 9, 10]
    np.testing.assert_array_equal(env.rebuild(5), obs)
    assert len(fake.alive) == 3  # those of before are closed
    env.close()
    assert not fake.alive


def test_a_step_and_the_end_of_episodes(fake):
    env = envs.make(AGREE, 2, backend="envpool", max_ep_len=2)
    act = np.tile(np.arange(6, dtype=np.float32)[:, None], 4) / 8
    env.reset(0)
    first, last, after = (env.step(act) for _ in range(3))
    for step, number, episode, next_step in ((first, 1, 1, 1), (last, 2, 2, 0), (after, 1, 2, 1)):
        assert (step.obs2[:, 3] == number).all() and (
            step.obs[:, 3] == next_step
        ).all()  # what it led to, what is next
        assert (step.obs[:, 2] == episode).all()
        assert (step.truncated == (number == 2)).all() and not step.terminated.any()
        np.testing.assert_array_equal(step.rew, act[:, 0])
        assert step.rew.dtype == float and step.success.tolist() == [
            False,
            True,
            True,
            True,
            True,
            True,
        ]
    assert len(fake.alive) == 3


@pytest.mark.parametrize(
    "env_id, flags, words",
    [
        ("ML1-reach", {}, "ML1-reach-v3.*list"),
        ("ML10", {}, "ML10.*list"),
        ("MT1-reach", {"goals": "fixed"}, "--goals fixed"),
        ("MT1-reach", {"reward": "v1"}, "--reward v1"),
        ("MT1-dial-turn", {}, "is [0-9]+ and [0-9]+ on dial-turn-v3; --env_backend async has all$"),
        ("MT:reach,dial-turn,push", {}, "dial-turn-v3; .*, envpool MT:reach,push$"),
        ("MT1-reach", {"visit": "cycle"}, "--visit needs --env_backend sync or async"),
        ("MT10", {}, "on peg-insert-side-v3; .*, envpool MT:reach,push,pick-place,"),
    ],
)
def test_what_is_not_as_in_the_package_is_refused(fake, env_id, flags, words):
    with pytest.raises(UserError, match=words) as error:
        envs.make(env_id, backend="envpool", **flags)
    assert "\n" not in str(error.value) and not fake.alive


def test_without_envpool(monkeypatch):
    monkeypatch.setitem(sys.modules, "envpool", None)
    with pytest.raises(UserError, match="pip install"):
        envs.make("MT1-reach", backend="envpool")


def test_refused_tasks_are_those_of_the_table():
    with TABLE.open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert sorted(row["task"] for row in table) == sorted(all_tasks())
    differ = [row for row in table if row["agrees"] == "no"]
    scores = {
        row["task"]: tuple(
            round(float(row[f"{simulator}_return"])) for simulator in ("package", "envpool")
        )
        for row in differ
    }
    assert metaworld_pool.REFUSED == scores


@real
def test_real_envpool_has_every_task():
    envpool = importlib.import_module("envpool")
    assert not {metaworld_pool.pool_id(task) for task in all_tasks()} - set(envpool.list_all_envs())


@real
def test_real_envs_repeat_themselves_and_are_near_the_packages():
    env, again = (
        envs.make("MT:window-open,reach", 2, backend="envpool", max_ep_len=40) for _ in range(2)
    )
    obs, rng = env.reset(3), np.random.default_rng(0)
    np.testing.assert_array_equal(again.reset(3), obs)
    start, goal = obs[2, 4:7], obs[2, 36:39]  # what reach draws
    package = make_task("reach-v3", np.array([[*start, *goal]], float), hidden=False, limit=40)
    package.reset(options={"goal": 0})
    for _ in range(40):
        act = rng.uniform(-1, 1, (4, 4)).astype(np.float32)
        step, same = env.step(act), again.step(act)
        for got, want in zip(step, same, strict=True):
            np.testing.assert_array_equal(got, want)
        want, rew, _, truncated, _ = package.step(act[2])
        np.testing.assert_allclose(step.obs2[2, :4], want[:4], atol=1e-5)
        np.testing.assert_allclose(step.rew[2], rew, rtol=1e-4)
        assert (step.truncated == truncated).all()
    assert truncated and (step.obs[:, 36:] != step.obs2[:, 36:]).any(1).all()  # new goals
    env.close()
    again.close()


@real
def test_a_real_run_resumes_exactly(tmp_path, monkeypatch):
    """So it repeats itself, too. Tests are played on the package's own envs."""
    make, made = envs.make, []
    monkeypatch.setattr(
        envs, "make", lambda *args, **options: made.append(make(*args, **options)) or made[-1]
    )
    args = ("--env", "MT:reach,window-open", "--env_backend", "envpool", "--max_ep_len", "20")
    whole = train(tmp_path / "a", *args)
    assert [type(env) for env in made] == [metaworld_pool.MetaWorldPool, metaworld.MetaWorld]
    assert made[1].backend == "sync"
    short = train(tmp_path / "b", *args, "--epochs", "2")
    assert main(["resume", str(short), "--epochs", "3"]) == 0
    assert rows(short) == rows(whole) and column(whole, "EpLen")[-1] == 20
