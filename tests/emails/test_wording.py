"""The fixed phrases: complete in both languages, all used, and right for one paper as for many."""

import re
from datetime import date
from importlib.resources import files
from pathlib import Path

import pytest

from emails.wording import day_values, phrases, say
from issues.text import has_hangul

EMAILS = Path(str(files("emails")))
SOURCES = "\n".join(
    path.read_text(encoding="utf-8")
    for path in sorted([*EMAILS.glob("*.py"), *EMAILS.glob("templates/*")])
    if path.is_file()
)
SINGULAR = "_one"
FREQUENCIES = ("weekly", "daily")
PARTS = ("overview", "summary", "intro", "abstract", "notes")


def spoken() -> set[str]:
    """All phrases that the code and the templates ask for by name."""
    named = set(re.findall(r"""\bsay(?:_here)?(?:"\])?\(\s*(?:[\w.]+,\s*)?["'](\w+)["']""", SOURCES))
    named |= set(re.findall(r"""\bsay_here\(["'](\w+)["'] if [^)]*? else ["']\w+["']\)""", SOURCES))
    named |= set(re.findall(r"""\bsay_here\(["']\w+["'] if [^)]*? else ["'](\w+)["']\)""", SOURCES))
    for stem in re.findall(r"""\bsay_here\(f["'](\w+_)\{edition\.frequency\}["']""", SOURCES):
        named |= {stem + frequency for frequency in FREQUENCIES}
    return named | {*FREQUENCIES, *PARTS}


def braces(phrase: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", phrase))


def plural(name: str) -> str:
    return name.removesuffix(SINGULAR)


def test_both_languages_have_the_same_phrases() -> None:
    assert {plural(name) for name in phrases("en")} == {plural(name) for name in phrases("ko")}


def test_both_languages_are_filled_with_the_same_values() -> None:
    days = set(day_values(date(2025, 7, 28), date(2025, 8, 3)))
    for name, phrase in phrases("ko").items():
        assert braces(phrase) - days == braces(phrases("en")[name]) - days, name


def test_every_phrase_is_used_and_every_phrase_used_is_there() -> None:
    assert {plural(name) for name in phrases("en")} == spoken()


def test_every_singular_belongs_to_a_phrase_with_a_count_and_needs_no_other_value() -> None:
    for language in ("ko", "en"):
        known = phrases(language)
        for name in known:
            if name.endswith(SINGULAR):
                assert braces(known[name]) <= braces(known[plural(name)])


@pytest.mark.parametrize(
    "phrase", ["subject_weekly", "subject_daily", "heading_weekly", "heading_daily", "preheader", "remaining"]
)
def test_one_paper_is_not_spoken_of_as_papers(phrase: str) -> None:
    days = day_values(date(2025, 7, 28), date(2025, 8, 3))
    one = say("en", phrase, count=1, first="A", titles="A", **days)
    two = say("en", phrase, count=2, first="A", titles="A", **days)
    assert "papers" not in one
    assert "paper" in one
    assert "2" in two
    assert "papers" in two


def test_an_english_phrase_has_no_korean_but_the_switch_of_language() -> None:
    assert [name for name, phrase in phrases("en").items() if has_hangul(phrase)] == ["switch"]


def test_a_mail_in_both_languages_speaks_korean_around_its_papers() -> None:
    assert phrases("both") == phrases("ko")
