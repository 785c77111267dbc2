"""Envs that go from task to task: orders, simulators, replay, and whole runs."""

import re
import types

import numpy as np
import pytest

from rl import envs
from rl.__main__ import main
from rl.buffers.normaliser import Config as NormConfig
from rl.buffers.normaliser import Normaliser
from rl.buffers.visited import VisitedReplay
from rl.config import UserError
from rl.envs.metaworld import vector as metaworld
from rl.envs.metaworld.goals import goal_lists
from rl.envs.point_mass import LAYOUTS
from rl.envs.visits import Visits
from rl.experiments.build import make_loop
from rl.experiments.rundir import RunDir
from rl.flags.training import ORDERS
from rl.training.checkpoint import Checkpoints
from rl.training.policy import EnvPolicy
from rl.training.run import restore
from tests.helpers import column, command, refused, rows, train, train_in_parts, train_killed
from tests.helpers_algos import make_spec
from tests.helpers_buffers import flat_spec, n_step_return
from tests.helpers_loops import Acting
from tests.helpers_metaworld import TWO, assert_same, random_steps

pytestmark = pytest.mark.usefixtures("goal_cache_folder")
VISITS, ENV = ORDERS[1:], ("--env", "PointMass-MT4")
SOME = ("cycle", "random", "shuffle")  # for tests that take seconds an order


def visited(order, num_tasks, num_envs, rounds, seed=0):
    """Tasks `(rounds, num_envs)`."""
    visits = Visits(order, num_tasks, num_envs)
    return np.array(
        [[visits.task(seed, env, number) for env in range(num_envs)] for number in range(rounds)]
    )


# Orders ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "num_tasks, num_envs", [(4, 1), (4, 2), (10, 3), (3, 3), (3, 7), (50, 4), (1, 2)]
)
@pytest.mark.parametrize("order", ["cycle", "shuffle"])
def test_every_task_as_often(order, num_tasks, num_envs):
    """Each env once a round; all envs together as evenly as can be at any time."""
    tasks = visited(order, num_tasks, num_envs, 5 * num_tasks)
    for lap in tasks.reshape(5, num_tasks, num_envs):
        assert (np.sort(lap, axis=0) == np.arange(num_tasks)[:, None]).all()
    for count in range(1, len(tasks)):
        total = np.bincount(tasks[:count].reshape(-1), minlength=num_tasks)
        assert total.max() - total.min() <= 1


def test_cycle_takes_turns_and_shuffle_does_not():
    laps = visited("cycle", 10, 2, 30)
    assert (
        laps[:3].tolist() == [[0, 5], [1, 6], [2, 7]] and (laps[1:] == (laps[:-1] + 1) % 10).all()
    )
    shuffled = [
        tuple(lap[:, 0])
        for seed in (0, 1)
        for lap in visited("shuffle", 10, 2, 30, seed).reshape(3, 10, 2)
    ]
    assert len(set(shuffled)) == 6


def test_random_is_uniform_over_envs_and_pairs():
    """Chi-squared of every env's counts, and of what follows what: p = 0.001 with 4 * 4 and with 24
    degrees."""
    tasks = visited("random", 5, 4, 1000, seed=7)
    counts = np.stack([np.bincount(visits, minlength=5) for visits in tasks.T])
    assert np.square(counts - 200).sum() / 200 < 39.3
    pairs = np.bincount((5 * tasks[:-1] + tasks[1:]).reshape(-1), minlength=25)
    assert np.square(pairs - pairs.mean()).sum() / pairs.mean() < 51.2
    together = np.bincount(5 * tasks[:, 0] + tasks[:, 1], minlength=25)
    assert np.square(together - 40).sum() / 40 < 51.2
    assert (tasks != visited("random", 5, 4, 1000, seed=8)).any()


@pytest.mark.parametrize("num_tasks", [2, 3, 10])
def test_random_other_never_stays(num_tasks):
    """Chi-squared of each env's tasks and of how far it goes: p = 0.001 with 3 * 9 degrees."""
    tasks = visited("random_other", num_tasks, 3, 3000, seed=4)
    moves = (tasks[1:] - tasks[:-1]) % num_tasks
    assert (moves > 0).all()
    for env in range(3):
        counts = np.bincount(tasks[:, env], minlength=num_tasks)
        assert np.abs(counts - 3000 / num_tasks).max() < 5 * np.sqrt(3000 / num_tasks)
        far = np.bincount(moves[:, env], minlength=num_tasks)[1:]
        expected = 2999 / (num_tasks - 1)
        assert np.square(far - expected).sum() / expected < 27.9  # p = 0.001 with 9 degrees
    if num_tasks > 2:
        assert (tasks[:, 0] != tasks[:, 1]).any()


def test_random_other_is_a_function_of_the_number():
    """Asked for out of order, of a new object, far out: the same tasks as one after another."""
    tasks = visited("random_other", 5, 2, 300, seed=9)
    for number in (299, 0, 128, 127, 255, 256, 1):
        visits = Visits("random_other", 5, 2)
        assert [visits.task(9, env, number) for env in range(2)] == tasks[number].tolist()
    far = [Visits("random_other", 5, 2).task(9, 0, 10**5 + k) for k in range(100)]
    assert (np.diff(far) != 0).all()
    assert (tasks != visited("random_other", 5, 2, 300, seed=10)).any()


def test_random_other_needs_another_task():
    with pytest.raises(UserError, match="--visit random_other is for two tasks or more"):
        Visits("random_other", 1, 2)


# Envs --------------------------------------------------------------------------


def tour(order, backend="sync", num_envs=2, **options):
    return metaworld.make(
        TWO, num_envs, backend, max_ep_len=4, visit=order, num_workers=2, **options
    )


@pytest.mark.parametrize("order", VISITS)
def test_simulators_are_those_of_the_tasks(order):
    """The goals seen are those of the tasks told, and the tasks told are those of the order."""
    env, want, goals = (
        tour(order),
        visited(order, 2, 2, 8, seed=5),
        goal_lists(("reach-v3", "push-v3"), 0),
    )
    obs = env.reset(5)
    for number in range(7):
        assert env.task.tolist() == want[number].tolist()
        for seen, task in zip(obs[:, 36:38], env.task):
            listed = goals[env.spec.tasks[task]][:, 3:5].astype(np.float32)
            assert (listed == seen).all(1).any()
        for step in random_steps(env, 4):
            assert step.task.tolist() == want[number].tolist()
        obs = step.obs
        assert step.truncated.all()
    env.close()


@pytest.mark.parametrize("order", SOME)
def test_backends_and_memory_change_nothing(order):
    """In workers, on simulators made anew for every visit: the same steps. Goals differ from visit
    to visit."""
    kinds = (
        tour(order),
        tour(order, "async"),
        tour(order, save_memory=True),
        tour(order, "async", save_memory=True),
    )
    first, want = kinds[0].reset(3), None
    for env in kinds:
        np.testing.assert_array_equal(env.reset(3), first)
        told = [[field for field in step if field is not None] for step in random_steps(env, 30)]
        want = want or told
        assert_same(told, want)
    live = [[len(group.envs) for group in env.env.envs] for env in kinds if env.backend == "sync"]
    assert live == [[2, 2], [1, 1]]
    assert len({tuple(step[0][0, 36:39]) for step in told}) > 4
    for env in kinds:
        env.close()


@pytest.mark.parametrize("backend", ["sync", "async"])
@pytest.mark.parametrize("order", SOME)
def test_a_tour_goes_on_exactly(order, backend):
    """On simulators that ran other episodes meanwhile, and on new ones that keep no other."""
    env, new = tour(order, backend), tour(order, backend, save_memory=True)
    env.reset(3)
    obs = random_steps(env, 14)[-1].obs
    state = env.state()
    want = random_steps(env, 30, seed=1)
    for again in (env, new):
        again.load_state(state, obs)
        assert_same(
            [step[:5] + step[6:] for step in random_steps(again, 30, seed=1)],
            [step[:5] + step[6:] for step in want],
        )
        again.close()


@pytest.mark.parametrize("order", VISITS)
def test_point_masses_go_from_task_to_task(order):
    env, want = envs.make("PointMass-MT4", 3, visit=order), visited(order, 4, 3, 9, seed=2)
    env.reset(2)
    angles, rng = np.deg2rad(list(LAYOUTS["PointMass-MT4"].values())), np.random.default_rng(0)
    for number in range(8):
        for _ in range(20):
            step = env.step(rng.uniform(-1, 1, (3, 2)))
            assert step.task.tolist() == want[number].tolist()
            angle = angles[step.task] + np.arctan2(step.obs2[:, 3], step.obs2[:, 2])
            target = 0.8 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
            np.testing.assert_allclose(
                -step.rew, np.linalg.norm(step.obs2[:, :2] - target, axis=1), atol=1e-5
            )
    assert step.truncated.all() and env.task.tolist() == want[8].tolist()


def test_actions_are_those_of_the_task():
    """A policy that acts 10 * task + env, told where episodes start."""
    env = types.SimpleNamespace(spec=make_spec(3), num_envs=2, task=np.array([2, 0]))

    def act(obs, start):
        assert obs[..., 0].tolist() == [[0, 7], [0, 0], [5, 0]]
        assert start.tolist() == [[False, False], [False, False], [True, False]]
        return np.array([[[10 * task + i] for i in range(2)] for task in range(3)])

    policy = EnvPolicy(Acting(act), env, Normaliser(env.spec))
    obs = np.repeat(np.array([[5], [7]], np.float32), 3, axis=1)
    assert policy.act(obs, (), np.array([True, False]))[0].tolist() == [[20], [1]]


# Replay ------------------------------------------------------------------------


def stored(count, capacity=40, n_step=1, num_envs=3, share=(0.5, 0.3, 0.2)):
    """Replay of three tasks after `count` random steps, and its history: rewards, ends and tasks
    `(count, num_envs)`.

    Observations are the steps' numbers; a task goes on to the end of an episode.
    """
    rng, replay = np.random.default_rng(0), VisitedReplay(
        flat_spec(1, 1, 3), capacity, num_envs=num_envs, n_step=n_step
    )
    rews, ends = rng.normal(size=(count, num_envs)), rng.random((count, num_envs)) < 0.2
    task, tasks = rng.choice(3, num_envs, p=share), []
    for t in range(count):
        tasks.append(task)
        n = np.full((num_envs, 1), t, np.float32)
        row = {
            "obs": n,
            "act": n + np.arange(num_envs)[:, None] / 10,
            "obs2": n + 1,
            "rew": rews[t],
            "end": ends[t],
        }
        replay.store(**row, done=ends[t], task=task)
        task = np.where(ends[t], rng.choice(3, num_envs, p=share), task)
    return replay, rews, ends, np.array(tasks)


@pytest.mark.parametrize("n_step", [1, 3])
@pytest.mark.parametrize("count", [20, 100])
def test_batches_are_of_their_tasks(n_step, count):
    """Before the ring is full and after it has wrapped around, every return by a plain loop."""
    replay, rews, ends, tasks = stored(count, 41, n_step)
    batch, _ = replay.sample(10, 30, np.random.default_rng(1))
    assert batch.obs.shape == (10, 3, 30, 1) and batch.gamma.shape == (10, 3, 30)
    step = batch.obs[..., 0].astype(int)
    env = np.rint(10 * (batch.act[..., 0] - step)).astype(int)
    assert (tasks[step, env] == np.arange(3)[:, None]).all()
    for index in np.ndindex(2, 3, 30):
        last, total, discount = n_step_return(env[index], step[index], n_step, 0.99, rews, ends)
        assert batch.obs2[index] == last + 1 and batch.done[index] == ends[last, env[index]]
        np.testing.assert_allclose(
            [batch.rew[index], batch.gamma[index]], [total, discount], rtol=1e-4, atol=1e-6
        )


def test_draws_are_uniform_over_what_a_task_has():
    """The newest 40 of the frequent task, all of the rare one that the ring of 120 holds."""
    replay, _, _, tasks = stored(100)
    held = tasks.reshape(-1)[-120:]
    assert (held == 0).sum() > 40 > (held == 2).sum() > 5
    _, rows = replay.sample(100, 200, np.random.default_rng(2))
    for task in range(3):
        number = np.arange(180, 300)[held == task][-40:]
        counts = np.bincount(rows[:, task].reshape(-1), minlength=120)[number % 120]
        expected = 20_000 / len(number)
        assert counts.sum() == 20_000
        assert (
            np.square(counts - expected).sum() / expected < 75
        )  # p < 0.001 with 39 degrees of freedom


def test_it_can_be_sampled_once_every_task_is_there():
    replay, _, _, tasks = stored(60)
    first = max(np.flatnonzero((tasks == task).any(1))[0] for task in range(3))
    assert first > 0 and replay.since == 3 * (first + 1)
    assert stored(first)[0].since == float("inf")


def test_a_task_that_was_overwritten_is_an_error():
    replay = VisitedReplay(flat_spec(1, 1, 2), 4)
    for number in range(9):
        n = np.full((1, 1), number)
        replay.store(
            obs=n, act=n, obs2=n, rew=n[0], done=[0], end=[0], task=np.array([int(number > 0)])
        )
    with pytest.raises(UserError, match="has lost all of task 0; raise --replay_size"):
        replay.sample(1, 1, np.random.default_rng(0))


@pytest.mark.parametrize("count", [12, 60, 100])
def test_replay_survives_checkpoints(tmp_path, count):
    replay, _, _, _ = stored(count, 41, 3)
    Checkpoints(tmp_path).save(1, {"replay": replay.state()}, replay, best=False)
    copy = VisitedReplay(flat_spec(1, 1, 3), 41, num_envs=3, n_step=3)
    copy.load_state(Checkpoints(tmp_path).load(copy)["replay"])
    rng = np.random.default_rng(3)
    for _ in range(80):  # both go on alike
        draws = [held.sample(2, 8, np.random.default_rng(4)) for held in (replay, copy)]
        (batch, drawn), (copied_batch, copied_drawn) = draws
        np.testing.assert_array_equal(drawn, copied_drawn)
        for values, copied_values in zip(batch, copied_batch):
            np.testing.assert_array_equal(values, copied_values)
        row = {key: rng.normal(size=(3, 1)) for key in ("obs", "act", "obs2")} | {
            "rew": rng.normal(size=3)
        }
        for held in (replay, copy):
            held.store(**row, done=np.zeros(3), end=np.zeros(3), task=np.arange(3))


def test_returns_of_each_task_are_counted_apart():
    """An independent sum of the discounted returns of three envs agrees, for tasks they were at
    unequally often."""
    rng, norm = np.random.default_rng(0), Normaliser(make_spec(2), NormConfig(False, True), 3, 0.5)
    ret, rets = np.zeros(3), ([], [])
    for _ in range(2000):
        task, rew, end = (rng.random(3) < 0.2).astype(int), rng.normal(size=3), rng.random(3) < 0.1
        norm.observe(np.zeros((3, 3), "f"), rew, end, task)
        ret = 0.5 * ret + rew
        for number, value in zip(task, ret):
            rets[number].append(value)
        ret = np.where(end, 0, ret)
    np.testing.assert_allclose(norm.earned.mean, [np.mean(values) for values in rets], atol=1e-4)
    np.testing.assert_allclose(norm.earned.std, [np.std(values) for values in rets], rtol=1e-3)
    assert norm.rew(np.ones((2, 4), "f")).shape == (2, 4)


# Runs --------------------------------------------------------------------------


@pytest.mark.parametrize("order", VISITS)
def test_a_run_counts_what_it_visited(tmp_path, order):
    """Ten episodes of 20 steps an epoch, two envs: all are logged and stored as their tasks'."""
    args = (*ENV, "--visit", order, "--num_envs", "2", "--max_ep_len", "20")
    run = train(tmp_path, *args, algo="ddpg")
    assert column(run, "TotalEnvInteracts") == [200, 400, 600]
    loop = make_loop(RunDir(run).config, run)
    restore(loop)
    tasks = visited(order, 4, 2, 15, loop.session.seed_for(0))
    held = loop.replay.data["task"][0, :600].reshape(15, 20, 2)
    assert (held == tasks[:, None]).all() and loop.replay.stored.sum() == 600
    assert loop.replay.num_envs == 2 and loop.replay.capacity == 4 * 2000
    for task, name in enumerate(loop.env.spec.tasks):
        played = [(tasks[5 * epoch : 5 * epoch + 5] == task).any() for epoch in range(3)]
        assert np.isfinite(column(run, f"EpRet/{name}")).tolist() == played
    assert np.isfinite(column(run, "LossQ")[1:]).all()


@pytest.mark.parametrize("critic", ["network", "linear"])
def test_rollouts_that_lack_tasks_stop_and_resume(tmp_path, critic):
    """PPO with one env, which is at two or three of four tasks in each rollout of 64 steps."""
    args = (*ENV, "--visit", "cycle", "--max_ep_len", "40", "--critic", critic)
    args += ("--obs_norm", "--rew_norm", "--norm_value", str(critic == "network"))
    args += ("--network", "multi_head", "--num_test_episodes", "0", "--check_inputs")
    whole = train(tmp_path / "whole", *args, algo="ppo")
    parts = train_in_parts(tmp_path / "parts", RunDir(whole).config, (30, 333, None))
    assert rows(parts) == rows(whole)
    assert np.isfinite(column(whole, "LossPi")).all()
    assert ("LossV" in rows(whole)[0]) == (critic == "network")
    assert column(whole, "Updates") == [4, 4, 4]  # half of 64 steps for each task, by 16, twice


@pytest.mark.parametrize("order", ["cycle", "random"])
def test_stopped_at_any_step_and_resumed(tmp_path, order):
    """In the middle of an episode, before every task was visited and after, with every option that
    has a state."""
    flags = "--num_envs 2 --obs_norm --rew_norm --n_step 3 --lr_schedule cosine --replay_size 60"
    args = (*ENV, "--visit", order, *flags.split())
    whole = train(tmp_path / "whole", *args, algo="sac")
    parts = train_in_parts(tmp_path / "parts", RunDir(whole).config, (30, 132, 514, None))
    assert rows(parts) == rows(whole)


def test_killed_and_resumed_on_simulators(tmp_path):
    """In workers without simulators to spare, killed at some moment; and in this process with all,
    never killed."""
    flags = "--visit shuffle --num_envs 2 --max_ep_len 30 --num_test_episodes 0"
    args = ("--env", TWO, *flags.split())
    whole = train(tmp_path / "whole", *args, "--epochs", "4")
    args = (*args, "--env_backend", "async", "--num_workers", "2", "--save_memory", "--epochs", "4")
    run = train_killed(tmp_path, *args, algo="ddpg", count=2)
    assert main(["resume", str(run)]) == 0
    assert rows(run) == rows(whole)


def test_updates_wait_for_every_task(tmp_path):
    """One env in turn: the fourth task's first step is the 61st."""
    run = train(
        tmp_path,
        *ENV,
        "--visit",
        "cycle",
        "--update_after",
        "20",
        "--update_every",
        "1",
        algo="sac",
    )
    loop = make_loop(RunDir(run).config, run)
    restore(loop)
    assert loop.replay.since == 61 and loop.feed.updates == loop.total_updates() == 600 - 61


def test_results_do_not_depend_on_workers(tmp_path):
    flags = "--num_envs 2 --max_ep_len 40 --num_test_episodes 0 --env_backend async"
    args = ("--env", TWO, *flags.split())
    runs = [train(tmp_path / n, *args, "--num_workers", n, algo="ppo") for n in ("1", "2", "3")]
    assert rows(runs[0]) == rows(runs[1]) == rows(runs[2])
    assert np.isfinite(column(runs[0], "LossPi")[1:]).all()


def test_workers_of_one_task():
    env = envs.make("Pendulum", 3, backend="async", num_workers=2)
    assert [len(share) for share in env.env.shares] == [2, 1]
    env.close()


@pytest.mark.parametrize(
    "algo, args, words",
    [
        (
            "ppo",
            (*ENV, "--visit", "cycle", "--gradient", "gradvac"),
            "--gradient gradvac learns from every task's loss or gradient in every update",
        ),
        (
            "sac",
            (*ENV, "--visit", "cycle", "--replay", "prioritised"),
            "--visit cycle needs --replay uniform",
        ),
        (
            "sac",
            (*ENV, "--visit", "random", "--reset_at_checkpoint"),
            "--reset_at_checkpoint would start the order",
        ),
        (
            "sac",
            (*ENV, "--save_memory"),
            "--save_memory needs --visit cycle, random, random_other or shuffle",
        ),
        ("sac", ("--visit", "shuffle"), "--visit shuffle is for several tasks; Pendulum-v1 is one"),
        (
            "sac",
            (*ENV, "--visit", "some"),
            "--visit must be one of all, cycle, random, random_other, shuffle",
        ),
        (
            "sac",
            (*ENV, "--visit", "cycle", "--num_envs", "3"),
            "multiple of --num_envs .3., such as 201",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, capsys, algo, args, words):
    assert re.search(words, refused(capsys, *command("--data_dir", tmp_path, *args, algo=algo)))
    assert not list(tmp_path.iterdir())
