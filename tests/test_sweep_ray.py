"""Sweeps on Ray: the same files as on this machine, whatever ends a node, a run or the sweep."""

import os
import signal
import time
from pathlib import Path

import pytest

from rl import lock, signals
from rl.config import UserError
from rl.experiments.sweeps import launcher as launching
from rl.experiments.sweeps.launcher import THREADS, Command
from rl.experiments.sweeps.plan import read_plan
from rl.logging.resources import available_cores
from tests.helpers import ROOT, refused, rows, wait_for_rows
from tests.helpers_sweeps import (
    BASE,
    METHODS,
    SEEDS,
    SIX,
    check_six_alike,
    finish,
    run_of,
    start_sweep,
    worker_of,
)

pytest.importorskip("ray", reason="Ray, the extra 'cluster', is absent")

RAY = ("--launcher", "ray")


def wait_until(what, seconds=60):
    """Waits until `what()` is true, and returns it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s")


def code_of(process):
    """The exit code of a process, once it has one."""
    wait_until(lambda: process.poll() is not None)
    return process.poll()


def parent_of(number):
    """The parent of a process; 0 where it is gone."""
    try:
        text = Path(f"/proc/{number}/stat").read_text()
    except FileNotFoundError:
        return 0
    return int(text.rpartition(")")[2].split()[1])


@pytest.fixture(name="nodes")
def fixture_nodes():
    """A cluster of two nodes with one CPU each, on this machine."""
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    cluster.add_node(num_cpus=1, include_dashboard=False)
    cluster.add_node(num_cpus=1)
    yield cluster
    cluster.shutdown()


@pytest.mark.slow
def test_processes_on_ray(tmp_path, monkeypatch):
    """Threads, outputs, exit codes and signals where there is room for one, and what there never
    is room for."""
    from rl.experiments.sweeps.ray_launcher import RayLauncher, check_room

    monkeypatch.setattr(launching, "ATTENDED", "tests.own_command")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.chdir(ROOT)
    log = tmp_path / "x" / "x_s0.log"
    launcher = RayLauncher("", threads=3, cpus=available_cores(), gpus=0)
    with pytest.raises(UserError, match="no node of the Ray cluster has 1 CPUs and 99 GPUs"):
        check_room(1, 99)
    assert code_of(launcher.start(Command(("variables", *THREADS), log))) == 0
    assert log.read_text().split() == ["7", "3", "3", "3"]
    assert code_of(launcher.start(Command(("fail",), log))) == 9
    assert log.read_text().splitlines()[-1] == "no"
    log.unlink()
    process = launcher.start(Command(("wait",), log))
    waiting = launcher.start(Command(("wait",), tmp_path / "never.log"))
    wait_until(log.exists)
    wait_until(lambda: log.read_text().endswith("\n"))
    assert process.poll() is None
    assert waiting.poll() is None
    waiting.signal(signal.SIGTERM)
    assert code_of(waiting) == signals.STOPPED
    assert not (tmp_path / "never.log").read_text()
    process.signal(signal.SIGTERM)
    assert code_of(process) == 0
    assert log.read_text().splitlines()[-1] == "asked to stop"
    launcher.close()


@pytest.mark.slow
@pytest.mark.parametrize("gpus, seen", [(1, "1"), (0, "")])
def test_gpus_of_a_run(tmp_path, monkeypatch, gpus, seen):
    """Those that Ray keeps for it, of the ones that the cluster may use: there is no real one."""
    from ray.cluster_utils import Cluster

    from rl.experiments.sweeps.ray_launcher import RayLauncher

    monkeypatch.setattr(launching, "ATTENDED", "tests.own_command")
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    cluster = Cluster()
    cluster.add_node(num_cpus=1, num_gpus=1, include_dashboard=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    launcher = RayLauncher(cluster.address, threads=1, cpus=1, gpus=gpus)
    log = tmp_path / "x.log"
    assert code_of(launcher.start(Command(("variables", "CUDA_VISIBLE_DEVICES"), log))) == 0
    assert log.read_text() == f"{seen}\n"
    launcher.close()
    cluster.shutdown()


def at_work_on(node, folder):
    """The directory of a run that a node works on, and the processes: node's, actor's and run's."""
    raylet = node.all_processes["raylet"][0].process.pid
    for method in METHODS:
        for seed in SEEDS:
            run = run_of(folder, method, seed)
            if not lock.is_held(run):
                continue
            number = worker_of(run)
            actor = parent_of(number)
            if actor and parent_of(actor) == raylet:
                return run, [raylet, actor, number]
    return None


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.0.0.1:99999"])
def test_no_cluster_there(tmp_path, capsys, address):
    argv = ("sweep", "--env", "Pendulum", *RAY, "--ray_address", address, "--data_dir", tmp_path)
    assert f"--ray_address: no Ray cluster at {address}: " in refused(capsys, *argv)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_six_runs_and_a_node_that_dies(nodes, tmp_path):
    """Two methods with three seeds on two nodes; all of one is gone at once, by SIGKILL."""
    assert finish(*SIX, "--threads", "1", "--data_dir", tmp_path / "whole")[0] == 0
    argv = (*SIX, *RAY, "--ray_address", nodes.address, "--data_dir")
    code, lines = finish(*argv, tmp_path / "ray")
    assert code == 0
    assert lines[-1] == f"{tmp_path}/ray/x: 6 of 6 runs finished, 0 failed"
    check_six_alike(tmp_path / "ray" / "x", tmp_path / "whole" / "x")
    process = start_sweep(*argv, tmp_path / "killed")
    (node,) = nodes.worker_nodes
    run, numbers = wait_until(lambda: at_work_on(node, tmp_path / "killed" / "x"))
    wait_for_rows(run, 2, process)
    for number in numbers:
        os.kill(number, signal.SIGKILL)
    lines = process.communicate()[0].splitlines()
    assert process.returncode == 0
    assert any(line.startswith(f"{run.name}: waiting (its machine was lost)") for line in lines)
    assert any(line.startswith(f"{run.name}: resumed") for line in lines)
    check_six_alike(tmp_path / "killed" / "x", tmp_path / "whole" / "x")


SHORT = (*BASE, "--epochs", "40", "-s", "0", "1", "--name", "x")


@pytest.fixture(name="whole", scope="module")
def fixture_whole(tmp_path_factory):
    """The folder of SHORT, on this machine."""
    folder = tmp_path_factory.mktemp("whole")
    assert finish(*SHORT, "--threads", "1", "--data_dir", folder)[0] == 0
    return folder / "x"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_sweep_that_is_ended(whole, tmp_path, number):
    """Its runs stop and save, and go on as if nothing had been; here Ray ends with the sweep."""
    argv = (*SHORT, *RAY, "--data_dir", tmp_path)
    process = start_sweep(*argv)
    run = run_of(tmp_path / "x", "ddpg", 0)
    wait_for_rows(run, 1, process)
    if number == signal.SIGKILL:
        process.kill()
    else:  # as a terminal does, to Ray's processes too
        os.killpg(process.pid, number)
    lines = process.communicate()[0].splitlines()
    if number == signal.SIGKILL:
        wait_until(lambda: not lock.is_held(run))
    else:
        assert process.returncode == signals.STOPPED
        assert lines[-1].startswith("stopped; go on with: python main.py sweep")
    assert not lock.is_held(run)
    assert read_plan(tmp_path / "x")[0].stages[0].run.status == "unfinished"
    assert finish(*argv)[0] == 0
    for seed in (0, 1):
        written = rows(run_of(tmp_path / "x", "ddpg", seed))
        assert written == rows(run_of(whole, "ddpg", seed))
