"""The page of `report` in a browser: it draws, asks for nothing, and strangers' text is text."""

import json
import shutil

import pytest

from rl.experiments.report import page as page_module
from rl.experiments.report.markup import escape, table
from tests.helpers import ROOT
from tests.helpers_compare import make_methods
from tests.helpers_report import CHROMIUM, NASTY, browse, make_page, nasty_page

DRIVER = ROOT / "tests" / "data" / "report" / "driver.js"


# Nothing of a stranger runs, and nothing loads ----------------------------------


def test_text_of_strangers_is_escaped(tmp_path):
    page = nasty_page(tmp_path)
    assert len(page.attributes["script"]) == 2  # the data, and the page's own
    assert "img" not in page.attributes and "b" not in page.attributes
    assert page.texts["title"] == [f"</title>{NASTY}"]
    data = page.texts["script"][0]
    assert not set("<>&") & set(data)
    assert "\u202e" not in page.text
    names = [name for elements in page.attributes.values() for part in elements for name in part]
    assert not [name for name in names if name.startswith("on") or name == "style"]


def test_escape():
    assert escape("<a b=\"c\" d='&'>") == "&lt;a b=&quot;c&quot; d=&#x27;&amp;&#x27;&gt;"
    assert escape("a\u202eb\x00c\nd") == "a?b?c\nd"
    assert "x" * 299 + "…</td>" in table("t", [["a", "b"], ["c", "x" * 301]])


def test_the_page_asks_for_nothing(tmp_path):
    page = nasty_page(tmp_path)
    for tag in ("link", "img", "iframe", "object", "embed", "form", "base", "audio", "video"):
        assert tag not in page.attributes
    for elements in page.attributes.values():
        for attributes in elements:
            assert not {"src", "srcset", "action", "data", "poster"} & set(attributes)
            assert attributes.get("href", "#").startswith("#")
    style = page.texts["style"][0]
    assert "url(" not in style and "@import" not in style
    script = page.texts["script"][1]
    asking = ("fetch", "XMLHttpRequest", "WebSocket", "EventSource", "sendBeacon", "import", "src")
    assert not [word for word in asking if word in script]
    writing = (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval",
        "Function(",
    )
    assert not [word for word in writing if word in script]
    assert script.count("http") == 1 and '"http://www.w3.org/2000/svg"' in script  # a mere name


def test_the_policy_forbids_all_but_the_pages_own(tmp_path):
    page = nasty_page(tmp_path)
    [policy] = [meta["content"] for meta in page.attributes["meta"] if "http-equiv" in meta]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert "unsafe" not in policy and "http" not in policy
    # SHA-256 of "abc", as FIPS 180-2 gives it, in base 64.
    expected = "sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
    assert f"script-src '{expected}'; style-src '{expected}'" in page_module.content_policy(
        "abc", "abc"
    )
    wanted = page_module.content_policy(page.texts["script"][1], page.texts["style"][0])
    assert wanted == policy


# In a browser -------------------------------------------------------------------

needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed")


@needs_chromium
def test_a_browser_draws_it_without_errors(tmp_path):
    make_methods(tmp_path / "data", {"sac": 0.4, "ppo": 0.6})
    make_page(tmp_path / "o.html", tmp_path / "data", "-y", "TestSuccess")
    document, said = browse(tmp_path / "o.html", tmp_path / "profile")
    assert not said
    assert document.count('<path class="curve') == 2 and document.count('<path class="band') == 2
    assert document.count("<canvas") == 4  # two heatmaps, and their colours


@needs_chromium
def test_a_browser_runs_nothing_of_a_stranger(tmp_path):
    nasty_page(tmp_path)
    document, said = browse(tmp_path / "o.html", tmp_path / "profile")
    assert not said
    assert document.count('<path class="curve') == 2 and "<img" not in document


@needs_chromium
def test_zoom_readout_legend_and_theme(tmp_path, monkeypatch):
    """On a phone, with a name that is wider than that."""
    name = "ppo" * 25
    for file in ("page.css", "page.js"):
        shutil.copy(page_module.FOLDER / file, tmp_path)
    with (tmp_path / "page.js").open("a") as script:
        script.write(DRIVER.read_text())
    monkeypatch.setattr(page_module, "FOLDER", tmp_path)
    make_methods(tmp_path / "data", {"sac": 0.4, name: 0.6})
    page = make_page(tmp_path / "o.html", tmp_path / "data", "-y", "TestSuccess")
    assert "dispatchEvent" in page.texts["script"][1]
    document, said = browse(tmp_path / "o.html", tmp_path / "profile", "--window-size=390,900")
    assert not said
    seen = json.loads(document.split('data-seen="')[1].split('"')[0].replace("&quot;", '"'))
    assert seen["width"] <= 0  # no scrolling sideways
    assert seen["curves"] == 2
    assert seen["readout"].startswith("TotalEnvInteracts 1") and "sac: 0" in seen["readout"]
    assert 40 < seen["readoutHeight"] < 160  # three lines, one of them broken
    assert seen["zoomed"] and seen["reset"] and seen["keyZoomed"] and seen["keyReset"]
    assert f"{name}: 0" in seen["keyReadout"]
    assert seen["hidden"] == [1, "false"]
    assert seen["single"] == 12  # two means and ten runs
    assert seen["cell"] == "reach, TotalEnvInteracts 500 to 1500: 0"
    assert seen["themes"][0] != seen["themes"][1]
