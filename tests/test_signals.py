"""A signal at any moment: row, checkpoint, exit code, nothing left running, and resume is exact."""

import functools
import multiprocessing.forkserver
import multiprocessing.resource_tracker
import os
import pty
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import rl.training.evaluate
from rl import signals
from rl.__main__ import main
from rl.envs import closing
from rl.envs.gymnasium import make_one
from rl.envs.workers import Workers
from rl.training.checkpoint import Checkpoints
from rl.training.run import SAME, Request
from tests.helpers import ROOT, column, command, options, rows, start, train, wait_for_rows
from tests.helpers_buffers import flat_spec

TOYS = "tests.toy_envs:"
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def assert_saved(run):
    """The last row, of an epoch cut short, has its checkpoint."""
    assert Checkpoints(run).steps()[-1] == column(run, "TotalEnvInteracts")[-1]


def assert_no_process_left(group):
    """What a fork server has to end by itself gets a moment for it."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError(f"processes of group {group} are left")


def wait_until_handled(process):
    """Until `process` has handlers of its own for SIGTERM."""
    mask = 1 << (signal.SIGTERM - 1)
    while process.poll() is None:
        status = open(f"/proc/{process.pid}/status", encoding="utf-8").read()
        caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
        if int(caught.split()[1], 16) & mask:
            return
        time.sleep(0.01)


# The main process ---------------------------------------------------------------


@pytest.mark.parametrize(
    "algo, moments", [("ddpg", {1: signal.SIGTERM, 3: signal.SIGHUP}), ("ppo", {2: signal.SIGINT})]
)
def test_a_signal_during_a_test(tmp_path, monkeypatch, algo, moments):
    """It stops the test of an epoch, the last one's too; resume plays the whole test and goes on."""
    args = ("--save_freq", "2", *options(algo))
    wanted = train(tmp_path / "whole", *args, algo=algo)
    run = tmp_path / "x" / "x_s0"
    argv = command("--data_dir", tmp_path, "--exp_name", "x", *args, algo=algo)
    check_step, tested = rl.training.evaluate.check_step, []
    pending = dict(moments)

    def check_and_signal(step, env, when):
        check_step(step, env, when)
        tested.append(when)
        epoch = int(when.split()[-1]) // 200
        if epoch in pending and "at step 7 " in when:
            os.kill(os.getpid(), pending.pop(epoch))

    monkeypatch.setattr(rl.training.evaluate, "check_step", check_and_signal)
    for epoch in moments:
        tested.clear()
        assert main(argv) == signals.STOPPED
        assert tested[-1] == f"at step 7 of the test after env step {200 * epoch}"
        assert column(run, "TotalEnvInteracts")[-1] == 200 * epoch
        assert np.isnan(column(run, "AverageTestEpRet")[-1])
        assert_saved(run)
        argv = ["resume", str(run)]
    assert main(argv) == 0
    assert rows(run) == rows(wanted)
    assert main(argv) == 2  # it has ended


@pytest.mark.parametrize("number", ENDS)
def test_a_signal_while_training(tmp_path, monkeypatch, number):
    """Wherever in a step it comes, between two looks at it too."""
    observe = rl.training.loop.Episodes.step

    def observe_and_signal(episodes, step, end, logger):
        if logger.epoch == 1:
            os.kill(os.getpid(), number)
        return observe(episodes, step, end, logger)

    monkeypatch.setattr(rl.training.loop.Episodes, "step", observe_and_signal)
    quiet = ("--start_steps", "900", "--update_after", "900", "--num_test_episodes", "0")
    argv = command("--data_dir", tmp_path, "--exp_name", "x", *quiet)
    assert main(argv) == signals.STOPPED
    run = tmp_path / "x" / "x_s0"
    assert column(run, "TotalEnvInteracts") == [200, 201]
    assert_saved(run)


def test_only_a_later_signal_ends_at_once(monkeypatch):
    """A terminal that closes, or timeout(1), sends several: they are one request."""
    now, left = [100.0], []
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(signals, "leave", left.append)

    class Session:
        stopping = False

    session = Session()
    with signals.handled(Request(session)):
        assert not session.stopping
        for number in ENDS:
            os.kill(os.getpid(), number)
        assert session.stopping and not left
        now[0] += 2
        os.kill(os.getpid(), signal.SIGTERM)
    assert left == [signal.SIGTERM]


def test_nohup_is_respected():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals.handled(signals.leave):
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_before_training_starts(tmp_path, number):
    """While TensorFlow is imported."""
    process = start(*command("--data_dir", tmp_path))
    wait_until_handled(process)
    process.send_signal(number)
    out = process.communicate(timeout=20)[0]
    assert process.returncode == 130 and "Traceback" not in out, out
    assert not list(tmp_path.iterdir())


def test_sigterm_to_the_parent_of_two_seeds(tmp_path):
    """This process is the parent. The first seed saves; the second never starts."""
    argv = command("--data_dir", tmp_path, "--exp_name", "x", "--epochs", "1000", "-s", "0", "1")
    run = tmp_path / "x" / "x_s0"

    def signal_this():
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline and not (run / "progress.txt").exists():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    sender = threading.Thread(target=signal_this)
    sender.start()
    assert main(argv) == 130
    sender.join()
    assert_saved(run)
    assert [path.name for path in run.parent.iterdir()] == ["x_s0"]


@pytest.mark.slow
def test_a_closed_terminal(tmp_path):
    """Nothing can be shown any more; the run saves all the same."""
    master, slave = pty.openpty()
    argv = command("--data_dir", tmp_path, "--exp_name", "x", "--epochs", "1000")
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "main.py"), *argv],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    run = tmp_path / "x" / "x_s0"
    while not (run / "progress.txt").exists():  # a full terminal would hold up the run
        os.read(master, 4096)
    process.send_signal(signal.SIGHUP)
    os.close(master)
    assert process.wait(timeout=30) == 130
    assert_saved(run)


def show_on_a_closed_terminal(code):
    """The exit code of a process that runs `code` with a terminal that has closed, of which no
    SIGHUP told."""
    master, slave = pty.openpty()
    script = f"import sys; sys.stdin.read(); {code}"
    argv = [sys.executable, "-c", script]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=slave, stderr=slave, cwd=ROOT)
    os.close(slave)
    os.close(master)
    process.communicate(b"now")
    return process.returncode


def test_a_terminal_that_closes_before_its_signal_comes():
    shown = "Terminal('x', 10, 0, ())"
    code = (
        f"from rl.logging import Terminal; t = {shown}; t.epoch(5, {{}}); t.advance(7); t.close()"
    )
    assert show_on_a_closed_terminal(code) == 0
    code = "from rl.__main__ import process; sys.exit(process())"
    assert show_on_a_closed_terminal(f"sys.argv = ['main.py']; {code}") == signals.STOPPED


# Workers ------------------------------------------------------------------------


def test_sigterm_to_the_whole_group(tmp_path):
    """As kubectl, Slurm and timeout(1) do it; then resume goes on exactly."""
    args = ("--num_envs", "2", "--env_backend", "async", "--epochs", "6", "--save_freq", "5")
    process = start(
        *command("--data_dir", tmp_path, "--exp_name", "x", *args), start_new_session=True
    )
    run = tmp_path / "x" / "x_s0"
    wait_for_rows(run, 1, process)
    os.killpg(process.pid, signal.SIGTERM)
    os.killpg(process.pid, signal.SIGHUP)
    out = process.communicate(timeout=60)[0]
    assert process.returncode == 130 and "Traceback" not in out and "died" not in out, out
    assert f"go on with: python main.py resume {run}" in out
    assert_no_process_left(process.pid)
    assert_saved(run)
    assert main(["resume", str(run)]) == 0
    assert rows(run) == rows(train(tmp_path / "whole", *args))


@pytest.mark.slow
def test_a_second_ctrl_c_ends_at_once(tmp_path):
    """Even while a worker hangs, which is left behind by nobody."""
    args = ("--env", TOYS + "Endless", "--num_envs", "2", "--env_backend", "async")
    args += ("--steps_per_epoch", "40", "--num_test_episodes", "0")
    process = start(
        *command("--data_dir", tmp_path, "--exp_name", "x", *args), start_new_session=True
    )
    wait_for_rows(tmp_path / "x" / "x_s0", 1, process)
    time.sleep(1)
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(SAME + 0.5)
    assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    out = process.communicate(timeout=5)[0]
    assert process.returncode == 130 and "Traceback" not in out
    assert_no_process_left(process.pid)


def pendulum(count):
    return [functools.partial(make_one, i, "Pendulum-v1", None, 5, {}) for i in range(count)]


@pytest.mark.parametrize("number", ENDS)
def test_signals_are_not_the_workers_to_handle(capfd, number):
    """Nor those of the processes behind them, without which there would be no new workers."""
    workers = Workers(pendulum(1), 1, flat_spec(3, 1))
    workers.reset(0)
    os.kill(workers.processes[0].pid, number)
    os.kill(multiprocessing.forkserver._forkserver._forkserver_pid, number)
    os.kill(multiprocessing.resource_tracker._resource_tracker._pid, number)
    assert workers.step(np.zeros((1, 1), np.float32))[0].shape == (1, 3)
    workers.close()
    assert workers.processes[0].exitcode == 0
    server = multiprocessing.forkserver._forkserver._forkserver_pid
    Workers(pendulum(1), 1, flat_spec(3, 1)).close()
    assert multiprocessing.forkserver._forkserver._forkserver_pid == server
    assert not capfd.readouterr().err


def test_hanging_workers_are_killed_together(monkeypatch):
    monkeypatch.setattr(closing, "SECONDS", 1.0)
    makers = [functools.partial(make_one, i, TOYS + "Stuck-v0", None, 5, {}) for i in range(4)]
    workers = Workers(makers, 4, flat_spec(1, 1))
    began = time.monotonic()
    workers.close()
    assert 1 <= time.monotonic() - began < 3
    assert [process.exitcode for process in workers.processes] == [-signal.SIGKILL] * 4


ENDLESS = """
import numpy as np
from rl import envs

if __name__ == "__main__":
    env = envs.make("tests.toy_envs:Endless", 2, backend="async")
    env.reset(0)
    for step in range(30):
        print(step, flush=True)
        env.step(np.zeros((2, 1), np.float32))
"""


@pytest.mark.slow
def test_a_hanging_worker_ends_after_the_main_process(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(ENDLESS)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    argv = [sys.executable, str(script)]
    with subprocess.Popen(
        argv, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        while process.stdout.readline() != "29\n":
            pass
        time.sleep(1)
        process.kill()
    time.sleep(closing.SECONDS)
    assert_no_process_left(process.pid)


# Envs that hang on close ----------------------------------------------------------

SCRIPT = """
import sys
import numpy as np
from rl import envs
from rl.envs import closing

if __name__ == "__main__":
    closing.SECONDS = 0.5
    env = envs.make("tests.toy_envs:Stuck", 2, backend=sys.argv[1])
    env.reset(0)
    try:
        for _ in range(3):
            env.step(np.zeros((2, 1), np.float32))
    finally:
        if sys.argv[1] == "sync":
            env.close()
"""


@pytest.mark.parametrize("backend", ["sync", "async"])
def test_a_mistake_in_an_env_that_does_not_close(tmp_path, backend):
    """Its traceback is shown, and the program ends, with all its workers; even with no `close`."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    ended = subprocess.run(
        [sys.executable, str(script), backend],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 1 and "AssertionError: a mistake in an env" in ended.stderr
    if backend == "sync":
        assert "did not close in 0.5 s and is abandoned" in ended.stderr
