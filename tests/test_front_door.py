"""What the front door says: commands, help, hints, and refusals that come before TensorFlow."""

import json
import os
import subprocess
import sys

import pytest

from rl import config
from rl.__main__ import COMMANDS, main
from rl.config import UserError
from rl.experiments import memory
from rl.experiments.commands.training_flags import COMMON, parse
from rl.flags import ALGORITHMS, GRADIENTS, NETWORKS, conditions, sections
from tests.helpers import (
    IDLE,
    ROOT,
    command,
    refused,
    train,
)

TOYS = "tests.toy_envs:"


def alone_in_quiet(*argv):
    """What `alone` returns, of the first of three runs within a second, or of the last: what else
    the machine does only ever adds."""
    for _ in range(3):
        result = alone(*argv)
        if result[-1] < 1.0:
            break
    return result


def alone(*argv, cwd=ROOT):
    """Output of a command in a process of its own, which must not import TensorFlow, and the
    processor time that it took: in seconds of a machine that imports NumPy in 0.1 s, since the
    clock of a busy one says little."""
    code = (
        "import sys, time\n"
        "began = time.process_time()\n"
        "import numpy\n"
        "of_numpy = time.process_time() - began\n"
        "from rl.__main__ import main\n"
        "try:\n"
        "    code = main(sys.argv[1:])\n"
        "except SystemExit as end:\n"
        "    code = end.code\n"
        "assert 'tensorflow' not in sys.modules\n"
        "print(time.process_time() * 0.1 / of_numpy, file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.run(
        [sys.executable, "-c", code, *argv], cwd=cwd, env=env, capture_output=True, text=True
    )
    *lines, seconds = process.stderr.splitlines()
    return process.returncode, process.stdout, lines, float(seconds)


@pytest.mark.parametrize("argv", [(), ("--help",), ("-h",)])
def test_alone_it_prints_the_commands(capsys, argv):
    assert main(list(argv)) == 0
    printed = capsys.readouterr().out
    assert all(name in printed and kept.purpose in printed for name, kept in COMMANDS.items())


@pytest.mark.parametrize(
    "argv",
    [
        ("--algo", "sac", "--help"),
        ("resume", "--help"),
        ("eval", "-h"),
        ("plot", "--help"),
        ("compare", "--help"),
        ("report", "--help"),
        ("meta-test", "-h"),
        ("branch", "-h"),
        ("sweep", "--help"),
        ("search", "--help"),
    ],
)
def test_help_needs_no_tensorflow_and_no_second(argv):
    code, printed, errors, seconds = alone_in_quiet(*argv)
    assert code == 0 and not errors and "usage:" in printed
    assert seconds < 1.0


@pytest.mark.parametrize(
    "argv",
    [
        ("--algo", "sac", "--learning_rate", "1"),
        ("--env", "Nothing"),
        ("--env", "CartPole"),
        ("--algo", "ppo", "--env", "Pendulum", "--rollout_steps", "10", "--epochs", "1")
        + ("--steps_per_epoch", "9"),
        ("--algo", "ppo", "--env", "Pendulum", "--critic", "linear", "--norm_value"),
        ("--env", "Pendulum", "--network", "multi_head"),
        ("--env", "MT10", "--steps_per_epoch", "4001"),
        ("--env", "PointMass-MT4", "--network", "splitting", "--split_map", "nothing"),
        ("resume", "nothing"),
        ("eval", "nothing", "--episodes", "0"),
        ("branch", "nothing"),
        ("compare", "nothing", "--baseline", "x"),
        ("report", "nothing", "--out", "x.html"),
    ],
)
def test_usage_errors_need_no_tensorflow(argv):
    code, printed, errors, seconds = alone_in_quiet(*argv)
    assert code == 2 and not printed and len(errors) == 1
    assert seconds < 1.0


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command_line", ["", "plot --help", "--help-all", "resume -h"])
def test_a_reader_that_goes_away(tmp_path, command_line, unbuffered):
    """`main.py ... | head -1` ends without a traceback, whenever the pipe closes."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": unbuffered}
    reading, writing = os.pipe()
    os.close(reading)
    argv = [sys.executable, str(ROOT / "main.py"), *command_line.split()]
    process = subprocess.run(
        argv, cwd=tmp_path, env=env, stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert process.returncode in (0, 130) and not process.stderr  # argparse may not notice


@pytest.mark.parametrize("algo", ALGORITHMS)
def test_two_lengths_of_help(capsys, algo):
    """The short one has the common flags and the algorithm's own, the long one has all."""
    shown = {}
    for text in ("--help", "--help-all"):
        with pytest.raises(SystemExit):
            main(["--algo", algo, text])
        shown[text] = capsys.readouterr().out
    parts = sections({"algo": algo})
    flags = [name for part in parts.values() for name in part.__dataclass_fields__]
    assert all(f"--{name} " in shown["--help-all"] for name in flags)
    expected = {name for name in flags if name in COMMON}
    expected |= set(parts[algo].__dataclass_fields__)
    assert {name for name in flags if f"  --{name} " in shown["--help"]} == expected
    assert f"--help-all shows all {len(flags)} flags" in shown["--help"]
    assert shown["--help"].index("--algo") < shown["--help"].index("--hidden_sizes")


@pytest.mark.parametrize(
    "name, told",
    [
        ("learning_rate", "--pi_lr"),
        ("n_envs", "--num_envs"),
        ("total_timesteps", "--epochs times --steps_per_epoch"),
        ("tau", "1 - tau"),
        ("rollout_steps", "ppo has it, sac has not"),
        ("ou_theta", "--algo ddpg has it, sac has not"),
        (
            "experts",
            "--network paco or moore or care or splitting_moore or splitting_care has it, film",
        ),
        ("split_z", "--network splitting or sparse_splitting or splitting_film or splitting_soft"),
        ("cagrad_c", "--gradient cagrad has it, dwa has not"),
        ("task_weight_lr", "--gradient gradnorm or famo or uncertainty has it, dwa has not"),
    ],
)
def test_hints_know_other_names(capsys, name, told):
    chosen = ("--algo", "sac", "--network", "film", "--gradient", "dwa")
    assert told in refused(capsys, *chosen, f"--{name}", "1")


def test_help_has_the_flags_of_what_is_chosen(capsys):
    with pytest.raises(SystemExit):
        main(["--network", "care", "--gradient=famo", "--help"])
    shown = capsys.readouterr().out
    for name in ("--network care:", "--experts ", "--gradient famo:", "--famo_decay "):
        assert name in shown
    assert "default: 6" in shown and "--modules" not in shown and "--cagrad_c" not in shown


@pytest.mark.parametrize("name, default", [("paco", 5), ("moore", 4), ("care", 6)])
def test_one_flag_has_a_default_for_each_network(name, default):
    assert parse(["--env", "MT10", "--network", name])["experts"] == default
    assert parse(["--env", "MT10", "--network", name, "--experts", "2"])["experts"] == 2


def test_hints_name_flags_that_exist():
    known = every_flag()
    for text in conditions_and_hints():
        for word in text.replace(",", " ").replace(";", " ").replace(":", " ").split():
            if word.startswith("--"):
                assert word.strip("()").removeprefix("--") in known, text


def every_flag():
    """The names of the flags of all algorithms, networks and gradient methods."""
    parts = [part for algo in ALGORITHMS for part in sections({"algo": algo}).values()]
    parts += [flags.config for flags in NETWORKS.values()]
    parts += GRADIENTS.values()
    return {name for part in parts for name in part.__dataclass_fields__}


def conditions_and_hints():
    from rl.flags.hints import HINTS  # pylint: disable=import-outside-toplevel

    return [*HINTS.values(), *(need.words for need in conditions.NEEDS.values())]


@pytest.mark.parametrize(
    "argv, need",
    [
        ("--env Pendulum --goals fixed", "an env of Meta-World"),
        ("--env Pendulum --reward v1", "an env of Meta-World"),
        ("--env MT10 --split test", "an ML set"),
        ("--env Pendulum --per_alpha 0.5", "--replay prioritised"),
        ("--env Pendulum --ou_theta 0.5", "--noise ou"),
        ("--env Pendulum --lr_end 0.5", "--lr_schedule"),
        ("--env Pendulum --lr_schedule linear --lr_cycles 3", "--lr_schedule cyclic"),
        ("--env MT10 --network splitting --split_cosine 0.1 --split_criterion v1", "conflict"),
        ("--env MT10 --network sparse_splitting --split_private 0.1", "--split_weights true"),
        ("--env MT10 --network splitting --split_warmup 10", "--split_criterion v1 or v2"),
        ("--env MT10 --network splitting --split_criterion v2 --split_z 1", "than v1 or v2"),
        ("--env MT10 --network splitting --split_criterion gain --split_lag 0.9", "lagged"),
        ("--env MT10 --network splitting --split_kappa 0.1", "--split_criterion gain"),
        ("--env MT10 --network splitting --split_map x --split_every 10", "no --split_map"),
        ("--env MT10 --network splitting --split_map x --split_z 1", "no --split_map"),
        (
            "--env MT10 --network sparse_splitting --split_weights --split_lag 0.9",
            "no --split_weights",
        ),
        ("--env Pendulum --num_workers 2", "--env_backend async"),
        ("--algo sac --env Pendulum --learn_alpha false --alpha_lr 1", "--learn_alpha true"),
        ("--env MT10 --env_kwargs {}", "an env of Gymnasium"),
        ("--env Pendulum --gradient_stats", "an env of several tasks"),
        ("--algo ppo --env Pendulum --critic linear --vf_coef 1", "--critic network"),
        ("--algo sac --env Pendulum --shared_alpha", "an env of several tasks"),
        ("--algo sac --env MT10 --learn_alpha false --weight_tasks", "--learn_alpha true"),
        ("--algo sac --env MT10 --learn_alpha false --shared_alpha", "--learn_alpha true"),
        ("--algo td3 --env Pendulum --target_noise 0 --noise_clip 1", "another --target_noise"),
        ("--algo ppo --env Pendulum --std shared", "an env of several tasks to be shared"),
        ("--algo ppo --env MT10 --network multi_head --std split", "that splits to be split"),
        ("--env MT10 --network splitting_moore --split_start shared", "can share output layers"),
        (
            "--env MT10 --network sparse_splitting --split_weights --split_criterion lagged",
            "to be conflict with --split_weights",
        ),
        ("--env MT10 --network piggyback --backbone x --task_onehot true", "than piggyback"),
    ],
)
def test_flags_without_effect_are_refused(capsys, argv, need):
    line = refused(capsys, *argv.split())
    assert "has no effect here" in line and need in line


def test_every_condition_is_of_a_flag():
    assert set(conditions.NEEDS) <= every_flag()


@pytest.mark.parametrize(
    "argv, words",
    [
        ("--env CarRacing", ["(96, 96, 3)", "images"]),
        ("-s 4294967296", ["--seed", "2147483647"]),
        ("--max_ep_len 1e25", ["--max_ep_len", "at most 2147483647"]),
        ("--hidden_sizes 2000000000", ["GiB", "--hidden_sizes"]),
        ("--batch_size 2000000000", ["GiB", "--batch_size"]),
        ("--algo ppo --batch_size 1", ["--batch_size 1 needs --norm_adv false"]),
        ("--num_envs 2000000000 --steps_per_epoch 2000000000", ["GiB", "--num_envs"]),
        ("--exp_name -", ["--exp_name", "plain folder name"]),
        ("--exp_name a\nb", ["--exp_name", "printable"]),
        ("-s 1 1", ["--seed", "twice"]),
        ("--env_kwargs [1]", ["--env_kwargs", "JSON object"]),
        ('--env_kwargs {"speed":1}', ["--env_kwargs", "speed"]),
        ('--env_kwargs {"max_episode_steps":1}', ["--env_kwargs", "max_episode_steps"]),
    ],
)
def test_absurd_values_are_refused(capsys, tmp_path, argv, words):
    given = ["--env", "Pendulum", "--data_dir", tmp_path, *argv.split(" ")]
    line = refused(capsys, *given)
    assert all(word in line for word in words), line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("flag", ["--exp_name", "--env", "--data_dir"])
def test_long_and_odd_texts_are_refused(capsys, tmp_path, flag):
    for text in ("x" * 300, "x" * 5000, "a\0b", "\udcff", "\x1b[31m"):
        assert refused(capsys, *command("--data_dir", tmp_path / "d", flag, text))
    assert not (tmp_path / "d").exists()


def test_a_run_that_fits_is_not_refused(monkeypatch, capsys):
    """PPO with a rollout that needs 30 MB, on a machine with 1 GiB and on one with 10 MiB."""
    argv = ("--algo", "ppo", "--env", "Pendulum", "--rollout_steps", "60000", "--epochs", "0")
    sizes = {"SC_PAGE_SIZE": 2**20, "SC_PHYS_PAGES": 1024}
    monkeypatch.setattr(memory.os, "sysconf", sizes.get)
    values = {"env": "Pendulum-v1", "split": "train", "visit": "all", "num_envs": 1}
    memory.check_envs(values | {"env_backend": "sync", "num_workers": 0})
    sizes["SC_PHYS_PAGES"] = 10
    assert "at least 1" in refused(capsys, *argv)
    assert "--rollout_steps" in refused(capsys, *argv[:-1], "1")


def test_a_closed_output_is_nobodys_fault():
    argv = f"{sys.executable} main.py --help >&- 2>&-"
    assert subprocess.run(["sh", "-c", argv], cwd=ROOT, check=False).returncode == 0


def test_the_sizes_of_actor_and_critics_count(monkeypatch, capsys):
    sizes = {"SC_PAGE_SIZE": 2**20, "SC_PHYS_PAGES": 1024}
    monkeypatch.setattr(memory.os, "sysconf", sizes.get)
    huge = ("--critic_sizes", "9000", "9000")
    assert "by --hidden_sizes" in refused(capsys, "--env", "Pendulum", *huge, "--epochs", "1")


def test_workers_of_metaworld_are_as_many_as_cores(monkeypatch):
    """400 envs of 20 MB and two workers of 60 MB, in 10 GiB; 400 workers would need 24 GB more."""
    sizes = {"SC_PAGE_SIZE": 2**20, "SC_PHYS_PAGES": 10 * 1024}
    monkeypatch.setattr(memory.os, "sysconf", sizes.get)
    monkeypatch.setattr(memory.os, "cpu_count", lambda: 2)
    values = {"env": "MT50", "split": "train", "visit": "all", "num_envs": 8}
    memory.check_envs(values | {"env_backend": "async", "num_workers": 0})
    with pytest.raises(UserError, match="by --num_workers"):
        memory.check_envs(values | {"env_backend": "async", "num_workers": 400})


def test_a_replay_for_which_there_is_no_memory(monkeypatch, capsys, tmp_path):
    def fail(*args, **options):
        del args, options
        raise MemoryError("Unable to allocate 63.3 GiB")

    monkeypatch.setattr("rl.training.feed.ReplayBuffer", fail)
    line = refused(capsys, *command("--data_dir", tmp_path))
    assert "--replay_size 2000: Unable to allocate 63.3 GiB" in line


@pytest.mark.parametrize("number", ["-1e1", "-10.", "-.5E+1", "-3"])
def test_negative_numbers_in_every_form(number):
    values = parse(["--algo", "sac", "--env", "Pendulum", "--target_entropy", number])
    assert values["target_entropy"] == float(number)


@pytest.mark.parametrize(
    "started, name",
    [
        ("/usr/local/bin/rl", "rl"),
        ("/home/me/project/main.py", "python main.py"),
        ("/usr/lib/python3/site-packages/rl/__main__.py", "python -m rl"),
    ],
)
def test_the_name_of_the_program(monkeypatch, capsys, tmp_path, started, name):
    """In errors, in help, and in what to do about an existing run."""
    monkeypatch.setattr(sys, "argv", [started])
    assert config.program() == name
    assert refused(capsys, "--gama", "1").startswith(f"{name.split()[-1]}: error: ")
    (tmp_path / "x" / "x_s0").mkdir(parents=True)
    (tmp_path / "x" / "x_s0" / "progress.txt").write_text("a run's")
    line = refused(capsys, *command("--data_dir", tmp_path, "--exp_name", "x"))
    assert f"{name} resume {tmp_path}" in line
    with pytest.raises(SystemExit):
        main(["--help-all"])
    assert capsys.readouterr().out.startswith(f"usage: {name} ")


def test_arguments_of_the_env(tmp_path):
    """They reach its constructor, in training and tests, and the run's config."""
    given = ("--env", "Pendulum", "--env_kwargs", '{"g": 0.0}', *IDLE, "--epochs", "1")
    run = train(tmp_path, *given)
    assert json.loads((run / "config.json").read_text())["env_kwargs"] == '{"g": 0.0}'
    assert main(["eval", str(run), "--episodes", "1"]) == 2  # see test_rundir.py
    assert main(["eval", str(run), "--episodes", "1", "--trust"]) == 0


def test_modules_of_the_current_folder(tmp_path, monkeypatch):
    """`module:Env` finds a module beside the user, wherever this package is."""
    source = (
        "import gymnasium\n"
        "gymnasium.register('Mine-v0', 'gymnasium.envs.classic_control:PendulumEnv')\n"
    )
    (tmp_path / "mine.py").write_text(source)
    code, _, errors, _ = alone("--env", "mine:Mine", "--num_envs", "3", cwd=tmp_path)
    assert code == 2 and "--steps_per_epoch" in errors[0]


def test_eval_prints_json_alone(tmp_path, capsys):
    run = train(tmp_path, *IDLE, "--env", TOYS + "Matrix", "--epochs", "1")
    capsys.readouterr()
    wanted = {"--export": tmp_path / "policy", "--video": tmp_path / "video"}
    argv = [str(text) for pair in wanted.items() for text in pair]
    assert main(["eval", str(run), "--trust", "--episodes", "1", *argv]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["policy"] == str(tmp_path / "policy")
    assert result["video"] == str(tmp_path / "video" / "x_s0_200.mp4")
    (tmp_path / "file").write_text("")
    for flag in ("--export", "--video"):
        line = refused(capsys, "eval", run, "--trust", flag, tmp_path / "file")
        assert str(tmp_path / "file") in line
