"""The fixed phrases: complete in both languages, all used, and right for one paper as for many."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from itertools import product

import pytest

from emails.edition import Edition
from emails.rendering import i18n
from emails.rendering.i18n import date_values, phrases, translate
from emails.rendering.placeholders import greeting
from issues.arrivals import Arrival
from issues.parse.content import Picture
from issues.parse.text import has_hangul
from monitoring.previews import issue_previews, letter_previews
from tests.support.all_mails import edited_papers, large_issue
from tests.support.factories import IDENTITY, NOW, arrivals_of, blocks, edition_of, issue_of, paper, rendered

SINGULAR = "_one"
DAYS = date_values(date(2025, 7, 28), date(2025, 8, 3))


class Recorded(dict[str, str]):
    """Phrases that remember which of them were said."""

    def __init__(self, known: dict[str, str]) -> None:
        super().__init__(known)
        self.said: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.said.add(name)
        return super().__getitem__(name)


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> dict[str, Recorded]:
    """The phrases of each file, recording what is said from now on."""
    files = {language: Recorded(phrases(language)) for language in ("ko", "en")}
    monkeypatch.setattr(i18n, "phrases", lambda language: files["ko" if language == "both" else language])
    return files


def papers_of_every_sort() -> Iterator[Sequence[Arrival]]:
    """Issues that together give occasion to say everything that a digest can say."""
    untitled = paper(1, title_ko="", title_en="", abstract_en=(), intro_ko=blocks("길을 비춥니다. " * 900))
    pictured = replace(untitled, pictures=(Picture("https://a.example/p.png", 690, 388),))
    yield edited_papers()
    yield arrivals_of(large_issue())
    yield arrivals_of(issue_of([pictured], start=date(2025, 12, 29)))
    yield arrivals_of(
        issue_of([paper(1, intro_ko=(), intro_en=blocks("An introduction.")), paper(2), paper(3)])
    )
    first, second = arrivals_of(issue_of(2))
    yield [first, replace(second, late=True)]
    yield [first, *(replace(arrival, late=True) for arrival in arrivals_of(issue_of(3))[1:])]


def years_apart(language: str) -> Edition:
    return edition_of(issue_of(1), issue_of(1, start=date(2026, 8, 3)), language=language)


def braces(phrase: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", phrase))


def plural(name: str) -> str:
    return name.removesuffix(SINGULAR)


def test_every_phrase_is_said_in_some_mail_and_each_that_is_asked_for_is_there(
    recorded: dict[str, Recorded],
) -> None:
    for papers in papers_of_every_sort():
        assert [mail for mail in issue_previews(papers, IDENTITY, NOW, daily_papers=2) if mail.subject]
    assert [mail for mail in letter_previews(IDENTITY, NOW) if mail.subject]
    for language, name in product(("ko", "en", "both"), ("김민지", "")):
        rendered(years_apart(language))
        greeting(language, name)
    said = set().union(*(known.said for known in recorded.values()))
    assert set(phrases("ko")) | set(phrases("en")) == said


def test_both_languages_have_the_same_phrases() -> None:
    assert {plural(name) for name in phrases("en")} == {plural(name) for name in phrases("ko")}


def test_both_languages_are_filled_with_the_same_values() -> None:
    for name, phrase in phrases("ko").items():
        assert braces(phrase) - set(DAYS) == braces(phrases("en")[name]) - set(DAYS), name


def test_every_singular_belongs_to_a_phrase_and_needs_no_other_value() -> None:
    for language in ("ko", "en"):
        known = phrases(language)
        for name in known:
            if name.endswith(SINGULAR):
                assert braces(known[name]) <= braces(known[plural(name)]) | {"count"}


@pytest.mark.parametrize("phrase", sorted(plural(name) for name in phrases("en") if name.endswith(SINGULAR)))
def test_one_paper_is_not_spoken_of_as_papers(phrase: str) -> None:
    values = {"names": "A", "dates": "B", **DAYS}
    one, two = (translate("en", phrase, count=count, **values) for count in (1, 2))
    assert "papers" not in one
    assert "paper" in one
    assert "papers" in two


def test_an_english_phrase_has_no_korean_but_the_switch_of_language() -> None:
    assert [name for name, phrase in phrases("en").items() if has_hangul(phrase)] == ["switch"]


def test_a_korean_phrase_is_korean_but_for_names_dates_and_the_switch_of_language() -> None:
    foreign = [name for name, phrase in phrases("ko").items() if not has_hangul(phrase)]
    assert {name for name in foreign if not name.startswith("dates")} == {"brand", "part_in", "switch"}


def test_a_mail_in_both_languages_speaks_korean_around_its_papers() -> None:
    assert phrases("both") == phrases("ko")
