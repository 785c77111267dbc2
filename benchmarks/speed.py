"""Env steps per second of this project, Stable-Baselines3 and SBX on the same job, in turn, in one run.

    make bench            or: .venv/bin/python benchmarks/speed.py --rounds 7 --out benchmarks/results/speed.json

Each measurement is a process of its own on HalfCheetah-v5, timed after its compilation and first
bursts. Ratios are taken within a round, so that a machine that slows down slows down all three;
their median and range over the rounds are printed. To measure another algorithm add a row to JOBS.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent

# ours: flags. peers: the class and its keyword arguments; both describe the same batches and schedule.
JOBS = {
    "ddpg": {
        "ours": [
            "--hidden_sizes",
            "256",
            "256",
            "--batch_size",
            "100",
            "--update_every",
            "50",
            "--start_steps",
            "1000",
        ],
        "peers": {
            "batch_size": 100,
            "train_freq": 50,
            "gradient_steps": 50,
            "learning_starts": 1000,
            "learning_rate": 1e-3,
            "tau": 0.005,
            "policy_kwargs": {"net_arch": [256, 256]},
        },
        "noise": 0.1,
        # multiply-adds of one update, in forward passes of (actor, critic): the target actor and critic,
        # the critic forward and back (2), the actor forward and back (2), the critic forward and back to its input
        "passes": (4, 6),
    },
}


def measure(command: list[str]) -> dict:
    """Runs a worker and returns the JSON object on its last line."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--algo", nargs="+", default=list(JOBS), choices=list(JOBS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=20_000, help="timed env steps (SB3: a third)")
    parser.add_argument("--peers_python", default=str(ROOT / ".venv-bench/bin/python"))
    parser.add_argument("--out", type=Path, help="write every measurement there as JSON")
    args = parser.parse_args()
    report: dict = {"machine": platform.processor() or platform.machine(), "jobs": {}}
    for algo in args.algo:
        job = json.dumps({"algo": algo, **JOBS[algo]})
        rounds = []
        for number in range(args.rounds):
            ours = measure([sys.executable, str(HERE / "speed_ours.py"), job, str(args.steps)])
            peers = {
                name: measure([args.peers_python, str(HERE / "speed_peers.py"), name, job, str(steps)])
                for name, steps in (("sbx", args.steps), ("sb3", args.steps // 3))
            }
            rounds.append({"ours": ours, **peers})
            line = ", ".join(f"{name} {r['steps_per_second']:.0f}" for name, r in rounds[-1].items())
            print(f"{algo} round {number + 1}: env steps/s {line}; matmul share {ours['matmul_share']:.0%}", flush=True)
        report["jobs"][algo] = rounds
        show(algo, rounds)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(report, indent=1) + "\n")


def show(algo: str, rounds: list[dict]) -> None:
    """Medians and ranges over the rounds."""

    def spread(values: list[float], form: str) -> str:
        return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"

    for peer in ("sbx", "sb3"):
        ratios = [r["ours"]["steps_per_second"] / r[peer]["steps_per_second"] for r in rounds]
        print(f"{algo}: env steps/s over {peer}: {spread(ratios, '.2f')}")
    for name in ("ours", "sbx", "sb3"):
        parts = {key: [r[name][key] for r in rounds] for key in ("steps_per_second", "updates_per_second", "peak_mb")}
        print(f"{algo} {name}: " + ", ".join(f"{key} {spread(values, '.0f')}" for key, values in parts.items()))
    shares = [r["ours"]["matmul_share"] for r in rounds]
    rates = [r["ours"]["matmul_gflops"] for r in rounds]
    print(f"{algo}: share of the matmul rate in a burst {spread(shares, '.0%')} of {spread(rates, '.0f')} GFLOP/s")


if __name__ == "__main__":
    main()
