"""The frame of a digest around its papers: links, the list, portions, marks and headings."""

import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language
from core.slots import WELCOME
from emails.choose import editions_of_issue
from emails.compose import compose
from emails.content import MailSpec
from emails.edition import days_covered
from emails.kinds import MailKind
from emails.message import PREVIEW_RECIPIENT, longest_placeholders, personalized
from emails.rendering.digest_view import ranges
from emails.rendering.i18n import translate
from emails.rendering.render import render
from emails.rendering.subject import short_dates
from issues.arrivals import Arrival
from issues.parse.content import Link
from tests.support.factories import (
    IDENTITY,
    NOW,
    arrivals_of,
    blocks,
    content_of_edition,
    digest_spec,
    edition_of,
    issue_of,
    paper,
)
from tests.support.mail_reader import Mail, languages, on_one_line, without_spaces


def mails_of(papers: list[Arrival], language: Language, frequency: Frequency = Frequency.DAILY) -> list[Mail]:
    """The mails in which the papers come, two a day."""
    editions = editions_of_issue(papers, digest_spec(language, frequency), daily_papers=2)
    return [Mail(edition) for edition in editions]


# --- masthead and footer ------------------------------------------------------------


@languages
def test_one_line_above_the_headline_has_the_name_the_week_the_kind_and_the_link_to_the_web(
    language: Language,
) -> None:
    mail = Mail(edition_of(issue_of(), language=language))
    start, end = days_covered(mail.edition.issues)
    facts = (short_dates(language, start, end), translate(language, "weekly"), translate(language, "web"))
    line = f"{IDENTITY.name} {' · '.join(facts)}"
    assert line in mail.visible_text
    above = mail.html.partition("<h1")[0]
    assert f'href="{IDENTITY.archive}/9001?text={language}"' in above
    assert "/u/" not in above + mail.text.partition("# ")[0], "settings and unsubscribing are in the footer"


@languages
@pytest.mark.parametrize("detail", Detail)
def test_both_bodies_end_with_why_the_mail_comes_what_can_be_chosen_and_who_sends_it(
    language: Language, detail: Detail
) -> None:
    mail = Mail(edition_of(issue_of(), language=language, frequency="daily", detail=detail))
    why = translate(
        language,
        "why",
        language=translate(language, f"language_{language}"),
        frequency=translate(language, "daily"),
        forum=IDENTITY.forum_names[language.frame],
    )
    other = "choose_brief" if detail == Detail.FULL else "choose_full"
    names = ("choose_weekly", other, "pause", "unsubscribe", "forwarded", "subscribe", "privacy")
    tagline = translate(language, "tagline", forum=IDENTITY.forum_names[language.frame])
    for body in (mail.visible_text, mail.text):
        end = without_spaces(body)[-1200:]
        for phrase in (why, tagline, *(translate(language, name) for name in names)):
            assert without_spaces(phrase) in end
    assert f"{IDENTITY.base_url}/privacy" in mail.hrefs
    assert [url for url in mail.hrefs if re.search(r"/u/[\w-]{22}$", url)]


def test_the_footer_names_the_address_and_the_contact_of_who_sends() -> None:
    identity = replace(IDENTITY, name="Weekly", contact="help@example.org", postal_address="1 Main St, Seoul")
    edition = edition_of(issue_of(), language="en")
    content = render(edition, identity, longest=longest_placeholders(identity)).content
    for body in (content.html, content.text):
        assert "1 Main St, Seoul" in body
        assert "mailto:help@example.org" in body
        assert "Weekly" in body
        assert "Paperboy" not in body


@languages
def test_the_text_part_begins_with_what_the_papers_do(language: Language) -> None:
    mail = Mail(edition_of(issue_of(), language=language))
    gist = mail.edition.papers[0].gists[0].text
    assert on_one_line(mail.text[:200]).startswith(gist)


# --- the list -----------------------------------------------------------------------


@languages
@pytest.mark.parametrize("detail", Detail)
def test_each_paper_has_its_title_gist_and_links_at_the_top(language: Language, detail: Detail) -> None:
    papers = [paper(number, links=(Link(f"https://github.com/a/{number}"),)) for number in (1, 2, 3)]
    mail = Mail(edition_of(issue_of(papers), language=language, detail=detail))
    links = {node.text(): node.attributes["href"] for node in mail.tree.css("h2 > a")}
    assert links == {unit.title: unit.url for unit in mail.edition.papers}
    top = mail.visible_text.partition(translate(language, "overview"))[0]
    for unit in mail.edition.papers:
        _, _, after = top.partition(f"{unit.number} {unit.title}")
        names = ("arXiv", "PDF", translate(language, "link_code"), translate(language, "link_discuss"))
        wanted = " ".join((*(gist.text for gist in unit.gists), " · ".join(names)))
        assert wanted in after


def test_the_links_of_a_paper_stand_with_it_in_the_text_part() -> None:
    mail = Mail(edition_of(issue_of(3)))
    entry = mail.text.partition(" 2. ")[2].partition(" 3. ")[0]
    (unit,) = (unit for unit in mail.edition.papers if unit.number == 2)
    assert f"arXiv: {unit.url}" in entry
    assert f"PDF: {unit.url.replace('/abs/', '/pdf/')}" in entry
    assert unit.forum in entry


@languages
def test_a_paper_alone_in_a_mail_is_no_list_and_has_its_title_once(language: Language) -> None:
    mail = Mail(edition_of(issue_of(1), language=language))
    (unit,) = mail.edition.papers
    assert [node.text() for node in mail.tree.css("h2[lang]")] == [unit.title]
    assert mail.texts


@languages
def test_a_brief_mail_has_the_list_and_the_overview_and_nothing_twice(language: Language) -> None:
    issue = issue_of(3, closing=blocks("다음 주에 만나요."))
    full, brief = (Mail(edition_of(issue, language=language, detail=detail)) for detail in Detail)
    assert [heading for _, heading, _ in brief.texts] == (
        [] if language == "en" else [translate(language, "overview")]
    )
    assert len(full.texts) > len(brief.texts)
    assert brief.titles == full.titles
    for unit in brief.edition.papers:
        headings = [on_one_line(node.text()) for node in brief.tree.css("h1, h2, h3")]
        assert headings.count(f"{unit.number} {unit.title}") == 1
        paragraphs = [node.text() for node in brief.tree.css("p")]
        assert all(paragraphs.count(gist.text) == 1 for gist in unit.gists)


@languages
def test_a_paper_without_a_gist_shows_none(language: Language) -> None:
    mail = Mail(edition_of(issue_of([paper(1, gist_ko="", gist_en=""), paper(2)]), language=language))
    without, other = mail.edition.papers
    assert not without.gists
    assert other.gists
    assert "None" not in mail.visible_text


def test_a_korean_mail_shows_the_english_gist_of_a_paper_that_has_no_other() -> None:
    mail = Mail(edition_of(issue_of([paper(1, gist_ko=""), paper(2)])))
    assert [gist.language for unit in mail.edition.papers for gist in unit.gists] == ["en", "ko"]
    assert [node.text() for node in mail.tree.css('p[lang="en"]')][1] == "We propose method 1."


# --- portions -----------------------------------------------------------------------


@languages
def test_a_daily_mail_says_which_papers_it_brings_and_which_come_tomorrow(language: Language) -> None:
    mails = mails_of(arrivals_of(issue_of(5)), language)
    assert len(mails) == 3
    for mail, positions in zip(mails, ("1–2", "3–4", "5"), strict=True):
        count = len(mail.edition.papers)
        line = translate(language, "portion", count=count, positions=positions, total=5)
        assert line in mail.visible_text
        assert without_spaces(line) in without_spaces(mail.text)
    for mail, after in pairwise(mails):
        following = mail.tree.css("h2:not([lang]) ~ ul a[lang]")
        assert [node.text() for node in following] == after.titles
        assert {unit.forum for unit in after.edition.papers} <= mail.hrefs
        announced = mail.text.rpartition(f"# {translate(language, 'following_daily')}")[2]
        assert all(title in announced for title in after.titles)
        remaining = translate(language, "remaining", count=mail.edition.remaining)
        assert remaining in mail.visible_text
        assert without_spaces(remaining) in without_spaces(mail.text)


@languages
def test_the_last_daily_mail_and_a_weekly_mail_announce_nothing(language: Language) -> None:
    papers = arrivals_of(issue_of(4))
    for mail in (mails_of(papers, language)[-1], *mails_of(papers, language, Frequency.WEEKLY)):
        headings = [node.text() for node in mail.tree.css("h2")]
        assert translate(language, "following_daily") not in headings
        assert f"# {translate(language, 'following_daily')}" not in mail.text


def test_an_english_mail_of_one_paper_has_no_plural() -> None:
    for frequency in Frequency:
        mail = Mail(edition_of(issue_of(1), language="en", frequency=frequency))
        assert "papers" not in mail.content.subject
        assert not re.search(r"\b(1|One|one) papers", mail.visible_text + mail.text)
    last = mails_of(arrivals_of(issue_of(3)), Language.EN)[-1]
    assert "paper 3 of 3" in last.visible_text


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
    headings = [on_one_line(node.text()) for node in mail.tree.css("h2")]
    for heading, unit in zip(headings, mail.edition.papers, strict=False):
        mark = marks.get(unit.number)
        assert heading == f"{unit.number} {unit.title}" + (f" {mark}" if mark else "")
        assert (f"{unit.title} ({mark})" in on_one_line(mail.text)) == bool(mark)


@languages
@pytest.mark.parametrize("frequency", Frequency)
def test_a_mail_with_only_late_papers_says_so_in_subject_and_beginning(
    language: Language, frequency: Frequency
) -> None:
    late = [replace(arrival, late=True) for arrival in arrivals_of(issue_of(4))[2:]]
    mail = Mail(compose(late, 2, digest_spec(language, frequency)))
    usual = Mail(compose(arrivals_of(issue_of(4))[2:], 2, digest_spec(language, frequency)))
    for phrase in (translate(language, "occasion_late"), translate(language, "opening_late", count=2)):
        assert phrase in mail.visible_text
        assert without_spaces(phrase) in without_spaces(mail.text)
        assert phrase not in usual.visible_text
    assert mail.content.subject != usual.content.subject


@languages
@pytest.mark.parametrize("frequency", Frequency)
def test_a_welcome_digest_says_what_was_subscribed_to(language: Language, frequency: Frequency) -> None:
    papers = arrivals_of(issue_of(5))
    spec = MailSpec(WELCOME, language, frequency, MailKind.WELCOME_DIGEST)
    mail = Mail(editions_of_issue(papers, spec, daily_papers=2)[0])
    opening = translate(language, f"opening_welcome_{frequency}")
    assert opening in mail.visible_text
    assert without_spaces(opening) in without_spaces(mail.text)
    assert translate(language, "occasion_welcome", name=IDENTITY.name) in mail.visible_text


def test_a_name_is_greeted_where_a_mail_has_an_opening_and_without_a_name_nothing_is() -> None:
    spec = MailSpec(WELCOME, Language.KO, Frequency.WEEKLY, MailKind.WELCOME_DIGEST)
    (edition,) = editions_of_issue(arrivals_of(issue_of(1)), spec, daily_papers=2)
    content = content_of_edition(edition)
    for name, greeting in (("김민지", "김민지 님, 안녕하세요. 구독해"), ("", "구독해")):
        recipient = PREVIEW_RECIPIENT._replace(name=name)
        html, text = personalized(spec, content, recipient, IDENTITY, NOW)
        assert f">{greeting}" in html
        assert f"\n{greeting}" in text
