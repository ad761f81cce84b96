"""The content of editions: which papers, in which order, and which of their texts in which language."""

from collections.abc import Iterator
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.frequencies import Frequency
from core.languages import Language
from core.slots import preview_slot, resend_edition_slot
from emails.choose import MAX_PAPERS, edition_to_resend, editions_of_issue, next_edition, portion
from emails.compose import compose
from emails.content import MailSpec
from emails.edition import Edition, EmptyIssueError
from emails.kinds import MailKind
from issues.arrivals import Arrival
from issues.parse.content import IssueContent
from tests.support.factories import arrivals_of, blocks, digest_spec, edition_of, issue_of, paper

AUGUST = date(2025, 8, 4)
DAILY, WEEKLY = digest_spec(frequency="daily"), digest_spec()
COPY = MailSpec(resend_edition_slot(9001), Language.KO, Frequency.WEEKLY, MailKind.COPY)


def next_daily(arrived: list[Arrival], cursor: int, daily_papers: int = 2) -> Edition | None:
    return next_edition(arrived, cursor, DAILY, daily_papers=daily_papers)


def all_daily(arrived: list[Arrival], daily_papers: int = 2) -> Iterator[Edition]:
    """All daily editions of a subscriber who has read nothing."""
    cursor = 0
    while edition := next_daily(arrived, cursor, daily_papers):
        yield edition
        cursor = edition.papers[-1].number


def numbers(edition: Edition) -> list[int]:
    return [unit.number for unit in edition.papers]


def shown_parts(edition: Edition) -> list[list[tuple[str, str]]]:
    """Name and language of the parts of each paper. Every part has some text."""
    assert all(part.blocks for part in edition.parts)
    return [[(part.name, part.language) for part in unit.parts] for unit in edition.papers]


def test_an_issue_of_ten_papers_comes_in_five_days_at_two_a_day() -> None:
    days = list(all_daily(arrivals_of(issue_of(10))))
    assert [numbers(day) for day in days] == [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10]]
    assert [day.remaining for day in days] == [8, 6, 4, 2, 0]


@given(st.integers(0, 300), st.integers(0, 100))
def test_nobody_is_more_than_about_five_days_behind(unread: int, daily_papers: int) -> None:
    today = portion(unread, Frequency.DAILY, daily_papers)
    assert min(unread, 1) <= today <= min(unread, MAX_PAPERS)
    assert today in {unread, MAX_PAPERS} or (today >= daily_papers and today * 5 >= unread)


def test_zero_daily_papers_means_all_at_once() -> None:
    (whole,) = all_daily(arrivals_of(issue_of(10)), daily_papers=0)
    assert numbers(whole) == list(range(1, 11))


@given(st.lists(st.integers(1, 12), min_size=1, max_size=5), st.integers(0, 6))
def test_a_daily_subscriber_gets_each_paper_and_each_overview_once_and_in_order(
    sizes: list[int], daily_papers: int
) -> None:
    days = list(all_daily(arrivals_of(*(issue_of(size) for size in sizes)), daily_papers))
    assert [number for day in days for number in numbers(day)] == list(range(1, sum(sizes) + 1))
    with_overview = [unit.topic_id for day in days for unit in day.issues if unit.parts]
    assert with_overview == [9001 + index for index in range(len(sizes))]


ISSUES = st.builds(issue_of, st.integers(1, 45), summary=st.sampled_from([(), blocks("요약")]))
LANGUAGES = st.sampled_from(Language)
FREQUENCIES = st.sampled_from(Frequency)
KINDS = st.sampled_from([MailKind.DIGEST, MailKind.WELCOME_DIGEST])


@given(ISSUES, LANGUAGES, FREQUENCIES, st.integers(0, 50), KINDS)
def test_the_editions_of_an_issue_bring_each_paper_once_and_announce_the_next_ones(
    issue: IssueContent, language: Language, frequency: Frequency, daily_papers: int, kind: MailKind
) -> None:
    papers = arrivals_of(issue)
    spec = MailSpec(preview_slot("x"), language, frequency, kind)
    days = editions_of_issue(papers, spec, daily_papers=daily_papers)
    assert [number for day in days for number in numbers(day)] == list(range(1, len(papers) + 1))
    for day, after in pairwise(days):
        assert [unit.number for unit in day.following] == numbers(after)
    assert days[-1].following == ()
    assert [day.remaining for day in days] == [len(papers) - numbers(day)[-1] for day in days]
    has_overview = [bool(unit.parts or unit.elsewhere) for day in days for unit in day.issues]
    assert has_overview == [True] + [False] * (len(days) - 1), "only the first edition has the overview"
    assert frequency == "daily" or len(days) == 1


@given(ISSUES, st.integers(0, 50))
def test_the_editions_of_an_issue_are_what_a_subscriber_gets_day_by_day(
    issue: IssueContent, daily_papers: int
) -> None:
    papers = arrivals_of(issue)
    days = editions_of_issue(papers, DAILY, daily_papers=daily_papers)
    assert days == list(all_daily(papers, daily_papers))


def test_a_weekly_mail_announces_no_papers() -> None:
    assert edition_of(issue_of(45)).following == ()


def test_a_copy_of_a_large_issue_is_one_mail_with_all_its_papers() -> None:
    whole = edition_to_resend(arrivals_of(issue_of(45)), COPY)
    assert (len(whole.papers), whole.remaining) == (45, 0)


def test_an_issue_without_a_paper_in_force_has_no_copy() -> None:
    with pytest.raises(EmptyIssueError, match="no paper in force"):
        edition_to_resend([], COPY)


def test_a_weekly_mail_brings_everything_since_the_last_one() -> None:
    edition = edition_of(issue_of(3), issue_of(4, start=AUGUST), cursor=2)
    assert numbers(edition) == [3, 4, 5, 6, 7]
    assert [bool(unit.parts) for unit in edition.issues] == [False, True]


def test_there_is_no_edition_when_nothing_is_unread() -> None:
    assert next_daily(arrivals_of(issue_of(3)), cursor=3) is None


def test_a_mail_has_forty_papers_at_most_and_the_next_one_has_the_rest() -> None:
    edition = edition_of(issue_of(45))
    assert len(edition.papers) == MAX_PAPERS
    assert edition.remaining == 5
    assert numbers(edition_of(issue_of(45), cursor=MAX_PAPERS)) == [41, 42, 43, 44, 45]


def test_the_overview_comes_even_if_the_first_paper_was_withdrawn() -> None:
    edition = next_daily(arrivals_of(issue_of(4))[1:], cursor=0)
    assert edition
    assert numbers(edition) == [2, 3]
    assert [part.name for part in edition.issues[0].parts] == ["overview"]


def late_addition() -> list[Arrival]:
    """Two issues, and then a paper that an edit added to the first one."""
    arrived = arrivals_of(issue_of(3), issue_of(2, start=AUGUST))
    late = Arrival(6, 6, 1, arrived[0].issue, paper(6), late=True)
    return [*arrived, late]


def test_a_late_paper_is_marked_and_brings_no_second_overview() -> None:
    edition = next_daily(late_addition(), cursor=5)
    assert edition
    assert [(unit.number, unit.late) for unit in edition.papers] == [(6, True)]
    assert edition.issues[0].parts == ()


def test_a_late_paper_is_not_marked_for_those_who_get_the_whole_issue() -> None:
    edition = compose(late_addition(), 0, WEEKLY)
    assert not any(unit.late for unit in edition.papers)
    assert [bool(unit.parts) for unit in edition.issues] == [True, True, False]


def test_an_issue_has_its_overview_wherever_its_oldest_paper_is() -> None:
    moved = [*arrivals_of(issue_of(3))[1:], arrivals_of(issue_of(3))[0]]
    edition = compose(moved, 0, COPY)
    assert [part.name for part in edition.issues[0].parts] == ["overview"]


def test_a_korean_edition_has_korean_texts_with_the_english_title_below() -> None:
    edition = edition_of(issue_of(1), language="ko")
    assert shown_parts(edition) == [[("intro", "ko"), ("abstract", "ko")]]
    (unit,) = edition.papers
    assert (unit.title, unit.subtitle, unit.title_language) == (
        "1번째 논문의 제목",
        "The title of paper 1",
        "ko",
    )


def test_an_edition_in_both_languages_has_each_part_in_korean_and_then_in_english() -> None:
    full = paper(intro_en=blocks("The introduction."))
    assert shown_parts(edition_of(issue_of([full]), language="both")) == [
        [("intro", "ko"), ("intro", "en"), ("abstract", "ko"), ("abstract", "en")]
    ]


def test_an_english_edition_names_korean_only_texts_and_opens_with_the_abstract() -> None:
    edition = edition_of(issue_of(1, summary=blocks("요약")), language="en")
    (unit,) = edition.papers
    assert [(part.name, part.language, part.opens) for part in unit.parts] == [("abstract", "en", True)]
    assert unit.elsewhere == ("intro",)
    (issue,) = edition.issues
    assert (issue.parts, issue.elsewhere) == ((), ("overview", "summary"))


def test_a_paper_without_texts_in_a_language_names_the_texts_that_are_elsewhere() -> None:
    korean_only = paper(abstract_en=())
    (unit,) = edition_of(issue_of([korean_only]), language="en").papers
    assert (unit.parts, unit.elsewhere) == ((), ("intro", "abstract"))
    (unit,) = edition_of(issue_of([korean_only]), language="both").papers
    assert unit.elsewhere == ()
