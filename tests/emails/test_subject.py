"""Subjects and preheaders of digests fit, cut no words and repeat nothing."""

from dataclasses import replace
from datetime import date
from email import message_from_bytes
from email.policy import default as modern_policy

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.frequencies import Frequency
from core.languages import Language
from core.slots import preview_slot
from emails.compose import compose
from emails.content import Content, MailSpec
from emails.edition import Edition, days_covered
from emails.kinds import WITH_PAPERS
from emails.message import PREVIEW_RECIPIENT, build_message
from emails.rendering.digest_view import digest_view
from emails.rendering.i18n import translate
from emails.rendering.subject import (
    MAX_SUBJECT_COLUMNS,
    PREHEADER_CHARACTERS,
    full_dates,
    preheader_of,
    short_dates,
    short_name,
    subject_of,
)
from emails.rendering.width import columns
from issues.parse.content import IssueContent
from issues.parse.text import clean
from tests.support.factories import (
    IDENTITY,
    NOW,
    arrivals_of,
    blocks,
    digest_spec,
    edition_of,
    issue_of,
    paper,
)
from tests.support.mail_reader import languages
from tests.support.random_posts import editions

PUNCTUATION = " ,:;…"
ORDINARY_WORDS = [
    "등대",
    "Lighthouse",
    "긴",
    "a",
    "글",
    "search-heads",
    "RAG:",
    "(2025)",
    "속에서",
    "-",
    "🔥",
    "길을,",
]
LONG_WORDS = [
    "강화학습기반추론모델의사고길이조절",
    "Supercalifragilisticexpialidocious-and-more",
    "https://a.example/1",
]
WORDS = st.sampled_from([*ORDINARY_WORDS, *LONG_WORDS])
TITLES = st.lists(WORDS, max_size=12).map(" ".join)


@st.composite
def titled_issues(draw: st.DrawFn) -> IssueContent:
    """Issues with any titles. Each title has its paper's number, so that no two are the same."""
    titles = draw(st.lists(st.tuples(TITLES, TITLES), min_size=1, max_size=15))
    return issue_of(
        [
            paper(number, title_ko=ko and f"{ko} 하나{number:02}", title_en=en and f"{en} one{number:02}")
            for number, (ko, en) in enumerate(titles, 1)
        ]
    )


def nameless_subject(edition: Edition) -> str:
    """The subject without the names of papers."""
    start, end = days_covered(edition.issues)
    return translate(
        edition.spec.language,
        f"subject_{edition.occasion}",
        dates=short_dates(edition.spec.language, start, end),
        count=len(edition.papers),
        names="",
    )


def words(text: str) -> set[str]:
    return {word.strip(PUNCTUATION + "-") for word in text.split()}


@given(editions(titled_issues()))
def test_a_subject_fits_into_sixty_columns_and_cuts_no_word(edition: Edition) -> None:
    subject = digest_view(edition, IDENTITY).subject
    assert columns(subject) <= MAX_SUBJECT_COLUMNS
    assert subject == " ".join(subject.split())
    known = words(nameless_subject(edition)).union(*(words(unit.title) for unit in edition.papers))
    assert words(subject) <= known


@given(editions(titled_issues()))
def test_a_subject_names_the_first_paper_if_its_first_word_fits(edition: Edition) -> None:
    subject, nameless = digest_view(edition, IDENTITY).subject, nameless_subject(edition)
    first = next(iter(short_name(edition.papers[0]).split()), "").strip(PUNCTUATION + "-")
    if first and columns(nameless) + columns(first) < MAX_SUBJECT_COLUMNS - 2:
        assert first in words(subject)


@given(editions(titled_issues()))
def test_a_subject_that_leaves_out_names_ends_with_an_ellipsis(edition: Edition) -> None:
    subject = digest_view(edition, IDENTITY).subject
    named = subject.removeprefix(nameless_subject(edition).rstrip(" :"))
    named_units = [unit for unit in edition.papers if unit.title and short_name(unit) in named]
    if len(named_units) < len(edition.papers) and words(named) - {""}:
        assert subject.endswith("…")


@settings(max_examples=60)
@given(editions())
def test_the_preheader_of_any_mail_has_the_right_length(edition: Edition) -> None:
    view = digest_view(edition, IDENTITY)
    assert PREHEADER_CHARACTERS[0] <= len(view.preheader) <= PREHEADER_CHARACTERS[1]
    assert view.preheader == " ".join(view.preheader.split())


@given(editions(titled_issues()))
def test_the_preheader_does_not_repeat_the_papers_that_the_subject_names(edition: Edition) -> None:
    subject, named = subject_of(edition)
    preheader = preheader_of(edition, named)
    assert PREHEADER_CHARACTERS[0] <= len(preheader) <= PREHEADER_CHARACTERS[1]
    assert len(named) <= 1 or all(short_name(unit) in subject for unit in named)
    assert not [unit.title for unit in named if unit.title in preheader]


@given(editions(titled_issues()))
def test_a_preheader_cuts_no_word(edition: Edition) -> None:
    texts = [unit.title for unit in edition.papers]
    texts += [part.blocks[0].text for part in edition.parts]
    known = words(translate(edition.spec.language, "preheader_more")).union(*map(words, texts)) | {"·"}
    assert words(digest_view(edition, IDENTITY).preheader) <= known


@pytest.mark.parametrize("word", ["W" * 300, "https://a.example/" + "long/" * 40])
def test_a_preheader_leaves_out_a_word_that_is_too_long(word: str) -> None:
    issue = issue_of([paper(1, title_ko="등대", intro_ko=blocks(f"등대는 {word} 길을 비춥니다."))])
    preheader = digest_view(edition_of(issue), IDENTITY).preheader
    assert preheader.startswith("등대는 길을 비춥니다.")
    assert PREHEADER_CHARACTERS[0] <= len(preheader) <= PREHEADER_CHARACTERS[1]


def test_the_preheader_continues_with_the_papers_that_the_subject_does_not_name() -> None:
    titles = ["짧은 이름", "아주 긴 이름을 가진 두 번째 논문의 제목은 여기까지", "세 번째 논문"]
    issue = issue_of([paper(number, title_ko=title) for number, title in enumerate(titles, 1)])
    view = digest_view(edition_of(issue), IDENTITY)
    assert "짧은 이름" in view.subject
    assert view.preheader.startswith(" · ".join(titles[1:]))


def test_the_preheader_begins_with_the_first_text_if_the_subject_names_all_papers() -> None:
    issue = issue_of([paper(1, title_ko="등대", intro_ko=blocks("등대는 길을 비춥니다."))])
    view = digest_view(edition_of(issue), IDENTITY)
    assert view.subject.endswith("등대")
    assert view.preheader.startswith("등대는 길을 비춥니다.")


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Lighthouse: Retrieval Heads", "Lighthouse"),
        ("등대 – 긴 글 속의 검색", "등대"),
        ("추론의 길이 조절 (Spinning Wheel)", "추론의 길이 조절"),
        (
            "A Survey of Everything That Was Ever Written: Part One",
            "A Survey of Everything That Was Ever Written: Part One",
        ),
        ("Just a Title", "Just a Title"),
    ],
)
def test_a_short_name_is_the_part_of_the_title_before_a_colon_or_dash(title: str, name: str) -> None:
    (unit,) = edition_of(issue_of([paper(title_en=title)]), language="en").papers
    assert short_name(unit) == name


@languages
def test_a_subject_says_what_kind_of_mail_it_is(language: Language) -> None:
    arrived = arrivals_of(issue_of(3))
    editions = [
        compose(arrived, 0, MailSpec(preview_slot("x"), language, frequency, kind))
        for frequency in Frequency
        for kind in WITH_PAPERS
    ]
    subjects = [digest_view(edition, IDENTITY).subject for edition in editions]
    assert len(set(subjects)) == len(Frequency) + 3, "each frequency, welcome, copy, correction differ"
    assert all("3" in subject for subject in subjects)


def test_a_subject_names_the_days_of_all_its_issues() -> None:
    edition = edition_of(issue_of(1), issue_of(1, start=date(2025, 8, 4)), language="en")
    assert days_covered(edition.issues) == (date(2025, 7, 28), date(2025, 8, 10))
    dates = short_dates(Language.EN, date(2025, 7, 28), date(2025, 8, 10))
    assert dates in digest_view(edition, IDENTITY).subject


def test_a_week_around_new_year_has_no_years_but_a_long_span_has() -> None:
    for language in (Language.KO, Language.EN):
        assert "2025" not in short_dates(language, date(2025, 12, 29), date(2026, 1, 4))
        long = short_dates(language, date(2025, 7, 28), date(2026, 8, 3))
        assert "2025" in long
        assert "2026" in long


@given(st.text(max_size=80).map(clean))
@example("=?utf-8?q?not_encoded?= by hand")
@example('"quoted" <a@b.example>, x: y; 한글 제목 😀 이어지는 제목')
@example("  two  spaces  ")
def test_any_title_arrives_unchanged_in_the_subject(title: str) -> None:
    subject = digest_view(
        edition_of(issue_of([paper(title_en=title)]), language="en"), IDENTITY
    ).subject
    content = Content(subject, "<p>x</p>", "x", "0" * 20)
    message = build_message(
        digest_spec("en"), content, PREVIEW_RECIPIENT, IDENTITY, message_id="0f@paperboy.example", now=NOW
    )
    parsed = message_from_bytes(message.data, policy=modern_policy)
    assert parsed["Subject"] == subject
    assert parsed["To"].addresses[0].addr_spec == "reader@example.org"


def test_a_late_paper_of_an_older_issue_does_not_extend_the_dates_of_a_mail() -> None:
    older, newer = issue_of(1, start=date(2025, 7, 28)), issue_of(2, start=date(2026, 3, 2))
    first, *others = arrivals_of(older, newer)
    late = [replace(first, number=9, late=True), *(replace(one, number=one.number + 9) for one in others)]
    edition = compose(late, 8, digest_spec())
    view = digest_view(edition, IDENTITY)
    assert view.subject.startswith("3/2~3/8 ")
    assert view.kicker.startswith(full_dates(Language.KO, date(2026, 3, 2), date(2026, 3, 8)))
