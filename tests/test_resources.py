"""What a run takes of its machine: by hand from made-up processes, in its rows, and in advice."""

import math
import os
import time

import pytest
import tensorflow as tf

from rl import training
from rl.experiments import build, run
from rl.experiments.advice import advice
from rl.logging import Resources, depends_on_machine, resources
from tests.helpers import IDLE, records, rows, train
from tests.helpers_loops import Fake, make_off_policy

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def add_process(proc, pid, parent, ticks, pages, name="python"):
    """A process as proc(5) tells of it; `ticks`: user, system, and those of ended children."""
    (proc / str(pid)).mkdir()
    times = " ".join(map(str, ticks))
    text = f"{pid} ({name}) S {parent} 1 1 0 -1 0 0 0 0 0 {times} 20 0 1 0 99 5000 {pages} 9 9\n"
    (proc / str(pid) / "stat").write_text(text)


def test_a_process_and_all_below_it(tmp_path):
    (tmp_path / "meminfo").write_text("no process\n")
    (tmp_path / "77").mkdir()  # has just ended
    add_process(tmp_path, 10, 1, (100, 20, 3, 1), 50)
    add_process(tmp_path, 11, 10, (10, 0, 0, 0), 5, name="a) S 1 (b c")
    add_process(tmp_path, 12, 11, (1, 1, 0, 0), 2)
    add_process(tmp_path, 13, 1, (1000, 0, 0, 0), 1000)  # of somebody else
    used = resources.usage_of(10, tmp_path)
    assert used.seconds == pytest.approx((124 + 10 + 2) / TICKS)
    assert used.memory == (50 + 5 + 2) * PAGE
    assert resources.usage_of(77, tmp_path) is None


def test_a_system_that_does_not_tell(tmp_path):
    used = resources.usage(tmp_path / "nowhere")
    assert used.seconds == pytest.approx(sum(os.times()[:4]), abs=0.5)
    assert 1e7 < used.memory < 1e11


def test_cores_are_since_the_last_call(monkeypatch):
    """1.5 s of processor time in 2 s, then none in 1 s; a process that ended unseen is no gain."""
    moments = iter([100.0, 102.0, 103.0, 104.0])
    used = iter([(10.0, 5e6), (11.5, 7e6), (11.5, 6e6), (9.0, 6e6)])
    monkeypatch.setattr(time, "perf_counter", lambda: next(moments))
    monkeypatch.setattr(resources, "usage", lambda: resources.Usage(*next(used)))
    measured = Resources()
    assert measured.drain() == {"CPU": 0.75, "MemoryMB": 7.0}
    assert measured.drain() == {"CPU": 0.0, "MemoryMB": 6.0}
    assert measured.drain() == {"CPU": 0.0, "MemoryMB": 6.0}


def test_a_measurement_holds_for_a_second(monkeypatch):
    """Half a second after it the same is told; a second and a half after it what was used since."""
    moments = iter([100.0, 102.0, 102.5, 103.5])
    used = iter([(10.0, 5e6), (11.0, 7e6), (14.0, 6e6)])
    monkeypatch.setattr(time, "perf_counter", lambda: next(moments))
    monkeypatch.setattr(resources, "usage", lambda: resources.Usage(*next(used)))
    measured = Resources()
    assert [measured.drain()["CPU"] for _ in range(3)] == [0.5, 0.5, 2.0]


def test_columns_of_a_run(tmp_path):
    assert training.run(make_off_policy(tmp_path, Fake(), steps_per_epoch=40))
    for row in records(tmp_path):
        assert 0 <= row["CPU"] < 1000 and row["MemoryMB"] > 10
        assert "GPUMemoryMB" not in row
    assert not {"Time", "TimeEnv", "CPU", "MemoryMB"} & set(rows(tmp_path)[0])
    assert {"EpLen", "TotalEnvInteracts"} <= set(rows(tmp_path)[0])


def test_memory_of_a_gpu(tmp_path, monkeypatch):
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["one", "two"])
    held = {"GPU:0": {"current": 1, "peak": 3_000_000}, "GPU:1": {"current": 1, "peak": 500_000}}
    monkeypatch.setattr(tf.config.experimental, "get_memory_info", held.__getitem__)
    loop = make_off_policy(tmp_path, Fake(), steps_per_epoch=40)
    loop.session.resources.gpu_bytes = build.gpu_bytes
    assert training.run(loop)
    assert [row["GPUMemoryMB"] for row in records(tmp_path)] == [3.5, 3.5]
    assert "GPUMemoryMB" not in rows(tmp_path)[0]
    del held["GPU:1"]  # TensorFlow can't tell
    assert math.isnan(build.gpu_bytes())


def test_what_depends_on_the_machine():
    names = ("Time", "TimeEnv", "TimeTest", "CPU", "MemoryMB", "GPUMemoryMB")
    assert all(depends_on_machine(name) for name in names)
    others = ("EpLen", "TestEpLen", "TotalEnvInteracts", "CPULoss", "Epoch")
    assert not any(depends_on_machine(name) for name in others)


# Advice ----------------------------------------------------------------------------

PARTS = ("TimeEnv", "TimeAct", "TimeUpdate", "TimeTest", "TimeLog", "TimeCheckpoint")
OFF_POLICY = {"epochs": 10, "steps_per_epoch": 4000, "replay_size": 10, "env_backend": "sync"}
ON_POLICY = {"epochs": 1, "steps_per_epoch": 4000, "rollout_steps": 1000, "env_backend": "sync"}


def history(steps=10_000, memory=(500, 600), **seconds):
    """Two rows of a run of 100 s, of which each part took `seconds`; 1 core, and then 2."""
    columns = {name: [0.0, seconds.get(name, 0.0)] for name in PARTS}
    columns |= {"Time": [25.0, 100.0], "CPU": [1.0, 2.0], "MemoryMB": memory}
    return columns | {"TotalEnvInteracts": [steps / 2, steps]}


UPDATES = history(TimeUpdate=91, TimeEnv=9)
ENVS = history(TimeEnv=60, TimeUpdate=30, TimeAct=10)
ACTING = history(TimeAct=60, TimeUpdate=40)
GREW = history(memory=(500, 6100), TimeEnv=40, TimeUpdate=60)


@pytest.mark.parametrize(
    "rows_so_far, flags, num_envs, cores, wanted",
    [
        (
            UPDATES,
            OFF_POLICY,
            1,
            2,
            "updates took 91% of the time, on 1.8 of 2 cores: more envs would not help; more "
            "cores, smaller --hidden_sizes or a smaller --batch_size would",
        ),
        (
            UPDATES,
            OFF_POLICY,
            1,
            4,
            "updates took 91% of the time, on 1.8 of 4 cores: more envs would not help; smaller "
            "--hidden_sizes or a smaller --batch_size would",
        ),
        (
            ENVS,
            OFF_POLICY,
            1,
            2,
            "envs took 60% of the time: try --num_envs 4 --env_backend async",
        ),
        (ENVS, OFF_POLICY, 10, 2, "envs took 60% of the time: try --env_backend async"),
        (ENVS, OFF_POLICY, 10, 1, ""),
        (ENVS, OFF_POLICY | {"env_backend": "async"}, 4, 2, ""),
        (ENVS, OFF_POLICY | {"steps_per_epoch": 4001}, 1, 2, ""),
        (ENVS | {"TotalEnvInteracts": [1, 700_000]}, OFF_POLICY, 1, 2, ""),
        (
            ACTING,
            OFF_POLICY,
            1,
            8,
            "acting took 60% of the time, for one env at a time: try --num_envs 8",
        ),
        (
            ACTING,
            ON_POLICY,
            1,
            8,
            "acting took 60% of the time, for one env at a time: try --num_envs 4",
        ),
        (ACTING, OFF_POLICY, 4, 8, ""),
        (
            history(TimeTest=50, TimeUpdate=50),
            OFF_POLICY,
            1,
            2,
            "tests took 50% of the time: fewer --num_test_episodes would help",
        ),
        (
            history(TimeCheckpoint=30, TimeUpdate=60, TimeEnv=10),
            OFF_POLICY,
            1,
            2,
            "checkpoints took 30% of the time: a larger --save_freq would help",
        ),
        (
            GREW,
            OFF_POLICY,
            1,
            2,
            "memory grew from 0.5 to 6.1 GB, with the replay up to --replay_size",
        ),
        (GREW, ON_POLICY, 1, 2, "memory grew from 0.5 to 6.1 GB"),
        (history(memory=(5000, 6900), TimeEnv=40, TimeUpdate=60), OFF_POLICY, 1, 2, ""),
        (history(TimeEnv=49, TimeUpdate=51), OFF_POLICY, 1, 2, ""),
        (UPDATES | {"Time": [10, 59]}, OFF_POLICY, 1, 2, ""),
        ({}, OFF_POLICY, 1, 2, ""),
    ],
)
def test_advice(rows_so_far, flags, num_envs, cores, wanted):
    assert advice(rows_so_far, flags, num_envs, cores) == wanted


def test_an_env_that_was_handed_over_stays_alone():
    assert advice(ENVS, OFF_POLICY, 1, 2, is_single=True) == ""
    assert advice(ACTING, OFF_POLICY, 1, 2, is_single=True) == ""


def test_advice_at_the_end_of_a_run(tmp_path, capsys, monkeypatch):
    """It is told the run's own rows, flags and envs."""
    told = []
    monkeypatch.setattr(run, "advice", lambda *args: told.append(args) or "less is more")
    directory = train(tmp_path, *IDLE, "--epochs", "2", "--num_envs", "2")
    columns, flags, num_envs, _, is_single = told[0]
    assert columns["TotalEnvInteracts"] == [200, 400] and columns["CPU"][0] >= 0
    assert flags["replay_size"] == 2000 and num_envs == 2 and not is_single
    assert capsys.readouterr().out.splitlines()[-2:] == ["less is more", f"done: {directory}"]
