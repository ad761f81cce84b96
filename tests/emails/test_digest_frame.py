"""What stands around the papers of a digest: ways to read and to leave, contents, days, marks and headings."""

import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emails.choose import editions_of_issue
from emails.compose import compose
from emails.message import Recipient, personalized
from emails.rendering.digest_view import ranges
from emails.rendering.i18n import translate
from issues.arrivals import Arrival
from tests.support.factories import (
    IDENTITY,
    NOW,
    arrivals_of,
    content_of_edition,
    edition_of,
    issue_of,
    paper,
)
from tests.support.mail_reader import Mail, languages, on_one_line, permalinks_of, without_spaces


def days_of(papers: list[Arrival], language: str, frequency: str = "daily") -> list[Mail]:
    """The mails in which the papers come, two a day."""
    slot = f"{frequency}:2025-08-04"
    editions = editions_of_issue(papers, slot=slot, language=language, frequency=frequency, daily_papers=2)
    return [Mail(edition) for edition in editions]


# --- opening, contents and end ------------------------------------------------------


@languages
def test_the_links_to_read_on_the_web_and_to_unsubscribe_stand_above_the_first_heading(language: str) -> None:
    content = content_of_edition(edition_of(issue_of(), language=language))
    html, text = personalized(content, Recipient("reader@example.org", "", "0" * 16, language), IDENTITY, NOW)
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
def test_both_bodies_end_with_how_to_change_pause_and_stop_and_with_why_the_mail_came(language: str) -> None:
    mail = Mail(edition_of(issue_of(), language=language, frequency="daily"))
    names = {
        "language": translate(language, f"language_{language}"),
        "frequency": translate(language, "daily"),
    }
    wanted = [translate(language, name) for name in ("change", "pause", "web", "unsubscribe", "source")]
    for body in (mail.visible_text, mail.text):
        end = without_spaces(body)[-1500:]
        for words in (*wanted, translate(language, "why", **names)):
            assert without_spaces(words) in end


@languages
def test_the_contents_list_each_paper_with_a_link_to_its_place_in_the_archive(language: str) -> None:
    papers = [paper(number, anchor=f"p-1-owl-{number}") for number in (1, 2, 3)]
    mail = Mail(edition_of(issue_of(papers), language=language))
    listed = [(on_one_line(node.text()), node.attributes["href"]) for node in mail.tree.css("ol > li > a")]
    webs = permalinks_of(mail.edition.issues[0], language)[1:]
    assert listed == [(unit.title, web) for unit, web in zip(mail.edition.papers, webs, strict=True)]
    assert len({web for _, web in listed}) == 3
    numbered = {found[1]: found[2] for found in re.finditer(r"(?m)^\[(\d+)\] (.+)$", mail.text)}
    lines = re.findall(r"(?m)^ *\d+\. (.*?) \[(\d+)\]", mail.text)
    assert [(title, numbered[number]) for title, number in lines] == listed


@languages
def test_a_daily_mail_says_which_of_how_many_papers_it_brings_and_which_come_tomorrow(language: str) -> None:
    mails = days_of(arrivals_of(issue_of(5)), language)
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
        told = mail.text.rpartition(f"# {translate(language, 'following')}")[2]
        assert all(title in told for title in after.titles)
        assert translate(language, "remaining", count=mail.edition.remaining) in mail.visible_text
        assert without_spaces(
            translate(language, "remaining", count=mail.edition.remaining)
        ) in without_spaces(mail.text)


@languages
def test_the_last_day_and_a_weekly_mail_announce_nothing_for_tomorrow(language: str) -> None:
    papers = arrivals_of(issue_of(4))
    for mail in (days_of(papers, language)[-1], *days_of(papers, language, "weekly")):
        headings = [node.text() for node in mail.tree.css("h2")]
        assert translate(language, "following") not in headings
        assert f"# {translate(language, 'following')}" not in mail.text


def test_a_weekly_mail_of_a_whole_issue_has_no_need_to_say_which_papers_it_brings() -> None:
    words = translate(
        "en", "portion", positions="\x00", total=3, start_month_name="July", start_day=28
    ).split("\x00")
    (mail,) = days_of(arrivals_of(issue_of(3)), "en", "weekly")
    assert words[1] not in mail.visible_text + on_one_line(mail.text)


def test_a_mail_of_one_paper_does_not_speak_of_papers() -> None:
    for frequency in ("weekly", "daily"):
        mail = Mail(edition_of(issue_of(1), language="en", frequency=frequency))
        assert "papers" not in mail.rendered.subject
        assert not re.search(r"\b(1|One|one) papers", mail.visible_text + mail.text)


@given(st.sets(st.integers(1, 30)))
def test_runs_of_numbers_are_drawn_together_and_read_back(numbers: set[int]) -> None:
    read: set[int] = set()
    stretches = [stretch.split("–") for stretch in ranges(numbers).split(", ") if stretch]
    for stretch in stretches:
        read |= set(range(int(stretch[0]), int(stretch[-1]) + 1))
    assert read == numbers
    for before, after in pairwise(stretches):
        assert int(after[0]) > int(before[-1]) + 1


# --- late, corrected and welcome ----------------------------------------------------


@languages
def test_a_late_and_a_corrected_paper_are_marked_in_both_bodies(language: str) -> None:
    first, second, third, fourth = arrivals_of(issue_of(4))
    chosen = [replace(second, corrected=True), third, replace(fourth, late=True)]
    mail = Mail(compose(chosen, first.number, slot="x", language=language, frequency="weekly"))
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
@pytest.mark.parametrize("frequency", ["weekly", "daily"])
def test_a_mail_of_additions_only_says_so_in_subject_and_heading(language: str, frequency: str) -> None:
    late = [replace(arrival, late=True) for arrival in arrivals_of(issue_of(4))[2:]]
    mail = Mail(compose(late, 2, slot="x", language=language, frequency=frequency))
    usual = Mail(compose(arrivals_of(issue_of(4))[2:], 2, slot="x", language=language, frequency=frequency))
    heading = translate(language, "heading_late", count=2)
    opening = translate(language, "opening_late", count=2)
    assert mail.tree.css_first("h1").text() == heading  # type: ignore[union-attr]
    assert without_spaces(heading) in without_spaces(mail.text)
    assert opening in mail.visible_text
    assert without_spaces(opening) in without_spaces(mail.text)
    assert heading not in usual.seen
    assert mail.rendered.subject != usual.rendered.subject


@languages
@pytest.mark.parametrize("frequency", ["weekly", "daily"])
def test_a_welcome_says_what_was_subscribed_to(language: str, frequency: str) -> None:
    papers = arrivals_of(issue_of(5))
    mail = Mail(
        editions_of_issue(
            papers, slot="x", language=language, frequency=frequency, daily_papers=2, purpose="welcome"
        )[0]
    )
    assert translate(language, f"opening_welcome_{frequency}") in mail.visible_text
    assert without_spaces(translate(language, f"opening_welcome_{frequency}")) in without_spaces(mail.text)
    assert mail.tree.css_first("h1").text() == translate(language, "heading_welcome")  # type: ignore[union-attr]
