"""Previews as files: each mail as .html, .txt and .eml, and an index page that shows them side by side."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from monitoring.previews import Preview

INDEX = "index.html"


def write_preview(preview: Preview, folder: Path) -> list[Path]:
    """Write one mail in its three forms and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    forms = {".html": preview.html.encode(), ".txt": preview.text.encode(), ".eml": preview.message.data}
    paths = []
    for suffix, data in forms.items():
        path = folder / f"{preview.name}{suffix}"
        path.write_bytes(data)
        paths.append(path)
    return paths


def write_all(previews: Iterable[Preview], folder: Path) -> Path:
    """Write all mails and the index page, whose path is returned."""
    entries = []
    for preview in previews:
        write_preview(preview, folder)
        entries.append(
            {
                "name": preview.name,
                "subject": preview.subject,
                "bytes": len(preview.html.encode()),
                "fill": f"{preview.fill:.0%}" if preview.fill is not None else "",
            }
        )
    index = folder / INDEX
    index.write_text(_template().render(entries=entries), encoding="utf-8")
    return index


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("paperboy.cli"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("previews.html")
