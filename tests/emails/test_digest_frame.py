"""The frame of a digest around its papers: links, contents, portions, marks and headings."""

import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.frequencies import Frequency
from core.languages import Language
from core.slots import WELCOME
from emails.choose import editions_of_issue
from emails.compose import compose
from emails.content import MailSpec
from emails.kinds import MailKind
from emails.message import PREVIEW_RECIPIENT, personalized
from emails.rendering.digest_view import ranges
from emails.rendering.i18n import translate
from issues.arrivals import Arrival
from tests.support.factories import (
    IDENTITY,
    NOW,
    arrivals_of,
    content_of_edition,
    digest_spec,
    edition_of,
    issue_of,
    paper,
)
from tests.support.mail_reader import Mail, languages, on_one_line, permalinks_of, without_spaces


def mails_of(papers: list[Arrival], language: Language, frequency: Frequency = Frequency.DAILY) -> list[Mail]:
    """The mails in which the papers come, two a day."""
    editions = editions_of_issue(papers, digest_spec(language, frequency), daily_papers=2)
    return [Mail(edition) for edition in editions]


# --- opening, contents and end ------------------------------------------------------


@languages
def test_the_web_and_unsubscribe_links_are_above_the_first_heading(language: Language) -> None:
    edition = edition_of(issue_of(), language=language)
    content = content_of_edition(edition)
    html, text = personalized(edition.spec, content, PREVIEW_RECIPIENT, IDENTITY, NOW)
    for above in (
        html.partition("<h1")[0].rpartition("</title>")[2],
        text.partition(translate(language, "brand"))[0],
    ):
        assert translate(language, "web") in above
        assert translate(language, "unsubscribe") in above
    above = html.partition("<h1")[0]
    assert re.search(r'href="https://paperboy\.example/u/[\w-]{22}"', above)
    assert f'href="{IDENTITY.archive}/9001?text={language}"' in above


@languages
def test_both_bodies_end_with_the_links_to_change_and_stop_and_the_reason_for_the_mail(
    language: Language,
) -> None:
    mail = Mail(edition_of(issue_of(), language=language, frequency="daily"))
    names = {
        "language": translate(language, f"language_{language}"),
        "frequency": translate(language, "daily"),
    }
    expected = [translate(language, name) for name in ("change", "pause", "web", "unsubscribe", "source")]
    for body in (mail.visible_text, mail.text):
        end = without_spaces(body)[-1500:]
        for phrase in (*expected, translate(language, "why", **names)):
            assert without_spaces(phrase) in end


@languages
def test_the_contents_list_each_paper_with_its_permalink_in_the_archive(language: Language) -> None:
    papers = [paper(number, anchor=f"p-1-owl-{number}") for number in (1, 2, 3)]
    mail = Mail(edition_of(issue_of(papers), language=language))
    listed = [(on_one_line(node.text()), node.attributes["href"]) for node in mail.tree.css("ol > li > a")]
    permalinks = permalinks_of(mail.edition.issues[0], language)[1:]
    assert listed == [
        (unit.title, permalink) for unit, permalink in zip(mail.edition.papers, permalinks, strict=True)
    ]
    assert len({permalink for _, permalink in listed}) == 3
    numbered = {found[1]: found[2] for found in re.finditer(r"(?m)^\[(\d+)\] (.+)$", mail.text)}
    lines = re.findall(r"(?m)^ *\d+\. (.*?) \[(\d+)\]", mail.text)
    assert [(title, numbered[number]) for title, number in lines] == listed


@languages
def test_a_daily_mail_says_which_papers_it_brings_and_which_come_tomorrow(language: Language) -> None:
    mails = mails_of(arrivals_of(issue_of(5)), language)
    assert len(mails) == 3
    for mail, positions in zip(mails, ("1–2", "3–4", "5"), strict=True):
        week = mail.edition.issues[0].week
        edges = {
            f"{edge}_{part}": getattr(day, part)
            for edge, day in (("start", week.start), ("end", week.end))
            for part in ("month", "day")
        }
        line = translate(
            language, "portion", positions=positions, total=5, start_month_name=f"{week.start:%B}", **edges
        )
        assert line in mail.visible_text
        assert without_spaces(line) in without_spaces(mail.text)
    for mail, after in pairwise(mails):
        following = mail.tree.css("h2:not([lang]) ~ ul a[lang]")
        assert [node.text() for node in following] == after.titles
        assert {unit.forum for unit in after.edition.papers} <= mail.hrefs
        announced = mail.text.rpartition(f"# {translate(language, 'following_daily')}")[2]
        assert all(title in announced for title in after.titles)
        assert translate(language, "remaining", count=mail.edition.remaining) in mail.visible_text
        assert without_spaces(
            translate(language, "remaining", count=mail.edition.remaining)
        ) in without_spaces(mail.text)


@languages
def test_the_last_daily_mail_and_a_weekly_mail_announce_nothing(language: Language) -> None:
    papers = arrivals_of(issue_of(4))
    for mail in (mails_of(papers, language)[-1], *mails_of(papers, language, Frequency.WEEKLY)):
        headings = [node.text() for node in mail.tree.css("h2")]
        assert translate(language, "following_daily") not in headings
        assert f"# {translate(language, 'following_daily')}" not in mail.text


def test_a_weekly_mail_of_a_whole_issue_does_not_say_which_papers_it_brings() -> None:
    _, portion = translate(
        Language.EN, "portion", positions="\x00", total=3, start_month_name="July", start_day=28
    ).split("\x00")
    (mail,) = mails_of(arrivals_of(issue_of(3)), Language.EN, Frequency.WEEKLY)
    assert portion not in mail.visible_text + on_one_line(mail.text)


def test_an_english_mail_of_one_paper_has_no_plural() -> None:
    for frequency in Frequency:
        mail = Mail(edition_of(issue_of(1), language="en", frequency=frequency))
        assert "papers" not in mail.content.subject
        assert not re.search(r"\b(1|One|one) papers", mail.visible_text + mail.text)


@given(st.sets(st.integers(1, 30)))
def test_consecutive_numbers_are_shown_as_ranges(numbers: set[int]) -> None:
    read: set[int] = set()
    spans = [span.split("–") for span in ranges(numbers).split(", ") if span]
    for span in spans:
        read |= set(range(int(span[0]), int(span[-1]) + 1))
    assert read == numbers
    for before, after in pairwise(spans):
        assert int(after[0]) > int(before[-1]) + 1


# --- late, corrected and welcome ----------------------------------------------------


@languages
def test_a_late_and_a_corrected_paper_are_marked_in_both_bodies(language: Language) -> None:
    first, second, third, fourth = arrivals_of(issue_of(4))
    chosen = [replace(second, corrected=True), third, replace(fourth, late=True)]
    mail = Mail(compose(chosen, first.number, digest_spec(language)))
    marks = {2: translate(language, "corrected"), 4: translate(language, "late")}
    kickers = [on_one_line(node.text()) for node in mail.tree.css("p") if re.match(r"\d / 4", node.text())]
    assert [re.sub(r"^\d / 4 ?", "", kicker) for kicker in kickers] == [marks[2], "", marks[4]]
    contents = [on_one_line(node.text()) for node in mail.tree.css("ol > li")]
    for line, unit in zip(contents, mail.edition.papers, strict=True):
        assert line == unit.title + (f" ({marks[unit.number]})" if unit.number in marks else "")
    assert re.findall(r"(?m)^(\d) / 4(?: · (.*))?$", mail.text) == [
        ("2", marks[2]),
        ("3", ""),
        ("4", marks[4]),
    ]
    for number, mark in marks.items():
        (title,) = (unit.title for unit in mail.edition.papers if unit.number == number)
        assert re.search(rf"{title} \[\d+\] \({mark}\)", on_one_line(mail.text))


@languages
@pytest.mark.parametrize("frequency", Frequency)
def test_a_mail_with_only_late_papers_says_so_in_subject_and_heading(
    language: Language, frequency: Frequency
) -> None:
    late = [replace(arrival, late=True) for arrival in arrivals_of(issue_of(4))[2:]]
    mail = Mail(compose(late, 2, digest_spec(language, frequency)))
    usual = Mail(compose(arrivals_of(issue_of(4))[2:], 2, digest_spec(language, frequency)))
    heading = translate(language, "heading_late", count=2)
    opening = translate(language, "opening_late", count=2)
    assert mail.tree.css_first("h1").text() == heading  # type: ignore[union-attr]
    assert without_spaces(heading) in without_spaces(mail.text)
    assert opening in mail.visible_text
    assert without_spaces(opening) in without_spaces(mail.text)
    assert heading not in usual.visible_text
    assert mail.content.subject != usual.content.subject


@languages
@pytest.mark.parametrize("frequency", Frequency)
def test_a_welcome_digest_says_what_was_subscribed_to(language: Language, frequency: Frequency) -> None:
    papers = arrivals_of(issue_of(5))
    spec = MailSpec(WELCOME, language, frequency, MailKind.WELCOME_DIGEST)
    mail = Mail(editions_of_issue(papers, spec, daily_papers=2)[0])
    assert translate(language, f"opening_welcome_{frequency}") in mail.visible_text
    assert without_spaces(translate(language, f"opening_welcome_{frequency}")) in without_spaces(mail.text)
    assert mail.tree.css_first("h1").text() == translate(language, "heading_welcome")  # type: ignore[union-attr]
