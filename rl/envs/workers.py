"""Envs in worker processes, each of which steps a share of them.

A step is one message to each worker and one back; observations, rewards and flags pass through
shared memory. Workers come from a fork server that never imports TensorFlow: a fork of a process
with its threads can deadlock.
"""

import atexit
import contextlib
import multiprocessing
import os
import threading
import time
import traceback
from multiprocessing import resource_tracker
from typing import Any, Callable, Optional, Sequence

import gymnasium as gym
import numpy as np

from rl import signals
from rl.config import UserError
from rl.envs import closing
from rl.envs.sync import SyncEnvs
from rl.spec import EnvSpec, Field


class Workers:
    """SyncEnvs' interface to envs elsewhere; observations come as `spec.obs` says, `(num_envs,
    *obs.shape)`.

    Args:
      makers: picklable functions that make the envs; those of a worker are side by side.
      num_workers: processes, at most one per env.
      spec: of each env.

    Raises:
      UserError: an env raised it, or broke its contract, or a worker died. RuntimeError: another
        exception in a worker, with its traceback. Either ends the workers.
    """

    def __init__(
        self, makers: Sequence[Callable[[], gym.Env]], num_workers: int, spec: EnvSpec
    ) -> None:
        context: Any = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["rl.envs"])
        memory = context.RawArray("b", _row(spec.obs).itemsize * len(makers))
        self.rows = np.frombuffer(memory, _row(spec.obs))
        self.pipes = []
        self.processes = []
        self.shares = np.array_split(np.arange(len(makers)), min(num_workers, len(makers)))
        with signals.blocked():
            resource_tracker.ensure_running()  # first, for it unblocks some
        for share in self.shares:
            pipe, end = context.Pipe()
            args = (end, memory, spec, share[0], [makers[i] for i in share])
            process = context.Process(target=_serve, args=args, daemon=True)
            with signals.blocked():  # the fork server, started with the first, hands that on
                process.start()
            end.close()  # so that the worker's death ends the pipe
            self.pipes.append(pipe)
            self.processes.append(process)
        # Before multiprocessing's own end, which would wait for workers whose pipes are open.
        atexit.register(self.close)
        self._answers()

    def reset(self, seed: Optional[int] = None) -> tuple[np.ndarray, dict[str, Any]]:
        """Starts an episode in every env; env i is seeded with `seed + i`."""
        self._ask(
            "reset_rows",
            [(None if seed is None else seed + int(share[0]),) for share in self.shares],
        )
        return self.rows["obs"].copy(), {}

    def step(self, act: np.ndarray) -> tuple[Any, ...]:
        """Steps every env; info as SyncEnvs has it, but for `final_obs`, which only ended episodes
        write."""
        self._ask("step_rows", [(act[share[0] : share[-1] + 1],) for share in self.shares])
        rows = self.rows.copy()
        info = {"final_obs": rows["final_obs"]}
        if (rows["success"] >= 0).any():
            info["success"] = rows["success"] > 0
        return rows["obs"], rows["rew"], rows["terminated"], rows["truncated"], info

    def call(self, name: str, *args: Any) -> list[Any]:
        """What method `name` of each env returns."""
        return [
            value
            for answer in self._ask("call", [(name, *args)] * len(self.pipes))
            for value in answer
        ]

    def render(self) -> list[Any]:
        """A picture of each env."""
        return self.call("render")

    def close(self) -> None:
        """Ends the workers, who close their envs first; kills those whose envs hang."""
        atexit.unregister(self.close)
        for pipe in self.pipes:
            pipe.close()
        deadline = time.monotonic() + closing.SECONDS  # of all together
        for process in self.processes:
            process.join(max(0, deadline - time.monotonic()))
        for process in self.processes:
            process.kill()
            process.join()

    def _ask(self, name: str, args: Sequence[tuple[Any, ...]]) -> list[Any]:
        for pipe, worker_args in zip(self.pipes, args):
            with contextlib.suppress(ConnectionError):  # a dead worker shows in its answer
                pipe.send((name, worker_args))
        return self._answers()

    def _answers(self) -> list[Any]:
        answers = [_answer(pipe, process) for pipe, process in zip(self.pipes, self.processes)]
        for answer in answers:
            if isinstance(answer, Exception):
                self.close()
                raise answer
        return answers


def _row(obs: Field) -> np.dtype:
    """What a step of one env brings. `success` is -1 where no env of the worker tells."""
    return np.dtype(
        [
            ("rew", float),
            ("obs", obs.dtype, obs.shape),
            ("final_obs", obs.dtype, obs.shape),
            ("terminated", bool),
            ("truncated", bool),
            ("success", np.int8),
        ],
        align=True,
    )


def _answer(pipe: Any, process: Any) -> Any:
    try:
        return pipe.recv()
    except (EOFError, ConnectionError):
        process.join(10)
        return UserError(
            f"a worker process of the envs died, exit code {process.exitcode}; is memory short?"
        )


def _serve(
    pipe: Any, memory: Any, spec: EnvSpec, first: int, makers: Sequence[Callable[[], gym.Env]]
) -> None:
    """A worker's life: it ends when the main process closes the pipe, or dies."""
    signals.ignore()  # they are the main process's to handle
    threading.Thread(target=_follow, daemon=True).start()
    share = _Share(np.frombuffer(memory, _row(spec.obs))[first : first + len(makers)], spec)
    with contextlib.suppress(EOFError, ConnectionError):
        pipe.send(_result(share.make, *makers))
        while True:
            name, args = pipe.recv()
            pipe.send(_result(getattr(share, name), *args))
    share.call("close")


def _follow() -> None:
    """Ends a worker whose envs hang when nobody is left to kill it."""
    multiprocessing.parent_process().join()  # type: ignore[union-attr]
    time.sleep(closing.SECONDS)
    os._exit(1)


def _result(function: Callable[..., Any], *args: Any) -> Any:
    try:
        return function(*args)
    except UserError as error:
        return error
    except Exception as error:  # pylint: disable=broad-exception-caught
        summary = f"{type(error).__name__} in a worker process of the envs: {error}"
        return RuntimeError(f"{summary}\n\n{traceback.format_exc()}")


class _Share(SyncEnvs):
    """The envs of a worker, whose results go to their rows of the shared memory."""

    def __init__(self, rows: np.ndarray, spec: EnvSpec) -> None:
        super().__init__([], spec)
        self.rows = rows

    def make(self, *makers: Callable[[], gym.Env]) -> None:
        self.envs = [make() for make in makers]

    def reset_rows(self, seed: Optional[int]) -> None:
        self.rows["obs"] = self.reset(seed)[0].reshape(self.rows["obs"].shape)

    def step_rows(self, act: np.ndarray) -> None:
        rows = self.rows
        obs, rows["rew"], rows["terminated"], rows["truncated"], info = self.step(act)
        rows["obs"] = obs.reshape(rows["obs"].shape)
        rows["success"] = info.get("success", -1)
        for i in np.flatnonzero(rows["terminated"] | rows["truncated"]):
            rows["final_obs"][i] = info["final_obs"][i].reshape(rows["obs"].shape[1:])
