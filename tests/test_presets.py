"""Recipes of several flags by one name."""

import json

import pytest

from rl.__main__ import main
from rl.config import UserError
from rl.experiments import api
from rl.experiments.commands.training_flags import parse
from rl.flags.presets import PRESETS
from tests.helpers import IDLE, refused, train

ENVS = {"brc": "MT10", "metaworld_plus": "MT10", "simba": "HalfCheetah"}


@pytest.mark.parametrize("name", PRESETS)
def test_all_flags_of_a_preset_are_set_and_a_given_one_wins(name):
    argv = ["--preset", name, "--env", ENVS[name]]
    values = parse(argv)
    assert PRESETS[name].items() <= values.items()
    assert "preset" not in values
    others = parse(["--q_lr", "0.5", *argv, "--critic-sizes", "8", "8"])
    assert (others["q_lr"], others["critic_sizes"]) == (0.5, (8, 8))
    rest = set(values) - {"q_lr", "critic_sizes"}
    assert {key: others[key] for key in rest} == {key: values[key] for key in rest}
    assert parse([*argv, "--preset", "none", "--algo", "sac"]) == parse(
        argv[2:] + ["--algo", "sac"]
    )


def test_a_preset_with_another_network_and_flags_of_that():
    values = parse("--preset metaworld_plus --env MT10 --network splitting --split_z 2".split())
    assert (values["network"], values["split_z"]) == ("splitting", 2.0)
    assert values["hidden_sizes"] == (400, 400, 400)


@pytest.mark.parametrize(
    "args, words",
    [
        ("--preset brc --algo td3", "--preset brc is for --algo sac, not td3"),
        ("--preset bro", "unknown preset 'bro'; there are brc, metaworld_plus, simba"),
        ("--preset brc --env MT10 --network film", "--layers bronet is for --network mlp"),
        ("--preset simba --hl_sigma 2", "--hl_sigma has no effect here"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, capsys, args, words):
    assert words in refused(capsys, *args.split(), "--data_dir", tmp_path)


def test_help_shows_the_values(capsys):
    for argv, shown in ((["--preset", "simba"], "0.01"), ([], "1.0")):
        with pytest.raises(SystemExit):
            parse([*argv, "--algo", "sac", "--help"])
        text = " ".join(capsys.readouterr().out.split())
        assert "--preset {brc,metaworld_plus,simba}" in text
        alpha = text.split("--alpha ALPHA ")[1]
        assert alpha[: alpha.index(")")].endswith(f"(default: {shown}")


def test_config_has_the_values_and_a_run_goes_on_without_the_preset(tmp_path):
    sizes = ("--actor_sizes", "8", "--critic_sizes", "8", "8")
    run = train(tmp_path, "--preset", "simba", *sizes, *IDLE, algo="sac")
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    assert "preset" not in config
    assert (config["layers"], config["critic_sizes"]) == ("simba", [8, 8])
    assert (config["weight_decay"], config["obs_norm"]) == (0.01, True)
    assert main(["resume", str(run), "--epochs", "4"]) == 0


def test_from_python(tmp_path):
    flags = {"steps_per_epoch": 200, "epochs": 1, "actor_sizes": (8,), "critic_sizes": (8,)}
    flags |= {"update_after": 10**6, "data_dir": tmp_path, "num_test_episodes": 0}
    run = api.train("sac", "Pendulum", preset="simba", tensorboard=False, **flags)
    assert run.config["layers"] == "simba"
    with pytest.raises(UserError, match="--preset simba is for --algo sac, not ddpg"):
        api.train(preset="simba")
