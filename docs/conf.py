"""How Sphinx builds the manual from the pages in Markdown: `make docs`.

The source folder is that of the project, because the README, the changelog and others belong to the manual, too.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CONTENTS = "docs/README"  # the page that lists all others, by section

project = "Paperboy"
version = release = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]

extensions = ["myst_parser"]
root_doc = CONTENTS
include_patterns = ["*.md", "docs/**"]
exclude_patterns = [".*", "var", "node_modules", "tests", "secrets"]
smartquotes = False  # it would make a dash of two hyphens, and options have two
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["manual.css"]
html_title = f"Paperboy {version}"
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False

# The anchors of headings are those of the forge, so that a link is right in both places.
myst_heading_anchors = 4


def add_navigation(_app: Any, page: str, source: list[str]) -> None:
    """Make the list of each section of the contents a part of the navigation. The forge shows the list itself."""
    if page == CONTENTS:
        source[0] = re.sub(r"(?ms)^## ([^\n]+)\n(.*?)(?=^## |\Z)", _section, source[0])


def _section(found: re.Match[str]) -> str:
    title, text = found.groups()
    pages = re.findall(r"(?m)^- \[[^\]]+\]\((\S+)\.md\)", text)
    entries = "\n".join([":hidden:", f":caption: {title}", "", *pages])
    return f"{found[0]}\n```{{toctree}}\n{entries}\n```\n\n"


def add_first_page(app: Any, _error: Exception | None) -> None:
    """Make the first page of the folder lead to the table of contents."""
    page = f'<!doctype html><meta http-equiv="refresh" content="0; url={CONTENTS}.html"><title>{html_title}</title>\n'
    (Path(app.outdir) / "index.html").write_text(page, "utf-8")


def setup(app: Any) -> None:
    """Connect what this file adds to Sphinx."""
    app.connect("source-read", add_navigation)
    app.connect("build-finished", add_first_page)
