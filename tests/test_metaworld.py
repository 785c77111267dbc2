"""Meta-World: ids, goals, simulators equal to the package's, and state that can be rebuilt."""

import functools
import os
import pickle
import signal
import subprocess
import sys

import metaworld as package
import mujoco
import numpy as np
import pytest
from metaworld import env_dict
from metaworld.policies import ENV_POLICY_MAP
from metaworld.sawyer_xyz_env import SawyerXYZEnv
from scipy.spatial import transform

from rl.config import UserError
from rl.envs.gymnasium import make_one
from rl.envs.metaworld import goals as goal_cache
from rl.envs.metaworld import vector as metaworld
from rl.envs.metaworld.rotation import Rotation
from rl.envs.metaworld.sawyer import make_task
from rl.envs.workers import Workers
from rl.training.evaluate import evaluate
from tests.helpers_buffers import flat_spec
from tests.helpers_loops import Acting
from tests.helpers_metaworld import TWO, assert_same, random_steps

pytestmark = pytest.mark.usefixtures("goal_cache_folder")


def drawn(benchmark_tasks, name):
    """The package's goals of a task."""
    return np.array(
        [pickle.loads(task.data)["rand_vec"] for task in benchmark_tasks if task.env_name == name]
    )


@pytest.mark.parametrize(
    "short, full",
    [
        ("MT1-reach", "MT1-reach-v3"),
        ("ML1-push-v3", "ML1-push-v3"),
        ("MT:reach,push-v3", "MT:reach-v3,push-v3"),
        ("ML45", "ML45"),
    ],
)
def test_ids(short, full):
    assert metaworld.knows(short) and metaworld.resolve(short) == full


@pytest.mark.parametrize(
    "name, hint",
    [
        ("MT1-reech", "reach-v3"),
        ("MT11", "MT10"),
        ("ML:reach,pusch", "push-v3"),
        ("MT:", "MT10"),
        ("MT1-reach,push", "MT"),
        ("MT:reach,reach-v3", "twice"),
    ],
)
def test_bad_names_are_refused_in_one_line(name, hint):
    assert metaworld.knows(name)
    with pytest.raises(UserError, match=hint) as error:
        metaworld.make(name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("options", [{"goals": "some"}, {"reward": "v3"}])
def test_bad_options_are_refused(options):
    with pytest.raises(UserError, match=f"--.*{list(options)[0]}"):
        metaworld.make("MT1-reach", **options)


@pytest.mark.parametrize(
    "name", ["HalfCheetah", "PointMass-MT4", "MountainCar", "tests.toy_envs:Count"]
)
def test_other_families_are_left_alone(name):
    assert not metaworld.knows(name)


@pytest.mark.parametrize(
    "name, train, test", [("MT10", 10, 10), ("MT50", 50, 50), ("ML10", 10, 5), ("ML45", 45, 5)]
)
def test_tasks_of_sets(name, train, test):
    first, second = metaworld.tasks_of(name, "train"), metaworld.tasks_of(name, "test")
    assert (len(first), len(second)) == (train, test)
    assert first == second if name.startswith("MT") else not set(first) & set(second)
    known = getattr(env_dict, f"{name}_V3")
    assert list(first) == list(known if name.startswith("MT") else known["train"])


def test_goals_are_the_packages():
    """lever-pull looks at bodies that only physics has placed, window-close settles in a way of its
    own."""
    names = ("lever-pull-v3", "window-close-v3")
    benchmark = package.CustomML(names, ("reach-v3",), seed=5)
    before = np.random.get_state()[1].copy()
    lists = goal_cache.goal_lists(names, 5)
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    for name in names:
        assert lists[name].shape[0] == 50
        np.testing.assert_array_equal(lists[name], drawn(benchmark.train_tasks, name))


def test_train_and_test_goals_of_one_task():
    benchmark, lists = package.ML1("reach-v3", seed=3), []
    for split, tasks in (("train", benchmark.train_tasks), ("test", benchmark.test_tasks)):
        env = metaworld.make("ML1-reach", seed=3, split=split)
        lists.append(env.env.envs[0].unwrapped.goals)
        np.testing.assert_array_equal(lists[-1], drawn(tasks, "reach-v3"))
    assert not {tuple(goal) for goal in lists[0]} & {tuple(goal) for goal in lists[1]}


def test_goals_are_cached(monkeypatch):
    lists = goal_cache.goal_lists(("reach-v3",), 11)
    (file,) = goal_cache.cache_folder().glob("*_11.npz")
    whole = file.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(goal_cache, "draw", None)
        np.testing.assert_array_equal(
            goal_cache.goal_lists(("reach-v3",), 11)["reach-v3"], lists["reach-v3"]
        )
    for damaged in (whole[:1000], b"", whole[:500] + bytes([whole[500] ^ 1]) + whole[501:]):
        file.write_bytes(damaged)
        np.testing.assert_array_equal(
            goal_cache.goal_lists(("reach-v3",), 11)["reach-v3"], lists["reach-v3"]
        )
        assert len(file.read_bytes()) == len(whole) and file.read_bytes() != damaged
    assert {path.suffix for path in goal_cache.cache_folder().iterdir()} == {".npz"}


def test_a_cache_that_cannot_be_written_is_ignored(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert goal_cache.goal_lists(("reach-v3",), 0)["reach-v3"].shape == (50, 6)


@pytest.mark.parametrize(
    "kind, name, reward",
    [("MT1", "push-v3", "v2"), ("ML1", "pick-place-v3", "v2"), ("MT1", "window-close-v3", "v1")],
)
def test_every_step_is_the_packages(kind, name, reward):
    """Two episodes with other goals, the expert acting for most of each, bit for bit."""
    benchmark = getattr(package, kind)(name, seed=2)
    theirs, expert = (
        benchmark.train_classes[name](reward_function_version=reward),
        ENV_POLICY_MAP[name](),
    )
    ours, rng = metaworld.make(
        f"{kind}-{name}", seed=2, reward=reward, max_ep_len=150
    ), np.random.default_rng(0)
    for goal in (7, 30):
        theirs.set_task(benchmark.train_tasks[goal])
        want, _ = theirs.reset()
        np.testing.assert_array_equal(ours.reset(0, goals=[goal])[0], want.astype(np.float32))
        for t in range(149):
            act = np.clip(
                expert.get_action(want) if t < 120 else rng.uniform(-1, 1, 4), -1, 1
            ).astype(np.float32)
            want, reward, _, _, info = theirs.step(act)
            step = ours.step(act[None])
            np.testing.assert_array_equal(step.obs2[0], want.astype(np.float32))
            assert step.rew[0] == reward and step.success[0] == bool(info["success"])


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(env_dict.ALL_V3_ENVIRONMENTS))
def test_steps_of_every_task_are_the_packages(name):
    """By random actions, bit for bit: each task observes its objects in its own way."""
    goals = goal_cache.goal_lists((name,), 0)[name]
    ours = make_task(name, goals, hidden=False, limit=50, reward_function_version="v2")
    kind = env_dict.ALL_V3_ENVIRONMENTS[name]
    theirs = kind(reward_function_version="v2")
    data = {"rand_vec": goals[3], "env_cls": kind, "partially_observable": False}
    theirs.set_task(package.Task(name, pickle.dumps(data)))
    want, _ = theirs.reset()
    got, _ = ours.reset(options={"goal": 3})
    np.testing.assert_array_equal(got, want)
    for act in np.random.default_rng(0).uniform(-1, 1, (50, 4)).astype(np.float32):
        want, reward, _, _, info = theirs.step(act)
        got, our_reward, _, _, our_info = ours.step(act)
        np.testing.assert_array_equal(got, want)
        assert our_reward == reward and our_info["success"] == info["success"]


def test_quaternions_are_scipys_bit_for_bit():
    """Of random rotations, and of those by which the largest of trace and diagonal is each of
    them."""
    quats = np.random.default_rng(0).normal(size=(500, 4))
    quats[:100] = np.sign(np.round(quats[:100]))
    quats[:4] = np.eye(4)
    for quat in quats[np.any(quats, axis=1)]:
        matrix = np.zeros(9)
        mujoco.mju_quat2Mat(matrix, quat / np.linalg.norm(quat))
        matrix = matrix.reshape(3, 3)
        wanted = transform.Rotation.from_matrix(matrix).as_quat()
        assert Rotation.from_matrix(matrix).as_quat().tobytes() == wanted.tobytes()


def test_what_is_no_rotation_is_left_to_scipy():
    skewed = np.array([[1.0, 0.1, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    wanted = transform.Rotation.from_matrix(skewed).as_quat()
    np.testing.assert_array_equal(Rotation.from_matrix(skewed).as_quat(), wanted)
    with pytest.raises(ValueError):
        Rotation.from_matrix(np.diag([1.0, 1.0, -1.0]))


def test_contacts_are_found_as_the_package_finds_them():
    env, expert, found = (
        metaworld.make("MT1-push", max_ep_len=100),
        ENV_POLICY_MAP["push-v3"](),
        set(),
    )
    obs, one = env.reset(0), env.env.envs[0].unwrapped
    for _ in range(80):
        obs = env.step(np.clip(expert.get_action(obs[0]), -1, 1).astype(np.float32)[None]).obs
        geoms = [one.data.geom(name).id for name in ("objGeom", "leftpad_geom")]
        both = [one.touching_object(geom) for geom in geoms]
        assert both == [SawyerXYZEnv.touching_object(one, geom) for geom in geoms]
        found.add(both[0])
    assert found == {True, False}


@pytest.mark.parametrize("env_id, shown", [("MT1-push", True), ("ML1-push", False)])
def test_ml_hides_the_goal(env_id, shown):
    env = metaworld.make(env_id)
    obs = [env.reset(0), *(step.obs2 for step in random_steps(env, 3))]
    assert all(
        o.shape == (1, 39) and o.dtype == np.float32 and o[0, 36:].any() == shown for o in obs
    )


def test_success():
    env, expert = metaworld.make("MT1-reach", max_ep_len=100), ENV_POLICY_MAP["reach-v3"]()
    obs, told = env.reset(0), []
    for _ in range(100):
        step = env.step(np.clip(expert.get_action(obs[0]), -1, 1).astype(np.float32)[None])
        obs = step.obs
        told.append(step.success[0])
    assert step.success.dtype == bool and not told[0] and told[-1]


def test_an_episode_ends_by_truncation():
    env = metaworld.make("MT1-reach")
    assert env.max_ep_len == 500
    env.reset(0)
    *before, last = random_steps(env, 500)
    assert not any(step.truncated.any() or step.terminated.any() for step in before)
    assert last.truncated.all() and not last.terminated.any()
    assert (
        last.obs[0, :18] == last.obs[0, 18:36]
    ).all()  # as only an episode's first observation is
    assert (last.obs2[0, :18] != last.obs2[0, 18:36]).any()
    np.testing.assert_array_equal(last.obs2[0, 18:36], before[-1].obs2[0, :18])


def test_envs_are_ordered_by_task_and_obey_goals():
    env = metaworld.make(TWO, 2, max_ep_len=3)
    assert env.spec.tasks == ("reach-v3", "push-v3") and env.spec.num_tasks == 2
    assert (env.num_envs, env.num_goals, env.spec.obs_dim, env.spec.act_shape) == (4, 50, 39, (4,))
    lists = goal_cache.goal_lists(env.spec.tasks, 0)
    want = np.stack(
        [lists["reach-v3"][5], lists["reach-v3"][0], lists["push-v3"][49], lists["push-v3"][5]]
    )
    env.reset(1, goals=[5, 0, 49, 5])
    for step in random_steps(env, 7):  # the third episode has begun
        np.testing.assert_array_equal(step.obs[:, 36:38], want[:, 3:5].astype(np.float32))
    with pytest.raises(ValueError, match="below 50"):
        env.reset(1, goals=[0, 0, 0, 50])


def test_goals_differ_between_episodes():
    env = metaworld.make("MT1-reach", 1, max_ep_len=3)
    env.reset(1)
    assert len({tuple(step.obs[0, 36:39]) for step in random_steps(env, 30)}) > 5


def test_a_fixed_goal_is_the_first():
    env = metaworld.make("MT1-reach", 2, goals="fixed", max_ep_len=2)
    want = goal_cache.goal_lists(("reach-v3",), 0)["reach-v3"][0, 3:].astype(np.float32)
    assert env.num_goals == 1 and (env.reset(3)[:, 36:] == want).all()
    assert all((step.obs[:, 36:] == want).all() for step in random_steps(env, 5))


def test_goals_are_drawn_by_the_seed_of_each_env():
    first, same, other = (metaworld.make("MT1-reach", 2).reset(seed)[:, 36:] for seed in (0, 0, 7))
    np.testing.assert_array_equal(first, same)
    assert (first != other).all() and (first[0] != first[1]).any()


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_do_as_one_process_does(workers):
    one, many = (
        metaworld.make(TWO, 2, b, max_ep_len=4, num_workers=workers) for b in ("sync", "async")
    )
    assert [len(share) for share in many.env.shares] == {2: [2, 2], 3: [2, 1, 1]}[workers]
    np.testing.assert_array_equal(one.reset(5), many.reset(5))
    assert_same(random_steps(many, 10), random_steps(one, 10))
    np.testing.assert_array_equal(one.rebuild(6), many.rebuild(6))
    many.close()


@pytest.mark.parametrize("backend", ["sync", "async"])
def test_a_rebuilt_episode_goes_on_exactly(backend):
    """On simulators that ran other episodes meanwhile, and on new ones."""
    tasks = "MT:hammer,door-open,stick-pull,push"
    env, new = (metaworld.make(tasks, 1, backend, max_ep_len=60, num_workers=2) for _ in range(2))
    env.reset(3)
    state, obs = env.state(), random_steps(env, 100)[-1].obs
    state = env.state()
    assert [len(saved["actions"]) for saved in state] == [40] * 4
    want = random_steps(env, 80, seed=1)
    for again in (env, new):
        again.load_state(state, obs)
        assert_same(random_steps(again, 80, seed=1), want)
        again.close()


def test_a_rebuilt_episode_keeps_its_goals():
    env, new = (metaworld.make("MT1-reach", 2, max_ep_len=3) for _ in range(2))
    env.reset(3, goals=[4, 9])
    obs = random_steps(env, 4)[-1].obs
    new.load_state(env.state(), obs)
    assert_same(random_steps(new, 9), random_steps(env, 9))


def test_copies_of_a_task_do_not_share_a_model():
    """A reset moves bodies of the model itself."""
    env = metaworld.make("MT1-door-open", 2, max_ep_len=50)
    env.reset(0, goals=[1, 2])
    want = random_steps(env, 20)
    env.reset(0, goals=[1, 1])
    assert_same(
        [[step.obs2[0], step.rew[0]] for step in random_steps(env, 20)],
        [[step.obs2[0], step.rew[0]] for step in want],
    )


class TestWorkers:
    """What reaches the main process, and what is left behind."""

    def test_an_exception_says_what_it_was(self):
        with pytest.raises(
            RuntimeError, match=r"^ValueError in a worker process of the envs: invalid literal"
        ):
            Workers([functools.partial(int, "x")], 1, flat_spec(1, 1))

    def test_a_users_error_stays_one(self):
        with pytest.raises(UserError, match="cannot make env Nothing-v0"):
            Workers([functools.partial(make_one, 0, "Nothing-v0", None, 1, {})], 1, flat_spec(1, 1))

    def test_a_death_is_reported(self):
        with pytest.raises(UserError, match="died, exit code 3"):
            Workers([functools.partial(os._exit, 3)] * 2, 2, flat_spec(1, 1))

    def test_an_error_ends_all(self):
        workers = Workers(
            [functools.partial(make_one, i, "Pendulum-v1", None, 5, {}) for i in range(3)],
            2,
            flat_spec(3, 1),
        )
        workers.reset(0)
        with pytest.raises(UserError, match="nothing raised AttributeError"):
            workers.call("nothing")
        assert [process.exitcode for process in workers.processes] == [0, 0]

    def test_ctrl_c_is_not_theirs(self):
        workers = Workers(
            [functools.partial(make_one, 0, "Pendulum-v1", None, 5, {})], 1, flat_spec(3, 1)
        )
        workers.reset(0)
        os.kill(workers.processes[0].pid, signal.SIGINT)
        assert workers.step(np.zeros((1, 1), np.float32))[0].shape == (1, 3)
        workers.close()
        assert workers.processes[0].exitcode == 0

    def test_they_end_when_the_main_process_is_killed(self, tmp_path):
        """They hold its output open while they live."""
        script = tmp_path / "killed.py"
        script.write_text(
            "import os, signal\n"
            "from rl import envs\n"
            "if __name__ == '__main__':\n"
            "    env = envs.make('Pendulum', 2, backend='async')\n"
            "    env.reset(0)\n"
            "    os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        paths = os.pathsep.join([os.getcwd(), *filter(None, [os.environ.get("PYTHONPATH")])])
        run = subprocess.run(
            [sys.executable, str(script)],
            env={**os.environ, "PYTHONPATH": paths},
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert run.returncode == -signal.SIGKILL and not run.stderr


def test_evaluation_plays_every_goal_once():
    """Two envs of a task play goals 0 to 5 in three episodes each, whatever they would have
    drawn."""
    env = metaworld.make("MT1-push", 2, max_ep_len=3)
    goals, seen = env.env.envs[0].unwrapped.goals, []

    def act(obs, start):
        seen.extend(obs[start][:, 36:38].tolist())
        return np.zeros((2, 4), np.float32)

    played = evaluate(Acting(act), env, 6, seed=0)
    assert (
        played["Success"].shape == played["EpLen"].shape == (1, 6) and (played["EpLen"] == 3).all()
    )
    np.testing.assert_allclose(sorted(seen[:6]), sorted(goals[:6, 3:5].tolist()), atol=1e-6)
