"""The page as one HTML text, which asks the network for nothing and lets no other script run."""

import base64
import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Sequence

from rl.experiments.plots.groups import Group
from rl.experiments.report import markup, sections
from rl.experiments.report.sections import Figures, Request, Section

FOLDER = Path(__file__).parent
# In JSON inside HTML, what could end the element or begin a comment.
UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
NO_SCRIPT = "Figures need JavaScript; the tables don't."


def make_page(groups: Sequence[Group], request: Request) -> str:
    """The report on `groups`; warns on stderr of what is left out."""
    figures = Figures()
    chosen = [
        sections.methods_section(groups),
        sections.curves_section(groups, request, figures),
        sections.comparison_section(groups, request),
        sections.tasks_section(groups, request, figures),
        sections.splits_section(groups, figures),
        sections.costs_section(groups),
        sections.commands_section(groups),
        sections.code_section(groups),
    ]
    style = (FOLDER / "page.css").read_text(encoding="utf-8")
    script = (FOLDER / "page.js").read_text(encoding="utf-8")
    present = [section for section in chosen if section.body]
    body = "\n".join(markup.section(*section) for section in present)
    title = markup.escape(request.title)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{content_policy(script, style)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>{title}</h1>
<button type="button" id="theme" hidden>Dark theme</button>
<p>{markup.escape(summary(groups))}</p>
<nav aria-label="Sections">{_links(present)}</nav>
</header>
<main>
<noscript><p>{NO_SCRIPT}</p></noscript>
{body}
</main>
<script type="application/json" id="data">{as_json(figures)}</script>
<script>{script}</script>
</body>
</html>
"""


def content_policy(script: str, style: str) -> str:
    """The Content-Security-Policy: this script and this style may run, and nothing may load."""
    return (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def as_json(figures: Figures) -> str:
    """The figures as JSON that can stand in a script element."""
    values = [dataclasses.asdict(figure) for figure in figures.found]
    text = json.dumps(values, allow_nan=False, separators=(",", ":"))
    for character, code in UNSAFE.items():
        text = text.replace(character, code)
    return text


def summary(groups: Sequence[Group]) -> str:
    """How much the page is about, in words."""
    runs = sum(len(group.runs) for group in groups)
    methods = len({group.label for group in groups})
    envs = len({group.env for group in groups})
    return ", ".join([_count(runs, "run"), _count(methods, "method"), _count(envs, "env")])


def _count(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def _links(present: Sequence[Section]) -> str:
    return " ".join(f'<a href="#{section.name}">{section.title}</a>' for section in present)
