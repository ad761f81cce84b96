"""The documentation: its links lead somewhere, it names what people use, and its translations are up to date."""

import hashlib
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

from bench.reference.alarms import all_alarms
from bench.reference.commands import all_commands

ROOT = Path(__file__).parents[2]
KOREAN = ROOT / "docs" / "ko"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
FENCE = re.compile(r"(?ms)^ *```.*?^ *```$")
INLINE_CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\[[^\]]*\]\(([^()\s]+)\)|(?:href|src)=\"([^\"]+)\"")
HEADING = re.compile(r"(?m)^(#{1,6}) (.+)$")
OUTSIDE = re.compile(r"(?:https?|mailto):")
PACKAGES = ("bounces", "delivery", "flows", "mailings", "monitoring", "paperboy")

TRANSLATIONS = {
    "README.md": KOREAN / "README.md",
    "docs/start.md": KOREAN / "start.md",
    "docs/operating.md": KOREAN / "operating.md",
    "docs/sending.md": KOREAN / "sending.md",
}
# Only the first screen of the README is translated.
ENDS_BEFORE = {"README.md": "## By hand"}
STAMP = re.compile(r"<!-- translates (\S+) ([0-9a-f]{16}) -->\n")


def read(page: Path) -> str:
    """The text of a page."""
    return page.read_text(encoding="utf-8")


def name_of(page: Path) -> str:
    """The path of a page, from the project's folder."""
    return str(page.relative_to(ROOT))


def english() -> str:
    """All English pages for those who use Paperboy, in one text. The changelog tells what was, so it does not count."""
    pages = [ROOT / "README.md", *(page for page in PAGES if page.parent == ROOT / "docs")]
    return "\n".join(map(read, pages))


# Links


def targets(page: Path) -> Iterator[str]:
    """Where the links and pictures of a page lead, other than to other sites."""
    prose = INLINE_CODE.sub("", FENCE.sub("", read(page)))
    for found in LINK.finditer(prose):
        target = unquote(found[1] or found[2])
        if not OUTSIDE.match(target):
            yield target


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors of a page's headings, by the rules of GitHub: a heading that comes twice gets a number."""
    seen: Counter[str] = Counter()
    slugs = set()
    for _, heading in HEADING.findall(FENCE.sub("", read(page))):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        slugs.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return frozenset(slugs)


def leads_somewhere(page: Path, target: str) -> bool:
    """Whether a link on a page leads to a file of the project and, with an anchor, to a heading in it."""
    path, _, anchor = target.partition("#")
    file = (page.parent / path).resolve() if path else page
    inside = file.is_relative_to(ROOT) and file.exists()
    return inside and (not anchor or anchor in anchors(file))


def test_every_link_and_anchor_of_the_documentation_leads_somewhere() -> None:
    links = [(page, target) for page in PAGES for target in targets(page)]
    assert len(links) > 100
    dead = [f"{name_of(page)}: {target}" for page, target in links if not leads_somewhere(page, target)]
    assert dead == []


def test_every_page_that_a_notice_or_a_command_names_exists() -> None:
    named = {
        (name_of(file), target)
        for package in PACKAGES
        for file in (ROOT / package).rglob("*.py")
        for target in re.findall(r"docs/\w+\.md(?:#[\w-]+)?", read(file))
    }
    assert len(named) > 3
    assert [entry for entry in sorted(named) if not leads_somewhere(ROOT / "README.md", entry[1])] == []


# Names


def test_every_command_is_named() -> None:
    names = [name for name, _ in all_commands()]
    assert len(names) > 25
    text = english()
    assert [name for name in names if not re.search(rf"{name}(?![\w-])", text)] == []


def test_every_deployment_is_named_by_its_flow_and_name() -> None:
    deployments = yaml.safe_load(read(ROOT / "prefect.yaml"))["deployments"]
    names = [f"{entry['entrypoint'].rpartition(':')[2]}/{entry['name']}" for entry in deployments]
    assert len(names) == 7
    text = english()
    assert [name for name in names if f"| `{name}` |" not in text] == []


def test_every_automation_has_its_row() -> None:
    automations = yaml.safe_load(read(ROOT / "automations.yaml"))
    names = [entry["name"].removeprefix("Paperboy: ") for entry in automations]
    assert len(names) > 5
    text = english()
    assert [name for name in names if f"\n| {name} |" not in text] == []


def test_every_alarm_is_in_the_table_of_alarms() -> None:
    said = {alarm.what for alarm in all_alarms()}
    assert len(said) > 8
    table = read(ROOT / "docs" / "operating.md").partition("## Alarms")[2].partition("\n## ")[0]
    assert [text for text in sorted(said) if text not in table] == []


def test_the_guides_the_changelog_and_the_compose_file_are_of_the_present_version() -> None:
    version = tomllib.loads(read(ROOT / "pyproject.toml"))["project"]["version"]
    pages = [page for page in PAGES if page.name != "CHANGELOG.md"]
    named = {
        found for page in pages for found in re.findall(r"(?:[ `]v|paperboy:)(\d+\.\d+\.\d+)\b", read(page))
    }
    assert named == {version}
    assert re.findall(r"(?m)^## (\d\S+) \(\d{4}-\d\d-\d\d\)$", read(ROOT / "CHANGELOG.md"))[0] == version


# Translations


def translated_part(name: str) -> str:
    """The part of an English page that is translated."""
    return read(ROOT / name).partition(ENDS_BEFORE.get(name, "\0"))[0]


def shape(text: str) -> tuple[list[int], int, int, int]:
    """The levels of the headings of a page, and how many code blocks, rows of tables and entries of lists it has."""
    prose = FENCE.sub("", text)
    levels = [len(signs) for signs, _ in HEADING.findall(prose)]
    rows, entries = re.findall(r"(?m)^ *\|", prose), re.findall(r"(?m)^ *(?:-|\d+\.) ", prose)
    return levels, len(FENCE.findall(text)), len(rows), len(entries)


def test_every_korean_page_is_a_translation() -> None:
    assert sorted(KOREAN.glob("*")) == sorted(TRANSLATIONS.values())


@pytest.mark.parametrize("name", TRANSLATIONS)
def test_a_translation_is_of_the_page_as_it_is_now(name: str) -> None:
    translation = TRANSLATIONS[name]
    digest = hashlib.sha256(translated_part(name).encode()).hexdigest()[:16]
    stamp = STAMP.match(read(translation))
    assert stamp, f"the first line of {name_of(translation)} must be <!-- translates {name} {digest} -->"
    assert stamp[1] == name
    assert stamp[2] == digest, (
        f"{name} has changed since it was translated: bring {name_of(translation)} up to date, "
        f"then put {digest} into its first line"
    )


@pytest.mark.parametrize("name", TRANSLATIONS)
def test_a_translation_has_the_headings_tables_lists_and_code_of_its_page(name: str) -> None:
    assert shape(read(TRANSLATIONS[name])) == shape(translated_part(name))


@pytest.mark.parametrize("name", TRANSLATIONS)
def test_a_page_and_its_translation_link_each_other(name: str) -> None:
    page, translation = ROOT / name, TRANSLATIONS[name]
    assert translation in {(page.parent / target).resolve() for target in targets(page)}
    assert page in {(translation.parent / target).resolve() for target in targets(translation)}
