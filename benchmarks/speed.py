"""Env steps per second of this project, Stable-Baselines3 and SBX on the same job, in turn, in one
run.

    make bench            or: .venv/bin/python benchmarks/speed.py --rounds 7 --out
      benchmarks/results/speed.json

Each measurement is a process of its own on HalfCheetah-v5, timed after its compilation and first
bursts. Ratios are taken within a round, so that a machine that slows down slows down all three;
their median and range over the rounds are printed. To measure something else add a row to JOBS.
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

# ours: flags. peers: the keyword arguments of their class; both describe the same batches and
# schedule.
OFF_POLICY_PEERS = {
    "train_freq": 50,
    "gradient_steps": 50,
    "learning_starts": 1000,
    "learning_rate": 1e-3,
    "tau": 0.005,
    "policy_kwargs": {"net_arch": [256, 256]},
}
OFF_POLICY = {
    "ours": "--hidden_sizes 256 256 --update_every 50 --start_steps 1000",
    "updates_per_step": 1.0,
}
ON_POLICY = {"algo": "ppo", "ours": "--obs_norm false --rew_norm false --lr_schedule constant"}
ON_POLICY |= {"updates_per_step": 10 / 64}
# passes: the multiply-adds of one update, in forward passes of the actor and of one critic. A
# backward pass is two, or one where only the gradient of the input is wanted.
JOBS: dict[str, dict] = {
    "ddpg": {
        **OFF_POLICY,
        "peers": {**OFF_POLICY_PEERS, "batch_size": 100},
        "noise": 0.1,
        # target actor, actor and back; target critic, critic and back, critic and back to the
        # action
        "passes": (1 + 3, 1 + 3 + 2),
    },
    "td3": {
        **OFF_POLICY,
        "peers": {**OFF_POLICY_PEERS, "batch_size": 100},
        "noise": 0.1,
        # as above with two critics; the actor's step is every other time and goes through one of
        # them
        "passes": (1 + 3 / 2, 2 * (1 + 3) + 2 / 2),
    },
    "sac": {
        **OFF_POLICY,
        "peers": {**OFF_POLICY_PEERS, "batch_size": 256},
        # two critics; the actor at the next observation, the actor and back
        "passes": (1 + 3, 2 * (1 + 3 + 2)),
    },
    "ppo": {**ON_POLICY, "peers": {"n_steps": 2048, "batch_size": 64, "n_epochs": 10}},
    "ppo8": {
        **ON_POLICY,
        "ours": ON_POLICY["ours"] + " --num_envs 8 --rollout_steps 256",
        "peers": {"n_steps": 256, "batch_size": 64, "n_epochs": 10},
        "num_envs": 8,
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
    parser.add_argument("--jobs", nargs="+", default=list(JOBS), choices=list(JOBS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--steps",
        type=int,
        default=20_480,
        help="timed env steps, a multiple of 2048 (SB3: a third)",
    )
    parser.add_argument("--peers_python", default=str(ROOT / ".venv-bench/bin/python"))
    parser.add_argument("--out", type=Path, help="write every measurement there as JSON")
    args = parser.parse_args()
    report: dict = {"machine": platform.processor() or platform.machine(), "jobs": {}}
    if args.out and args.out.exists():
        report["jobs"] = json.loads(args.out.read_text())["jobs"]  # of the jobs not measured now
    for algo in args.jobs:
        job = json.dumps({"algo": algo, **JOBS[algo]})
        rounds = []
        for number in range(args.rounds):
            ours = measure([sys.executable, str(HERE / "speed_ours.py"), job, str(args.steps)])
            peers = {
                name: measure(
                    [args.peers_python, str(HERE / "speed_peers.py"), name, job, str(steps)]
                )
                for name, steps in (("sbx", args.steps), ("sb3", args.steps // 3 // 2048 * 2048))
            }
            rounds.append({"ours": ours, **peers})
            line = ", ".join(
                f"{name} {r['steps_per_second']:.0f}" for name, r in rounds[-1].items()
            )
            print(f"{algo} round {number + 1}: env steps/s {line}", flush=True)
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
        parts = {
            key: [r[name][key] for r in rounds]
            for key in ("steps_per_second", "updates_per_second", "peak_mb")
        }
        print(
            f"{algo} {name}: "
            + ", ".join(f"{key} {spread(values, '.0f')}" for key, values in parts.items())
        )
    if "passes" not in JOBS[algo]:
        return
    shares = [r["ours"]["matmul_share"] for r in rounds]
    rates = [r["ours"]["matmul_gflops"] for r in rounds]
    print(
        f"{algo}: share of the matmul rate in a burst {spread(shares, '.0%')} of {spread(rates, '.0f')} GFLOP/s"
    )


if __name__ == "__main__":
    main()
