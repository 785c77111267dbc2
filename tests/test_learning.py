"""Does it learn: minutes each, run by `make test-slow`."""

import json

import pytest

from rl.__main__ import main


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_ddpg_solves_pendulum_within_30k_steps(tmp_path, seed, capsys):
    """Over 100 episodes: a return's std is about 85, so the ten of a row are good to 27 only."""
    flags = ["--algo", "ddpg", "--env", "Pendulum", "-s", str(seed), "--data_dir", str(tmp_path), "--exp_name", "x"]
    assert main([*flags, "--epochs", "15", "--steps_per_epoch", "2000", "--start_steps", "1000"]) == 0
    capsys.readouterr()
    assert main(["eval", str(tmp_path / "x" / f"x_s{seed}"), "--episodes", "100"]) == 0
    assert json.loads(capsys.readouterr().out)["return_mean"] > -200
