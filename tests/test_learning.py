"""Does it learn: minutes each, run by `make test-slow`."""

import pytest

from rl.__main__ import main
from tests.helpers import column


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_ddpg_solves_pendulum_within_30k_steps(tmp_path, seed):
    flags = ["--algo", "ddpg", "--env", "Pendulum", "-s", str(seed), "--data_dir", str(tmp_path), "--exp_name", "x"]
    assert main([*flags, "--epochs", "15", "--steps_per_epoch", "2000", "--start_steps", "1000"]) == 0
    assert column(tmp_path / "x" / f"x_s{seed}", "AverageTestEpRet")[-1] > -200
