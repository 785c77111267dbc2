"""Pages that `report` writes, read as a browser would, and a browser that reads them."""

import html.parser
import json
import re
import shutil
import subprocess

import numpy as np

from rl.__main__ import main
from tests.plot_runs import make_run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# No network: what is asked for goes to a port on which nothing listens.
QUIET = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run"
    " --disable-background-networking --disable-component-update --disable-sync"
    " --proxy-server=127.0.0.1:9 --enable-logging=stderr --virtual-time-budget=2000"
).split()


NASTY = "<script>console.log('ran')</script><img src=x onerror=console.log('ran')>"


class Page(html.parser.HTMLParser):
    """A page's elements.

    Attributes:
      attributes: of each element, by tag. texts: of each element, without those inside of it, by
        tag. figures: the data that the script draws.
    """

    def __init__(self, text):
        super().__init__()
        self.text = text
        self.attributes = {}
        self.texts = {}
        self.open = []
        self.feed(text)
        self.figures = json.loads(self.texts["script"][0])

    def handle_starttag(self, tag, attrs):
        self.attributes.setdefault(tag, []).append(dict(attrs))
        self.texts.setdefault(tag, []).append("")
        if tag != "meta":
            self.open.append((tag, len(self.texts[tag]) - 1))

    def handle_endtag(self, tag):
        opened, _ = self.open.pop()
        assert opened == tag, f"</{tag}> closes <{opened}>"

    def handle_data(self, data):
        if self.open:
            tag, place = self.open[-1]
            self.texts[tag][place] += data

    def table(self, caption):
        """The cells of the table with this caption, row by row."""
        found = re.search(f"<caption>{re.escape(caption)}</caption>(.*?)</table>", self.text, re.S)
        rows = re.findall("<tr>(.*?)</tr>", found.group(1))
        cells = [re.findall("<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]
        return [[re.sub("<[^>]*>", "", cell) for cell in row] for row in cells]


def make_page(out, *argv):
    """The page that the command writes to `out`."""
    assert main(["report", *map(str, argv), "-o", str(out)]) == 0
    page = Page(out.read_text(encoding="utf-8"))
    assert not page.open
    return page


def browse(page, profile, *flags):
    """The document that Chromium makes of a page, and what it says on the console."""
    address = [f"--user-data-dir={profile}", "--dump-dom", page.as_uri()]
    command = [CHROMIUM, *QUIET, *flags, *address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, re.findall(r"CONSOLE[^\"]*\"(.*)\", source", done.stderr)


def curve_figures(page):
    return [figure for figure in page.figures if figure["kind"] == "curves"]


def grid_figures(page):
    return [figure for figure in page.figures if figure["kind"] == "grid"]


def split_network(**changed):
    """Three tasks whose second layer splits at updates 10 and 30 of 40."""
    events = [
        {"updates": 10, "region": 1, "copy": 1, "moved": [1, 2], "score": 5.0, "tasks": [0, 1]},
        {"updates": 15, "region": 0, "copy": None},
        {"updates": 30, "region": 1, "copy": 2, "moved": [2], "score": 4.0, "tasks": [1, 2]},
    ]
    layer = {"name": "kernel", "regions": 1, "size": 6}
    network = {"maps": [[0, 0, 0], [0, 1, 2]], "events": events, "updates": 40, "sharing": 0.5}
    cosines = np.eye(3)[None].repeat(2, 0).tolist()
    return {**network, "layers": [layer, layer], "cosines": cosines, **changed}


def write_splits(directory, network):
    report = {"tasks": ["x", "y", NASTY], "networks": {"LossPi": network}}
    (directory / "splits.json").write_text(json.dumps(report))


def make_nasty_run(folder):
    """A run whose every text is a script, with tasks and splits."""
    folder.mkdir(parents=True)
    names = ["TotalEnvInteracts", "Score", f"Score/{NASTY}", f"Time{NASTY}", f"Memory{NASTY}"]
    (folder / "progress.txt").write_text(
        "\t".join(names) + "\n1000\t1\t2\t3\t4\n2000\t2\t3\t4\t5\n"
    )
    config = {"exp_name": NASTY, "env": NASTY, "algo": NASTY, "git_commit": NASTY, "code": NASTY}
    config |= {"versions": {NASTY: NASTY}, "resumes": [{"git_commit": NASTY + "2", "changes": {}}]}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "code.diff").write_text(f"</pre>{NASTY}\u202e")
    network = split_network()
    network["layers"] = [{**layer, "name": NASTY} for layer in network["layers"]]
    write_splits(folder, network)


def nasty_page(tmp_path):
    make_nasty_run(tmp_path / "data" / "<b>a_s0")
    make_run(tmp_path / "data" / "other_s0", [1, 2], config={"env": NASTY}, name="Score")
    title = ["--title", f"</title>{NASTY}"]
    return make_page(tmp_path / "o.html", tmp_path / "data", "-y", "Score", *title)
