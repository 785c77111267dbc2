"""Does it learn: minutes each, run by `make test-slow`. Flags not given are the defaults."""

import json

import pytest

from rl.__main__ import main
from rl.experiments.commands.compare import make_reports, parse
from tests.helpers import ROOT

PENDULUM = "--epochs 15 --steps_per_epoch 2000 --start_steps 1000"
LEARNS = [
    ("ddpg", "Pendulum", PENDULUM, (0, 1, 2), -200),
    ("td3", "Pendulum", PENDULUM, (0, 1, 2), -200),
    ("sac", "Pendulum", PENDULUM, (0, 1, 2), -200),
    # Torques go to +-2: in units this is a std of 1, which PPO's peers begin with.
    ("ppo", "Pendulum", "--epochs 75 --log_std -0.6931", (0, 1, 2), -200),
    ("ppo", "CartPole", "--epochs 25", (0, 1, 2), 475),
    ("sac", "LunarLanderContinuous", "--epochs 75", (0,), 200),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    "algo, env, flags, seed, wanted",
    [
        pytest.param(algo, env, flags, seed, wanted, id=f"{algo}-{env}-{seed}")
        for algo, env, flags, seeds, wanted in LEARNS
        for seed in seeds
    ],
)
def test_learns(tmp_path, capsys, algo, env, flags, seed, wanted):
    """Over 100 episodes: a Pendulum return's std is about 85, so the ten of a row are good to 27
    only."""
    run = [
        "--algo",
        algo,
        "--env",
        env,
        "-s",
        str(seed),
        "--data_dir",
        str(tmp_path),
        "--exp_name",
        "x",
    ]
    assert main([*run, *flags.split()]) == 0
    capsys.readouterr()
    assert main(["eval", str(tmp_path / "x" / f"x_s{seed}"), "--episodes", "100"]) == 0
    assert json.loads(capsys.readouterr().out)["return_mean"] > wanted


@pytest.mark.slow
def test_pcgrad_beats_the_sum_where_one_group_is_loud(tmp_path):
    """By 95% t intervals over five seeds that don't overlap."""
    file = ROOT / "benchmarks" / "sweeps" / "point_mass_uneven.py"
    assert main(["sweep", str(file), "--data_dir", str(tmp_path)]) == 0
    args = parse([str(tmp_path), "--scale", "east=30", "east-north=30"])
    (report,) = make_reports(args)
    means = {summary.method.label: summary.mean for summary in report.summaries}
    assert means["sum"].kind == means["pcgrad"].kind == "t"
    assert means["sum"].interval.high < means["pcgrad"].interval.low
