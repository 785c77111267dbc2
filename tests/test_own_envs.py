"""Envs as people have them: what they return, which spaces, and what is said where they are
wrong."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from rl import envs
from rl.__main__ import main
from rl.buffers import Normaliser
from rl.buffers.normaliser import Config as NormaliserConfig
from rl.config import UserError
from rl.envs.contract import EnvError, SpaceWatch
from rl.networks import MLP, PolicyValue
from rl.networks.actor_critic import env_action
from rl.spec import EnvSpec, Field
from tests.helpers import column, command, refused, rows, train
from tests.own_envs import FLAGS

OWN = "tests.own_envs:"
BACKENDS = ("sync", "async")


def make(name, *args, **options):
    return envs.make(OWN + name, *args, **options)


def play(env, steps):
    """The Steps of an env from its reset on, and its first observation."""
    obs = env.reset(0)
    acts = env.spec.env_action(np.zeros((env.num_envs, env.spec.act_dim), np.float32))
    played = [env.step(acts) for _ in range(steps)]
    env.close()
    return obs, played


# What they return -----------------------------------------------------------------


def test_a_constructor_without_render_mode():
    first, steps = play(make("Plain"), 5)
    assert first.tolist() == [[0, 0]] and steps[-1].terminated.tolist() == [True]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("end", ["terminated", "truncated"])
@pytest.mark.parametrize("kind", FLAGS)
def test_ends_in_any_form(kind, end, backend):
    env = make("Flags", 2, backend=backend, env_kwargs={"kind": kind, "end": end})
    _, steps = play(env, 5)
    for number, step in enumerate(steps, start=1):
        over = [number == 5] * 2
        other = "truncated" if end == "terminated" else "terminated"
        assert getattr(step, end).dtype == bool and getattr(step, end).tolist() == over
        assert getattr(step, other).dtype == bool and not getattr(step, other).any()
    assert steps[-1].obs2.tolist() == [[5, 5]] * 2 and steps[-1].obs.tolist() == [[0, 0]] * 2


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("form", ["list", "whole", "read_only", "reused"])
def test_observations_in_any_form(form, backend):
    env = make("Forms", 2, backend=backend, env_kwargs={"form": form})
    first, steps = play(env, 6)
    assert first.tolist() == [[0, 0]] * 2
    assert all(step.obs2.dtype == np.float32 for step in steps)
    assert [step.obs2[1].tolist() for step in steps] == [[n, n] for n in (1, 2, 3, 4, 5, 1)]
    assert [step.obs[1].tolist() for step in steps] == [[n, n] for n in (1, 2, 3, 4, 0, 1)]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("algo", ["ddpg", "sac", "ppo"])
def test_an_odd_env_trains(tmp_path, algo, backend):
    """Its episodes are 5 steps long, and each ends well."""
    flags = ["--env", OWN + "Odd", "--num_envs", "2", "--env_backend", backend, "--epochs", "1"]
    run = train(tmp_path, *flags, algo=algo)
    for name, value in (("EpLen", 5), ("AverageEpRet", 5), ("Success", 1), ("TestSuccess", 1)):
        assert column(run, name) == [value]


@pytest.mark.parametrize("backend", BACKENDS)
def test_images_keep_shape_and_type(backend):
    env = make("Camera", 2, backend=backend)
    assert env.spec.obs == Field((4, 5, 3), "uint8")
    with pytest.raises(UserError, match="are images"):
        assert env.spec.obs_dim
    first, steps = play(env, 5)
    last = steps[-1]
    for obs, number in ((first, 0), (steps[0].obs2, 1), (last.obs2, 5), (last.obs, 0)):
        assert obs.shape == (2, 4, 5, 3) and obs.dtype == np.uint8 and (obs == number).all()


def test_images_are_rebuilt():
    env, copy = (make("Camera", 2) for _ in range(2))
    _, steps = play(env, 3)
    copy.load_state(env.state(), steps[-1].obs)
    assert (copy.step(np.zeros((2, 1), np.float32)).obs2 == 4).all()


def test_obs_norm_refuses_images():
    spec = make("Camera").spec
    assert Normaliser(spec).obs(np.zeros((4, 5, 3), np.uint8)).dtype == np.uint8
    with pytest.raises(UserError, match="--obs_norm: observations of .*Camera-v0 are images"):
        Normaliser(spec, NormaliserConfig(obs_norm=True))


def test_networks_refuse_images(capsys):
    line = refused(capsys, *command("--env", OWN + "Camera"))
    assert "--network mlp takes flat observations, and this env's are images" in line


@pytest.mark.parametrize("backend", BACKENDS)
def test_numbers_of_rooms_are_one_hot(backend):
    env = make("Room", 2, backend=backend)
    assert env.spec.obs == Field((5,))
    first, steps = play(env, 5)
    assert first.tolist() == [[1, 0, 0, 0, 0]] * 2
    assert steps[2].obs2.tolist() == [[0, 0, 0, 1, 0]] * 2
    assert steps[4].obs.tolist() == [[1, 0, 0, 0, 0]] * 2


@pytest.mark.parametrize("backend", BACKENDS)
def test_success_may_come_with_the_last_step_alone(backend):
    """Half of the episodes are won; `is_success` comes with their third and last step."""
    env = envs.make("tests.toy_envs:TellsAtEnd", 8, backend=backend, num_workers=2)
    _, steps = play(env, 3)
    assert steps[0].success is None and steps[1].success is None
    assert 0 < steps[2].success.sum() < 8
    assert (steps[2].success == (steps[1].rew > 0)).all()


# Actions --------------------------------------------------------------------------

CHOICES = {
    "Multi": ((2, 3, 4), (3,), [0, 1, 2], "int64"),
    "MultiGrid": ((2, 3, 4, 5), (2, 2), [0, 0, 0, 0], "int64"),
    "Binary": ((2, 2, 2), (3,), [0, 0, 0], "int8"),
    "Whole": ((4, 2), (2,), [3, -1], "int32"),
    "Bytes": ((256, 256), (2,), [0, 0], "uint8"),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", CHOICES)
def test_whole_numbers_are_choices(name, backend):
    """The env gets arrays of its own space, from the first choices to the last."""
    choices, shape, first, dtype = CHOICES[name]
    env = make(name, 2, backend=backend)
    spec = env.spec
    assert (spec.choices, spec.act_shape, spec.act_dtype) == (choices, shape, dtype)
    last = np.array(choices) - 1
    acts = np.stack([np.zeros(len(choices)), last]).astype(np.float32)
    digits = 10 ** np.arange(len(choices))[::-1]
    env.reset(0)
    paid = env.step(spec.env_action(acts)).rew
    env.close()
    assert paid.tolist() == [np.dot(first, digits), np.dot(first + last, digits)]
    exported = tf.cast(env_action(spec, tf.constant(acts)), spec.act_dtype)
    assert exported.numpy().tolist() == [first, (first + last).tolist()]


def test_too_many_choices():
    with pytest.raises(UserError, match="4294967296 choices, more than 65536"):
        make("Vast")


@pytest.mark.parametrize("algo", ["ddpg", "td3", "sac"])
@pytest.mark.parametrize("name", ["Whole", "Multi", "Binary"])
def test_only_ppo_chooses(capsys, name, algo):
    line = refused(capsys, *command("--env", OWN + name, algo=algo))
    assert f"{algo} needs continuous actions; ppo can" in line


def test_densities_and_entropies_of_several_choices():
    """Chances (1/4, 3/4) and (1/2, 1/3, 1/6): those of pairs are products."""
    bounds = np.zeros(2, np.float32)
    spec = EnvSpec("test", Field((1,)), Field((2,)), (2,), bounds, bounds + 2, choices=(2, 3))
    chances = [1 / 4, 3 / 4, 1 / 2, 1 / 3, 1 / 6]
    torsos = SimpleNamespace(make=lambda out, **options: MLP([out], **options))
    net = PolicyValue(torsos, spec, value=False)
    net.build((None, 1))
    net.torso.kernels[0].assign(np.zeros((1, 5)))
    net.torso.biases[0].assign(np.log(chances))
    pairs = np.array([[0, 0], [1, 0], [0, 2], [1, 1]], np.float32)
    log_prob, entropy = net.log_prob(np.zeros((4, 1), np.float32), pairs)
    np.testing.assert_allclose(np.exp(log_prob), [1 / 8, 3 / 8, 1 / 24, 1 / 4], rtol=1e-5)
    alone = -sum(chance * np.log(chance) for chance in chances)
    np.testing.assert_allclose(entropy, [alone] * 4, rtol=1e-5)
    assert net(np.zeros((2, 1), np.float32)).numpy().tolist() == [[1, 0]] * 2


def test_ppo_learns_several_choices_and_exports_them(tmp_path, capsys):
    """Rooms in, three choices out; the reward is 0 to 2 hundred and more, by the first of them."""
    run = train(tmp_path, "--env", OWN + "Room", "--epochs", "1", algo="ppo")
    policy = tmp_path / "policy"
    capsys.readouterr()
    assert main(["eval", str(run), "--episodes", "2", "--export", str(policy), "--trust"]) == 0
    played = json.loads(capsys.readouterr().out)
    rooms = np.eye(5, dtype=np.float32)
    exported = tf.saved_model.load(str(policy))
    act = exported.act(rooms).numpy()
    assert act.shape == (5, 3) and act.dtype == np.int64
    assert ((act >= [0, 1, 2]) & (act <= [1, 3, 5])).all()
    # An episode goes through all rooms, and is paid by the digits of what is done in each.
    assert played["return_mean"] == (act @ [100, 10, 1]).sum()


# Where they are wrong ----------------------------------------------------------------

WRONG = {
    "step": "step raised KeyError: 'a mistake\\nof two lines'; step(action) returns",
    "old step": "step raised ValueError: not enough values to unpack (expected 5, got 4)",
    "shape": "reset gave an observation of shape (3,); its space has shape (2,)",
    "axes": "reset gave an observation of shape (2, 1); its space has shape (2,)",
    "final shape": "step gave an observation of shape (3,); its space has shape (2,)",
    "nothing": "step gave an observation that is no array of numbers but NoneType",
    "reset result": "reset gave an observation of shape (); its space has shape (2,)",
    "reward": "step gave a reward of NoneType; it takes one number",
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("how", WRONG)
def test_a_broken_contract_is_one_line(how, backend):
    env = make("Wrong", 2, backend=backend, env_kwargs={"how": how})
    with pytest.raises(EnvError) as error:
        play(env, 5)
    env.close()
    assert str(error.value).startswith(f"{OWN}Wrong-v0: {WRONG[how]}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_envs_own_traceback_comes_with_the_line(backend):
    env = make("Wrong", backend=backend)
    with pytest.raises(EnvError) as error:
        play(env, 5)
    assert 'own_envs.py", line' in error.value.details
    assert 'raise KeyError("a mistake' in error.value.details


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_reset_without_seeds(backend):
    env = make("Seedless", backend=backend)
    with pytest.raises(EnvError, match=r"Seedless-v0: reset raised TypeError: .*'seed'; reset\("):
        env.reset(0)
    env.close()


def test_a_constructor_that_lacks_an_argument():
    with pytest.raises(EnvError, match="cannot make env .*Needy-v0: TypeError: .*'size'"):
        make("Needy")
    make("Needy", env_kwargs={"size": 3})


def test_an_env_without_a_space():
    with pytest.raises(UserError, match="observation space None is not supported"):
        make("Wrong", env_kwargs={"how": "space"})


def test_a_module_that_cannot_be_imported(tmp_path, monkeypatch):
    (tmp_path / "broken_module.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(EnvError, match="cannot import broken_module: ZeroDivisionError"):
        envs.resolve("broken_module:X-v0")


@pytest.mark.parametrize("backend", BACKENDS)
def test_observations_that_leave_their_space_are_told_once(backend, capfd, monkeypatch):
    monkeypatch.setattr(SpaceWatch, "told", set())
    for _ in range(2):  # in training and in tests
        play(make("Leaves", 2, backend=backend), 12)
    line = f"warning: {OWN}Leaves-v0: number 0 of an observation is 3, outside its space's [0, 2]\n"
    assert capfd.readouterr().err == line


def test_nothing_is_told_of_observations_at_the_bounds(capfd, monkeypatch):
    monkeypatch.setattr(SpaceWatch, "told", set())
    for name in ("Plain", "Huge"):
        play(make(name), 12)
    play(envs.make("Pendulum"), 50)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("debug", [False, True])
def test_only_debug_shows_the_traceback(tmp_path, capsys, debug):
    argv = command("--env", OWN + "Wrong", "--data_dir", tmp_path, *["--debug"] * debug)
    assert main(argv) == 2
    line, _, details = capsys.readouterr().err.partition("\n")
    assert "error: " in line and "step raised KeyError" in line
    assert ("Traceback" in details and "own_envs.py" in details) == debug
    assert bool(details) == debug
    config = json.loads(next(tmp_path.glob("*/*/config.json")).read_text())
    assert "debug" not in config


def test_a_run_whose_env_broke_resumes(tmp_path, capsys):
    fault = tmp_path / "fault"
    fault.touch()
    flags = ["--env", OWN + "Fragile", "--env_kwargs", json.dumps({"path": str(fault)})]
    argv = command("--data_dir", tmp_path / "broken", "--exp_name", "x", *flags)
    assert "step raised ValueError: it broke" in refused(capsys, *argv)
    fault.unlink()
    run = tmp_path / "broken" / "x" / "x_s0"
    assert main(["resume", str(run), "--trust"]) == 0
    assert rows(run) == rows(train(tmp_path / "whole", *flags))
