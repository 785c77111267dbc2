"""Flags from dataclass fields: types, ranges, spellings, and one clear line for what is wrong."""

import dataclasses

import pytest

from rl.config import Parser, UserError, add_flags, build, closest, flag


@dataclasses.dataclass(frozen=True)
class Example:
    gamma: float = flag(0.99, "discount, 100% explained", low=0, high=1)
    q_lr: float = flag(1e-3, "learning rate", above=0)
    hidden_sizes: tuple[int, ...] = flag((8, 8), "units", low=1)
    more_sizes: tuple[int, ...] = flag((), "more units; none: no more", low=1)
    steps: int = flag(10, "steps", low=1)
    mode: str = flag("a", "mode", choices=("a", "b"))
    on: bool = flag(False, "switch")
    seed: int = flag(0, "seed", short="-s", several=True)


def parse(*argv):
    parser = Parser()
    add_flags(parser, Example, "example")
    return vars(parser.parse(argv))


def test_defaults_round_trip():
    values = parse()
    assert values.pop("seed") == [0]
    assert build(Example, values) == Example()


def test_spellings():
    values = parse(
        "--hidden-sizes", "400", "300", "--q-lr=1e-4", "--on", "-s", "0", "1", "--steps", "1e6"
    )
    assert (values["hidden_sizes"], values["q_lr"], values["on"]) == ([400, 300], 1e-4, True)
    assert (values["seed"], values["steps"]) == ([0, 1], 1_000_000)
    assert parse("--on", "false")["on"] is False
    assert build(Example, {"hidden_sizes": [4]}).hidden_sizes == (4,)


@pytest.mark.parametrize(
    "argv, words",
    [
        (["--gama", "0.9"], ["--gama", "--gamma"]),
        (["--steps", "1.5"], ["--steps", "whole number", "1.5"]),
        (["--gamma", "x"], ["--gamma", "a number"]),
        (["--on", "maybe"], ["--on", "true or false"]),
        (["stray"], ["stray"]),
    ],
)
def test_bad_text_is_one_line(argv, words):
    with pytest.raises(UserError) as error:
        parse(*argv)
    assert all(word in str(error.value) for word in words) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "values, message",
    [
        ({"gamma": 1.5}, "--gamma must be in [0, 1], got 1.5"),
        ({"gamma": float("nan")}, "--gamma must be finite, got nan"),
        ({"gamma": 10**400}, "--gamma must be at most 2147483647, got 1" + "0" * 56 + "..."),
        ({"q_lr": 0.0}, "--q_lr must be above 0, got 0.0"),
        ({"steps": 0}, "--steps must be at least 1, got 0"),
        ({"hidden_sizes": (8, 0)}, "--hidden_sizes must be at least 1, got 0"),
        ({"mode": "c"}, "--mode must be one of a, b, got 'c'"),
    ],
)
def test_ranges(values, message):
    with pytest.raises(UserError) as error:
        build(Example, values)
    assert str(error.value) == message


def test_help_has_meaning_range_and_default(capsys):
    with pytest.raises(SystemExit):
        parse("--help")
    text = " ".join(capsys.readouterr().out.split())
    assert "discount, 100% explained, in [0, 1] (default: 0.99)" in text
    assert "units, at least 1 (default: 8 8)" in text
    assert "more units; none: no more, at least 1 (default: none)" in text


def test_a_tuple_may_be_empty_by_default():
    assert build(Example, parse() | {"seed": 0}).more_sizes == ()
    assert build(Example, parse("--more_sizes", "4", "2") | {"seed": 0}).more_sizes == (4, 2)
    with pytest.raises(UserError, match="--more_sizes: expected at least one argument"):
        parse("--more_sizes")
    with pytest.raises(UserError, match="--more_sizes must be at least 1, got 0"):
        build(Example, {"more_sizes": [0]})


def test_closest():
    assert (
        closest("HalfCheeta-v5", ["HalfCheetah-v5", "Ant-v5", "Pendulum-v1"], 1) == "HalfCheetah-v5"
    )
    assert closest("zzz", ["b", "a"], 1) == "a"
