"""Runs of a sweep on a Ray cluster, each on the node that has room for it.

Only a run's command, the signals to it and its exit code go through Ray: its directory and its
output are files, on a file system that all nodes share. An actor on the node starts the process
and waits for it. When the actor ends, because its node does or the sweep does, the process stops,
and saves, as one of `LocalLauncher` does.
"""

import dataclasses
import errno
import logging
import os
import signal
import socket
import subprocess
import threading
from typing import Any, Mapping, Optional

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

from rl import signals
from rl.config import UserError
from rl.experiments.launch import exit_code
from rl.experiments.sweeps import launcher
from rl.experiments.sweeps.launcher import LOST, Command
from rl.logging.resources import available_cores

GPUS = "CUDA_VISIBLE_DEVICES"
# Of all actors: Ray would else kill the process with its actor, before it has saved.
KEEP_CHILDREN = {"RAY_kill_child_processes_on_worker_exit": "0"}
ANSWER = 5.0  # seconds in which a cluster's head must answer
STORE = 100 * 2**20  # bytes of a store for objects, which nothing is put into


class RayProcess:
    """A process that an actor starts and waits for.

    Args:
      runner: handle of the Runner. ended: reference of what its `run` returns.
    """

    def __init__(self, runner: Any, ended: Any) -> None:
        self._runner = runner
        self._ended = ended
        self._placed = runner.__ray_ready__.remote()
        self._was_asked = False
        self._code: Optional[int] = None

    def poll(self) -> Optional[int]:
        """Its exit code; LOST if it is gone with its node, or was stopped and nobody here asked for
        it; None while it goes on, or waits for room. Raises an OSError where its node could not
        start it."""
        if self._code is None and _is_known(self._ended):
            self._code = self._read_code()
        return self._code

    def signal(self, number: int) -> None:
        """Sends it a signal, if it is still there; one that waits for room is given up."""
        self._was_asked = True
        if _is_known(self._placed):
            self._runner.signal.remote(number)
        else:
            ray.kill(self._runner)

    def _read_code(self) -> int:
        try:
            code = ray.get(self._ended)
        except RayTaskError as error:
            raise error.cause from None
        except RayActorError as error:
            if error.actor_init_failed:
                raise OSError(errno.ENOENT, "its node lacks this package") from None
            code = LOST
        except RayError:
            code = LOST
        finally:
            ray.kill(self._runner)  # or its room is taken until the handle is collected
        if code in (LOST, signals.STOPPED):
            return signals.STOPPED if self._was_asked else LOST
        return code


class RayLauncher:
    """Starts processes on a cluster that stop, and save, when this process ends.

    Args:
      address: of the cluster that this machine is a node of, as `HOST:PORT` of its head; "": one
        is started here, which ends with this process.
      threads: of each process, for TensorFlow's work; what the environment says goes before it.
      cpus, gpus: that each process has, and no other of the cluster.

    Raises:
      UserError: there is no such cluster, or no node of it has so much.
    """

    def __init__(self, address: str, threads: int, cpus: int, gpus: float) -> None:
        self._variables = launcher.variables_of_run(threads)  # before Ray adds its own
        connect(address)
        try:
            check_room(cpus, gpus)
        except UserError:
            ray.shutdown()
            raise
        self._runner = ray.remote(num_cpus=cpus, num_gpus=gpus, max_concurrency=2)(Runner)

    def start(self, command: Command) -> RayProcess:
        """Starts a command as soon as a node has room for it. Raises an OSError where its output
        has no place to go."""
        os.close(launcher.open_log(command.log))
        runner = self._runner.remote()
        ended = runner.run.remote(
            launcher.ATTENDED,
            dataclasses.replace(command, log=command.log.absolute()),
            self._variables,
            os.getcwd(),
        )
        return RayProcess(runner, ended)

    def close(self) -> None:
        """Lets go of the processes: those that still go on stop."""
        ray.shutdown()


class Runner:
    """The actor of a process: it is on the same node, and has it stop when it ends itself."""

    def __init__(self) -> None:
        # Nothing is ever written: the writing end is closed when this process ends.
        self._reading_end, self._writing_end = os.pipe()
        self._process: Optional["subprocess.Popen[bytes]"] = None
        self._begun = threading.Event()

    def run(self, module: str, command: Command, variables: Mapping[str, str], folder: str) -> int:
        """Starts a command and returns its exit code, see `launcher.start_attended`. It sees the
        GPUs that Ray gives to this actor, and no others."""
        variables = {**variables, GPUS: ",".join(map(str, ray.get_gpu_ids()))}
        try:
            with signals.unblocked():  # Ray blocks SIGINT in its processes, and those below them
                process = launcher.start_attended(
                    module, command, variables, self._reading_end, folder
                )
            self._process = process
        finally:
            self._begun.set()
        return exit_code(process.wait())

    def signal(self, number: int) -> None:
        """Sends the command a signal, if it is still there."""
        self._begun.wait()
        if self._process is not None:
            self._process.send_signal(number)


def connect(address: str) -> None:
    """Makes this process part of a cluster, or starts one. Raises a UserError where there is none
    that answers."""
    if address:
        check_head(address)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    variables = {**KEEP_CHILDREN, "PYTHONPATH": launcher.environment()["PYTHONPATH"]}
    options: dict[str, Any] = {}
    if not address:
        options = {"num_cpus": available_cores(), "object_store_memory": STORE}
    # Ray sets a handler of SIGTERM; and when a terminal closes, its processes there must stay until
    # the runs have saved.
    with signals.handled(signals.leave), signals.blocked([signal.SIGHUP]):
        try:
            ray.init(
                address=address or "local",
                include_dashboard=False if not address else None,
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env={"env_vars": variables},
                **options,
            )
        except (ConnectionError, RuntimeError, ValueError) as error:
            where = address or "this machine"
            raise UserError(f"--ray_address: no Ray cluster at {where}: {error}") from None


def check_head(address: str) -> None:
    """Raises a UserError unless something answers at HOST:PORT; Ray itself would try for minutes,
    and hear no signal."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=ANSWER).close()
    except (OSError, OverflowError) as error:
        raise UserError(f"--ray_address: no Ray cluster at {address}: {error}") from None


def check_room(cpus: int, gpus: float) -> None:
    """Raises a UserError unless a node of the cluster has so many CPUs and GPUs at all."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if not any(node.get("CPU", 0) >= cpus and node.get("GPU", 0) >= gpus for node in nodes):
        raise UserError(
            f"no node of the Ray cluster has {cpus} CPUs and {gpus:g} GPUs, as --cpus_per_run and "
            "--gpus_per_run ask for"
        )


def _is_known(reference: Any) -> bool:
    """Whether a result, or why there is none, has come."""
    return bool(ray.wait([reference], timeout=0)[0])
