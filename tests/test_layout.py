"""How the tests themselves are laid out."""

import ast

import pytest

from tests.helpers import ROOT


def imported_modules(source):
    """Dotted names of all that Python `source` may import."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def imports_a_test(source):
    return any(name.startswith("tests.test_") for name in imported_modules(source))


def test_no_test_imports_another():
    paths = sorted((ROOT / "tests").glob("*.py"))
    assert len(paths) > 40
    assert not [path.name for path in paths if imports_a_test(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(
    "line, wanted",
    [
        ("from tests.test_ppo import make_ppo", True),
        ("from tests import test_ppo", True),
        ("import tests.test_ppo", True),
        ("from tests.helpers import train", False),
        ("from tests import toy_envs", False),
    ],
)
def test_every_way_to_import_a_test_is_found(line, wanted):
    assert imports_a_test(line) == wanted
