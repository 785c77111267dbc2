"""Networks that split and what they are compared with, on four tasks of Meta-World: success,
sharing, parameters used.

    .venv/bin/python benchmarks/splitting_metaworld.py --out
    benchmarks/results/splitting_metaworld.csv .venv/bin/python benchmarks/splitting_metaworld.py
    --algo ppo --seeds 0 1 2 --episodes 20 \
        --out benchmarks/results/splitting_metaworld_ppo.csv

Reach, push, window-open and window-close, 50 goals each, layers (128, 128). By SAC 200k env steps
of all tasks together, an update for every 8 of them (two of a task), 128 transitions a task, 5-step
returns. By PPO 400k, 40 updates of 500 steps a task for every 8000. A run's scores are of
deterministic episodes at the end, `--episodes` of each task. Runs are in
data/splitting_metaworld/<algo>; those that were stopped go on where they were. Parameters are those
of actor and critics that some task uses, as a fraction of `independent`'s.
"""

import argparse
import csv
import os
import sys
from pathlib import Path
from typing import Any

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3"}
ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
from point_mass import interval, mean_sharing  # noqa: E402

from rl import envs  # noqa: E402
from rl.experiments.agent import load_agent  # noqa: E402
from rl.experiments.environments import env_options  # noqa: E402
from rl.experiments.launch import launch  # noqa: E402
from rl.experiments.rundir import RunDir  # noqa: E402
from rl.training.evaluate import evaluate  # noqa: E402
from rl.training.policy import EnvPolicy  # noqa: E402

DATA = ROOT / "data" / "splitting_metaworld"
FLAGS = "--env MT:reach-v3,push-v3,window-open-v3,window-close-v3 --epochs 5 --num_envs 4 --num_test_episodes 10"
FLAGS += " --hidden_sizes 128 128 --tensorboard false"
OWN = {
    "sac": "--steps_per_epoch 40000 --batch_size 128 --n_step 5 --start_steps 4000 --update_after 4000 --update_every 80"
    " --updates_per_step 0.125 --pi_lr 5e-4 --q_lr 5e-4 --alpha_lr 5e-4",
    "ppo": "--steps_per_epoch 80000 --rollout_steps 500 --batch_size 500 --update_epochs 10 --lr 5e-4 --ent_coef 0.005"
    " --lam 0.97",
}
SCHEDULES = {
    "sac": "--split_warmup 1000 --split_every 250",
    "ppo": "--split_warmup 100 --split_every 50",
}
RARE = {
    "sac": "--split_every 1000",
    "ppo": "--split_every 400",
}  # for v2, which splits at every check
CONTENDERS = {
    "shared": "--network mlp",
    "multi_head": "--network multi_head",
    "independent": "--network independent",
    "conflict": "--network splitting {schedule}",
    "conflict_pcgrad": "--network splitting {schedule} --gradient pcgrad",
    "v1": "--network splitting {schedule} --split_criterion v1 --split_reset false",
    "v2": "--network splitting {schedule} --split_criterion v2 {rare} --split_reset false",
    "sparse": "--network sparse_splitting {schedule}",
    "pre_split": "--network splitting --split_map {conflict}",
}


def train(algo: str, name: str, seed: int) -> RunDir:
    """The finished run of a contender."""
    data = DATA / algo
    run = RunDir(data / name / f"{name}_s{seed}")
    status = run.status
    if status == "finished":
        return run
    command = ["resume", str(run)]
    if status == "new":
        conflict = data / "conflict" / f"conflict_s{seed}"
        flags = CONTENDERS[name].format(
            schedule=SCHEDULES[algo], rare=RARE[algo], conflict=conflict
        )
        command = f"--algo {algo} {FLAGS} {OWN[algo]} {flags}".split()
        command += ["--exp_name", name, "--data_dir", str(data), "--seed", str(seed)]
    (code,) = launch([command])
    if code:
        sys.exit(code)
    return run


def scores(run: RunDir, episodes: int) -> dict[str, Any]:
    """Success rates and mean return of `episodes` of each task, sharing score and parameters used
    of a run, at its end."""
    config = run.config
    env = envs.make(config["env"], backend="async", **env_options(config))
    agent = load_agent(run, "last", env.spec, config)
    policy = EnvPolicy(agent.algo.policy, env, agent.normaliser)
    played = evaluate(policy, env, episodes, 0)
    env.close()
    found = {
        task: float(rate) for task, rate in zip(env.spec.tasks, played["Success"].mean(axis=1))
    }
    found |= {"success": float(played["Success"].mean()), "return": float(played["EpRet"].mean())}
    return found | {"sharing": mean_sharing(agent.algo), "parameters": agent.algo.parameters()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--algo", choices=list(OWN), default="sac")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--only", nargs="+", default=list(CONTENDERS), choices=list(CONTENDERS))
    parser.add_argument("--episodes", type=int, default=50)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    runs = {(name, seed): train(args.algo, name, seed) for seed in args.seeds for name in args.only}
    found = [
        {"contender": name, "seed": s, **scores(runs[name, s], args.episodes)}
        for name in args.only
        for s in args.seeds
    ]
    own = [line["parameters"] for line in found if line["contender"] == "independent"] or [
        float("nan")
    ]
    for name in args.only:
        lines = [line for line in found if line["contender"] == name]
        mean, half = interval([line["success"] for line in lines])
        share, sharing = (
            np.mean([line[key] for line in lines]) for key in ("parameters", "sharing")
        )
        rates = [
            round(float(np.mean([line[key] for line in lines])), 2) for key in list(lines[0])[2:6]
        ]
        print(
            f"{name:16} success {mean:.2f} +- {half:.2f} {rates}  parameters {share / own[0]:.2f}  sharing {sharing:.2f}"
        )
    if args.out:
        with args.out.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(found[0]))
            writer.writeheader()
            writer.writerows(found)


if __name__ == "__main__":
    main()
