"""The phrases of mails are complete in every language, all used, and have a singular where it is needed."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from itertools import product

import pytest

from core.frequencies import Frequency
from core.languages import Language, TextLanguage
from emails.choose import edition_to_resend
from emails.compose import compose
from emails.content import MailSpec
from emails.edition import Edition
from emails.kinds import MailKind
from emails.rendering import i18n
from emails.rendering.greeting import greeting
from emails.rendering.i18n import date_values, phrases, translate
from emails.rendering.subject import full_dates
from issues.arrivals import Arrival
from issues.parse.content import Link, Picture
from issues.parse.text import has_hangul
from monitoring.previews import issue_previews, letter_previews
from tests.support.all_mails import edited_papers, large_issue
from tests.support.factories import (
    IDENTITY,
    NOW,
    arrivals_of,
    blocks,
    digest_spec,
    edition_of,
    issue_of,
    paper,
    rendered,
)
from tests.support.mail_reader import Mail

SINGULAR = "_one"
DATE_VALUES = date_values(date(2025, 7, 28), date(2025, 8, 3))


class RecordingPhrases(dict[str, str]):
    """Phrases that record which of them were used."""

    def __init__(self, phrases: dict[str, str]) -> None:
        super().__init__(phrases)
        self.used: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.used.add(name)
        return super().__getitem__(name)


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> dict[TextLanguage, RecordingPhrases]:
    """The phrases of each language, which record their use from now on."""
    by_language = {language: RecordingPhrases(phrases(language)) for language in TextLanguage}
    monkeypatch.setattr(i18n, "phrases", lambda language: by_language[Language(language).frame])
    return by_language


def every_kind_of_issue() -> Iterator[Sequence[Arrival]]:
    """Issues whose digests together use every phrase of a digest."""
    untitled = paper(1, title_ko="", title_en="", abstract_en=(), intro_ko=blocks("길을 비춥니다. " * 900))
    elsewhere = replace(paper(1), url="https://journal.example/1", links=(Link("https://a.github.io/x"),))
    pictured = replace(untitled, pictures=(Picture("https://a.example/p.png", 690, 388),))
    yield edited_papers()
    yield arrivals_of(large_issue())
    yield arrivals_of(issue_of([pictured], start=date(2025, 12, 29)))
    yield arrivals_of(
        issue_of([paper(1, intro_ko=(), intro_en=blocks("An introduction.")), paper(2), paper(3)])
    )
    yield arrivals_of(issue_of([elsewhere, paper(2)], summary=blocks("한 줄 요약입니다.")))
    first, second = arrivals_of(issue_of(2))
    yield [first, replace(second, late=True)]
    yield [first, *(replace(arrival, late=True) for arrival in arrivals_of(issue_of(3))[1:])]


def corrections(language: Language) -> Iterator[Edition]:
    """Corrections of a paper of which everything changed, and one or several sentences are gone."""
    (arrival,) = arrivals_of(issue_of([paper(1, intro_ko=blocks("새 소개입니다."), intro_en=blocks("New."))]))
    spec = MailSpec("resend:1", language, Frequency.WEEKLY, MailKind.CORRECTION)
    for old in ("One. Two.", "One. Two. Three."):
        before = paper(
            1,
            title_ko="옛 제목",
            title_en="Old",
            intro_ko=blocks(old),
            intro_en=blocks(old),
            url="https://a.example/1",
        )
        yield edition_to_resend([replace(arrival, before=before)], spec)


def edition_over_two_years(language: Language) -> Edition:
    return edition_of(issue_of(1), issue_of(1, start=date(2026, 8, 3)), language=language)


def noted(language: Language) -> Edition:
    """A digest with a note of the operators."""
    (arrival,) = arrivals_of(issue_of(1))
    facts = replace(arrival.issue, note_ko="다음 주는 쉽니다.", note_en="No issue next week.")
    return compose([replace(arrival, issue=facts)], 0, digest_spec(language))


def value_names(phrase: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", phrase))


def plural_name(name: str) -> str:
    return name.removesuffix(SINGULAR)


def test_every_phrase_is_used_in_some_mail_and_every_used_phrase_exists(
    recorded: dict[TextLanguage, RecordingPhrases],
) -> None:
    for papers in every_kind_of_issue():
        assert [mail for mail in issue_previews(papers, IDENTITY, NOW, daily_papers=2) if mail.subject]
    assert [mail for mail in letter_previews(IDENTITY, NOW) if mail.subject]
    for language, name in product(Language, ("김민지", "")):
        brief = edition_of(issue_of(3), language=language, frequency="daily", detail="brief")
        for edition in (edition_over_two_years(language), brief, noted(language), *corrections(language)):
            rendered(edition)
        full_dates(language, date(2025, 7, 28), date(2025, 8, 3))  # on the pages
        full_dates(language, date(2025, 12, 29), date(2026, 1, 4))
        greeting(language, name)
    used = set().union(*(known.used for known in recorded.values()))
    assert set(phrases(Language.KO)) | set(phrases(Language.EN)) == used


@pytest.mark.parametrize("language", TextLanguage)
def test_every_language_has_the_same_phrases_with_the_same_values(language: TextLanguage) -> None:
    assert values_of_phrases(language) == values_of_phrases(TextLanguage.KO)


def values_of_phrases(language: TextLanguage) -> dict[str, set[str]]:
    """For each phrase the values that it needs; languages need not write a date alike."""
    return {
        name: value_names(phrase) - set(DATE_VALUES)
        for name, phrase in phrases(language).items()
        if not name.endswith(SINGULAR)
    }


def test_every_singular_has_a_plural_with_the_same_values() -> None:
    for language in TextLanguage:
        known = phrases(language)
        for name in known:
            if name.endswith(SINGULAR):
                assert value_names(known[name]) <= value_names(known[plural_name(name)]) | {"count"}


@pytest.mark.parametrize(
    "phrase", sorted(plural_name(name) for name in phrases(Language.EN) if name.endswith(SINGULAR))
)
def test_the_singular_of_a_phrase_speaks_of_one_and_the_plural_of_several(phrase: str) -> None:
    one, two = (translate(Language.EN, phrase, count=count, positions=count, total=9) for count in (1, 2))
    assert not re.search(r"\b(papers|sentences|these)\b", one, re.IGNORECASE)
    assert re.search(r"\b(papers|sentences)\b", two, re.IGNORECASE)


@pytest.mark.parametrize("frequency", Frequency)
def test_an_english_digest_of_one_paper_never_speaks_of_papers(frequency: Frequency) -> None:
    mail = Mail(edition_of(issue_of(1), language="en", frequency=frequency))
    beginning = mail.visible_text.partition(translate(Language.EN, "overview"))[0]
    assert "title of paper 1" in beginning
    assert "papers" not in mail.content.subject + beginning


@pytest.mark.parametrize("language", [each for each in TextLanguage if each != TextLanguage.KO])
def test_only_korean_phrases_have_korean(language: TextLanguage) -> None:
    assert [name for name, phrase in phrases(language).items() if has_hangul(phrase)] == []


def test_korean_phrases_are_korean_except_names_and_dates() -> None:
    foreign = [name for name, phrase in phrases(Language.KO).items() if not has_hangul(phrase)]
    names = {name for name in foreign if not name.startswith(("dates", "subject_"))}
    assert names == {"part_in"}


def test_the_frame_of_a_mail_in_both_languages_is_korean() -> None:
    assert phrases(Language.BOTH) == phrases(Language.KO)
