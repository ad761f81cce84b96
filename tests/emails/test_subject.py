"""What an inbox shows of a digest: a subject and a preheader that fit, cut nothing and repeat nothing."""

from dataclasses import replace
from datetime import date
from email import message_from_bytes
from email.policy import default as modern_policy

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from emails.compose import compose
from emails.content import Content
from emails.edition import Edition, subject_week
from emails.kinds import MailKind
from emails.message import Recipient, build_message
from emails.rendering.digest_view import digest_view
from emails.rendering.i18n import translate
from emails.rendering.subject import full_dates, preheader_of, short_dates, short_name, subject_of
from emails.rendering.width import columns
from issues.parse.content import IssueContent
from issues.parse.text import clean
from tests.support.factories import IDENTITY, NOW, arrivals_of, blocks, edition_of, issue_of, paper
from tests.support.random_posts import editions

WIDTH = 60
PREHEADER = (85, 130)
MARKS = " ,:;…"
ORDINARY = [
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
LONG = [
    "강화학습기반추론모델의사고길이조절",
    "Supercalifragilisticexpialidocious-and-more",
    "https://a.example/1",
]
WORDS = st.sampled_from([*ORDINARY, *LONG])
TITLES = st.lists(WORDS, max_size=12).map(" ".join)


@st.composite
def titled_issues(draw: st.DrawFn) -> IssueContent:
    """Issues of any titles; each English one names its paper's number, so that no two are the same."""
    titles = draw(st.lists(st.tuples(TITLES, TITLES), min_size=1, max_size=15))
    return issue_of(
        [
            paper(number, title_ko=ko and f"{ko} 하나{number:02}", title_en=en and f"{en} one{number:02}")
            for number, (ko, en) in enumerate(titles, 1)
        ]
    )


def phrase(edition: Edition) -> str:
    """The subject without any name."""
    start, end = subject_week(edition.issues)
    return translate(
        edition.language,
        f"subject_{edition.occasion}",
        short_dates=short_dates(edition.language, start, end),
        count=len(edition.papers),
        names="",
    )


def words(text: str) -> set[str]:
    return {word.strip(MARKS + "-") for word in text.split()}


@given(editions(titled_issues()))
def test_a_subject_fits_sixty_columns_and_no_word_of_it_is_cut(edition: Edition) -> None:
    subject = digest_view(edition, IDENTITY.archive).subject
    assert columns(subject) <= WIDTH
    assert subject == " ".join(subject.split())
    known = words(phrase(edition)).union(*(words(unit.title) for unit in edition.papers))
    assert words(subject) <= known


@given(editions(titled_issues()))
def test_a_subject_names_the_first_paper_wherever_its_first_word_has_room(edition: Edition) -> None:
    subject, said = digest_view(edition, IDENTITY.archive).subject, phrase(edition)
    first = next(iter(short_name(edition.papers[0]).split()), "").strip(MARKS + "-")
    if first and columns(said) + columns(first) < WIDTH - 2:
        assert first in words(subject)


@given(editions(titled_issues()))
def test_names_left_out_of_a_subject_are_announced_by_an_ellipsis(edition: Edition) -> None:
    subject = digest_view(edition, IDENTITY.archive).subject
    named = subject.removeprefix(phrase(edition).rstrip(" :"))
    whole = [unit for unit in edition.papers if unit.title and short_name(unit) in named]
    if len(whole) < len(edition.papers) and words(named) - {""}:
        assert subject.endswith("…")


@settings(max_examples=60)
@given(editions())
def test_the_preheader_of_any_mail_fills_its_line(edition: Edition) -> None:
    page = digest_view(edition, IDENTITY.archive)
    assert PREHEADER[0] <= len(page.preheader) <= PREHEADER[1]
    assert page.preheader == " ".join(page.preheader.split())


@given(editions(titled_issues()))
def test_the_preheader_does_not_repeat_the_papers_that_the_subject_names(edition: Edition) -> None:
    subject, named = subject_of(edition)
    preheader = preheader_of(edition, named)
    assert PREHEADER[0] <= len(preheader) <= PREHEADER[1]
    assert len(named) <= 1 or all(short_name(unit) in subject for unit in named)
    assert not [unit.title for unit in named if unit.title in preheader]


@given(editions(titled_issues()))
def test_no_word_of_a_preheader_is_cut(edition: Edition) -> None:
    texts = [unit.title for unit in edition.papers]
    texts += [part.blocks[0].text for part in edition.parts]
    known = words(translate(edition.language, "preheader_more")).union(*map(words, texts)) | {"·"}
    assert words(digest_view(edition, IDENTITY.archive).preheader) <= known


@pytest.mark.parametrize("word", ["W" * 300, "https://a.example/" + "long/" * 40])
def test_a_word_longer_than_the_line_is_passed_over_by_the_preheader(word: str) -> None:
    issue = issue_of([paper(1, title_ko="등대", intro_ko=blocks(f"등대는 {word} 길을 비춥니다."))])
    preheader = digest_view(edition_of(issue), IDENTITY.archive).preheader
    assert preheader.startswith("등대는 길을 비춥니다.")
    assert PREHEADER[0] <= len(preheader) <= PREHEADER[1]


def test_the_preheader_goes_on_with_the_papers_that_the_subject_has_no_room_for() -> None:
    titles = ["짧은 이름", "아주 긴 이름을 가진 두 번째 논문의 제목은 여기까지", "세 번째 논문"]
    issue = issue_of([paper(number, title_ko=title) for number, title in enumerate(titles, 1)])
    page = digest_view(edition_of(issue), IDENTITY.archive)
    assert "짧은 이름" in page.subject
    assert page.preheader.startswith(" · ".join(titles[1:]))


def test_where_the_subject_names_all_papers_the_preheader_begins_with_the_first_text() -> None:
    issue = issue_of([paper(1, title_ko="등대", intro_ko=blocks("등대는 길을 비춥니다."))])
    page = digest_view(edition_of(issue), IDENTITY.archive)
    assert page.subject.endswith("등대")
    assert page.preheader.startswith("등대는 길을 비춥니다.")


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
def test_a_paper_is_called_by_the_short_form_that_its_title_begins_with(title: str, name: str) -> None:
    (unit,) = edition_of(issue_of([paper(title_en=title)]), language="en").papers
    assert short_name(unit) == name


PURPOSES: tuple[MailKind, ...] = ("digest", "welcome", "copy", "correction")


@pytest.mark.parametrize("language", ["ko", "en", "both"])
def test_a_subject_says_what_kind_of_mail_it_is(language: str) -> None:
    arrived = arrivals_of(issue_of(3))
    kinds = {
        (frequency, purpose): compose(
            arrived, 0, slot="x", language=language, frequency=frequency, purpose=purpose
        )
        for frequency in ("weekly", "daily")
        for purpose in PURPOSES
    }
    subjects = {kind: digest_view(edition, IDENTITY.archive).subject for kind, edition in kinds.items()}
    assert len(set(subjects.values())) == 5, "weekly, daily, welcome, copy and correction differ"
    assert all("3" in subject for subject in subjects.values())


def test_a_subject_names_the_days_of_all_its_issues() -> None:
    edition = edition_of(issue_of(1), issue_of(1, start=date(2025, 8, 4)))
    assert subject_week(edition.issues) == (date(2025, 7, 28), date(2025, 8, 10))
    assert (
        short_dates("en", date(2025, 7, 28), date(2025, 8, 10))
        in digest_view(
            edition_of(issue_of(1), issue_of(1, start=date(2025, 8, 4)), language="en"), IDENTITY.archive
        ).subject
    )


def test_a_week_around_new_year_is_clear_without_years_and_a_long_time_is_not() -> None:
    for language in ("ko", "en"):
        assert "2025" not in short_dates(language, date(2025, 12, 29), date(2026, 1, 4))
        long = short_dates(language, date(2025, 7, 28), date(2026, 8, 3))
        assert "2025" in long
        assert "2026" in long


@given(st.text(max_size=80).map(clean))
@example("=?utf-8?q?not_encoded?= by hand")
@example('"quoted" <a@b.example>, x: y; 한글 제목 😀 이어지는 제목')
@example("  two  spaces  ")
def test_any_title_arrives_in_the_subject_line_as_it_was_written(title: str) -> None:
    subject = digest_view(
        edition_of(issue_of([paper(title_en=title)]), language="en"), IDENTITY.archive
    ).subject
    content = Content("weekly:2025-W32", "en", "weekly", subject, "<p>x</p>", "x", "0" * 20)
    reader = Recipient("reader@example.org", "", "0" * 16, "en")
    message = build_message(content, reader, IDENTITY, message_id="0f@paperboy.example", now=NOW)
    parsed = message_from_bytes(message.data, policy=modern_policy)
    assert parsed["Subject"] == subject
    assert parsed["To"].addresses[0].addr_spec == "reader@example.org"


def test_a_paper_added_to_an_older_issue_does_not_stretch_the_days_that_a_mail_is_about() -> None:
    older, newer = issue_of(1, start=date(2025, 7, 28)), issue_of(2, start=date(2026, 3, 2))
    first, *others = arrivals_of(older, newer)
    late = [replace(first, number=9, late=True), *(replace(one, number=one.number + 9) for one in others)]
    edition = compose(late, 8, slot="weekly:2026-W11", language="ko", frequency="weekly")
    page = digest_view(edition, IDENTITY.archive)
    assert page.subject.startswith("3/2~3/8 ")
    assert page.kicker.startswith(full_dates("ko", date(2026, 3, 2), date(2026, 3, 8)))
