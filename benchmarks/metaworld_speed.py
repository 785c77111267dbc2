"""How fast Meta-World's task sets step and start, and the memory they take.

    .venv/bin/python benchmarks/metaworld_speed.py --rounds 7 --out
    benchmarks/results/metaworld_speed.json

`steps`: env steps/s of MT10 with random actions, here and in the package's own vector envs, each
built once, in seconds that are printed; where EnvPool is installed in EnvPool, too, with one env of
each task and with four, including tasks that `--env_backend envpool` refuses. In every round all
contenders are timed in turn, so that a machine that slows down slows down all; printed are medians
and ranges over rounds, also of the ratio to the package's SyncVectorEnv in that round. A multiple
of 500 steps holds as many resets as training does. `start`: seconds from starting a process to its
first observations, imports included, goals in the cache. `memory`: peak resident memory of MT50
after 500 steps, of the process and of each worker; what workers share counts in each. `start` and
`memory` use a fresh process every time.
"""

import argparse
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import gymnasium as gym  # noqa: E402
import metaworld  # noqa: E402, F401, registers the package's envs
import numpy as np  # noqa: E402

from rl import envs  # noqa: E402
from rl.envs.metaworld.pool import MetaWorldPool  # noqa: E402

PARTS, BACKENDS, SETS = ("steps", "start", "memory"), ("sync", "async"), ("MT10", "MT50")
CONTENDERS = [f"{owner} {backend}" for owner in ("package", "our") for backend in BACKENDS]
CONTENDERS += ["envpool 1", "envpool 4"] if importlib.util.find_spec("envpool") else []


def make(contender: str) -> Any:
    """MT10 after its first reset."""
    owner, backend = contender.split()
    if owner == "our":
        env: Any = envs.make("MT10", backend=backend)
    elif owner == "envpool":
        env = MetaWorldPool(envs.make("MT10").spec, int(backend), 500)
    else:
        env = gym.make_vec("Meta-World/MT10", vector_strategy=backend, seed=0)
    env.reset(seed=0)
    return env


def run(env: Any, steps: int) -> float:
    """Seconds of `steps` steps of every env, with the same random actions each time."""
    acts = np.random.default_rng(0).uniform(-1, 1, (steps, env.num_envs, 4)).astype(np.float32)
    begin = time.perf_counter()
    for act in acts:
        env.step(act)
    return time.perf_counter() - begin


def measure_steps(rounds: int, steps: int) -> dict[str, Any]:
    """Env steps/s of each contender in each round, and the seconds it took to build."""
    made, build, rates = {}, {}, []
    for name in CONTENDERS:
        begin = time.perf_counter()
        made[name] = make(name)
        build[name] = time.perf_counter() - begin
        run(made[name], 20)  # to warm up
        print(f"MT10, {name}: built in {build[name]:.1f} s", flush=True)
    for _ in range(rounds):
        rates.append({name: steps * env.num_envs / run(env, steps) for name, env in made.items()})
        print(
            "MT10 env steps/s: "
            + ", ".join(f"{name} {rate:.0f}" for name, rate in rates[-1].items()),
            flush=True,
        )
    for name, env in made.items():
        env.close()
        ratios = [each[name] / each[CONTENDERS[0]] for each in rates]
        own = spread([each[name] for each in rates], ".0f")
        print(f"MT10, {name}: env steps/s {own}, over {CONTENDERS[0]} {spread(ratios, '.2f')}")
    return {"steps_a_round": steps, "build_seconds": build, "steps_per_second": rates}


def measure_start(rounds: int) -> dict[str, list[float]]:
    """Seconds of each set and backend in each round."""
    seconds: dict[str, list[float]] = {
        f"{env_id} {backend}": [] for env_id in SETS for backend in BACKENDS
    }
    for name in seconds:
        launch(name, 0)  # draws goals that aren't in the cache
    for _ in range(rounds):
        for name, own in seconds.items():
            own.append(launch(name, 0)["seconds"])
    for name, own in seconds.items():
        print(f"start of {name}: {spread(own, '.1f')} s")
    return seconds


def measure_memory() -> dict[str, dict[str, Any]]:
    """Peak MB of MT50 by backend: of the process, and of each worker."""
    peaks = {backend: launch(f"MT50 {backend}", 500)["peak_mb"] for backend in BACKENDS}
    for backend, own in peaks.items():
        workers = ", ".join(f"{mb:.0f}" for mb in own["workers"]) or "none"
        print(f"MT50 {backend}, peak MB: process {own['process']:.0f}, workers {workers}")
    return peaks


def launch(name: str, steps: int) -> dict[str, Any]:
    """Runs `child` in its own process: seconds to its first observations, and peak MB after `steps`
    steps."""
    command, begin = [
        sys.executable,
        __file__,
        "--child",
        *name.split(),
        str(steps),
    ], time.perf_counter()
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()  # type: ignore[union-attr]
        seconds, (rest, _) = time.perf_counter() - begin, process.communicate()
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed")
    return {"seconds": seconds, "peak_mb": json.loads(rest)}


def child(env_id: str, backend: str, steps: str) -> None:
    """Says when it has started, then steps and prints its peaks."""
    env = envs.make(env_id, backend=backend)
    env.reset(0)
    print("ready", flush=True)
    run(env, int(steps))
    workers = [process.pid for process in env.env.processes] if backend == "async" else []
    print(
        json.dumps({"process": peak_mb(os.getpid()), "workers": [peak_mb(pid) for pid in workers]}),
        flush=True,
    )
    env.close()


def peak_mb(pid: int) -> float:
    """Peak resident memory of a process, which Linux tells."""
    return (
        int(Path(f"/proc/{pid}/status").read_text(encoding="utf-8").split("VmHWM:")[1].split()[0])
        / 1024
    )


def spread(values: list[float], form: str) -> str:
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    parser.add_argument("--rounds", type=int, default=7, help="of steps and of start")
    parser.add_argument(
        "--steps",
        type=int,
        default=500,
        help="timed steps of every env in a round, a multiple of 500",
    )
    parser.add_argument("--out", type=Path, help="write every measurement there as JSON")
    args = parser.parse_args()
    report = (
        json.loads(args.out.read_text()) if args.out and args.out.exists() else {}
    )  # of parts not measured now
    report |= {"machine": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    measures = {
        "steps": lambda: measure_steps(args.rounds, args.steps),
        "start": lambda: measure_start(args.rounds),
    }
    measures |= {"memory": measure_memory}
    report |= {part: measures[part]() for part in args.parts}
    if args.out:
        args.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
    else:
        main()
