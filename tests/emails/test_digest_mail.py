"""What stands where in a digest: marks, days and portions, pictures, links, languages, headings."""

import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mails import Mail, bare, squeezed, webs_of
from making import HOUSE, NOW, arrivals_of, blocks, content_of_edition, edition_of, issue_of, paper
from selectolax.lexbor import LexborHTMLParser
from wild import editions

from emails.edition import MAX_PICTURED, MIN_PICTURE, Edition, compose, portions
from emails.message import Reader, filled
from emails.writing.digest_page import PICTURE_WIDTH, ranges
from emails.writing.plain import WIDTH
from emails.writing.width import columns
from emails.writing.wording import say
from issues.arrivals import Arrival
from issues.outline import Picture
from issues.post import Link
from issues.text import has_hangul

LANGUAGES = ("ko", "en", "both")
languages = pytest.mark.parametrize("language", LANGUAGES)


def days_of(papers: list[Arrival], language: str, frequency: str = "daily") -> list[Mail]:
    """The mails in which the papers come, two a day."""
    slot = f"{frequency}:2025-08-04"
    editions = portions(papers, slot=slot, language=language, frequency=frequency, daily_papers=2)
    return [Mail(edition) for edition in editions]


# --- around the papers --------------------------------------------------------------


@languages
def test_the_links_to_read_on_the_web_and_to_unsubscribe_stand_above_the_first_heading(language: str) -> None:
    content = content_of_edition(edition_of(issue_of(), language=language))
    html, text = filled(content, Reader("reader@example.org", "", "0" * 16, language), HOUSE, NOW)
    for above in (
        html.partition("<h1")[0].rpartition("</title>")[2],
        text.partition(say(language, "brand"))[0],
    ):
        assert say(language, "web") in above
        assert say(language, "unsubscribe") in above
    above = html.partition("<h1")[0]
    assert re.search(r'href="https://paperboy\.example/u/[\w-]{22}"', above)
    assert f'href="{HOUSE.archive}/9001?text={language}"' in above


@languages
def test_both_bodies_end_with_how_to_change_pause_and_stop_and_with_why_the_mail_came(language: str) -> None:
    mail = Mail(edition_of(issue_of(), language=language, frequency="daily"))
    names = {"language": say(language, f"language_{language}"), "frequency": say(language, "daily")}
    wanted = [say(language, name) for name in ("change", "pause", "web", "unsubscribe", "source")]
    for body in (mail.seen, mail.text):
        end = bare(body)[-1500:]
        for words in (*wanted, say(language, "why", **names)):
            assert bare(words) in end


@languages
def test_the_contents_list_each_paper_with_a_link_to_its_place_in_the_archive(language: str) -> None:
    papers = [paper(number, anchor=f"p-1-owl-{number}") for number in (1, 2, 3)]
    mail = Mail(edition_of(issue_of(papers), language=language))
    listed = [(squeezed(node.text()), node.attributes["href"]) for node in mail.tree.css("ol > li > a")]
    webs = webs_of(mail.edition.issues[0], language)[1:]
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
        line = say(
            language, "portion", positions=positions, total=5, start_month_name=f"{week.start:%B}", **edges
        )
        assert line in mail.seen
        assert bare(line) in bare(mail.text)
    for mail, after in pairwise(mails):
        following = mail.tree.css("h2:not([lang]) ~ ul a[lang]")
        assert [node.text() for node in following] == after.titles
        assert {unit.forum for unit in after.edition.papers} <= mail.hrefs
        told = mail.text.rpartition(f"# {say(language, 'following')}")[2]
        assert all(title in told for title in after.titles)
        assert say(language, "remaining", count=mail.edition.remaining) in mail.seen
        assert bare(say(language, "remaining", count=mail.edition.remaining)) in bare(mail.text)


@languages
def test_the_last_day_and_a_weekly_mail_announce_nothing_for_tomorrow(language: str) -> None:
    papers = arrivals_of(issue_of(4))
    for mail in (days_of(papers, language)[-1], *days_of(papers, language, "weekly")):
        headings = [node.text() for node in mail.tree.css("h2")]
        assert say(language, "following") not in headings
        assert f"# {say(language, 'following')}" not in mail.text


def test_a_weekly_mail_of_a_whole_issue_has_no_need_to_say_which_papers_it_brings() -> None:
    words = say("en", "portion", positions="\x00", total=3, start_month_name="July", start_day=28).split(
        "\x00"
    )
    (mail,) = days_of(arrivals_of(issue_of(3)), "en", "weekly")
    assert words[1] not in mail.seen + squeezed(mail.text)


def test_a_mail_of_one_paper_does_not_speak_of_papers() -> None:
    for frequency in ("weekly", "daily"):
        mail = Mail(edition_of(issue_of(1), language="en", frequency=frequency))
        assert "papers" not in mail.rendered.subject
        assert not re.search(r"\b(1|One|one) papers", mail.seen + mail.text)


@given(st.sets(st.integers(1, 30)))
def test_runs_of_numbers_are_drawn_together_and_read_back(numbers: set[int]) -> None:
    read: set[int] = set()
    stretches = [stretch.split("–") for stretch in ranges(numbers).split(", ") if stretch]
    for stretch in stretches:
        read |= set(range(int(stretch[0]), int(stretch[-1]) + 1))
    assert read == numbers
    for before, after in pairwise(stretches):
        assert int(after[0]) > int(before[-1]) + 1


# --- late and corrected -------------------------------------------------------------


@languages
def test_a_late_and_a_corrected_paper_are_marked_in_both_bodies(language: str) -> None:
    first, second, third, fourth = arrivals_of(issue_of(4))
    chosen = [replace(second, corrected=True), third, replace(fourth, late=True)]
    mail = Mail(compose(chosen, first.number, slot="x", language=language, frequency="weekly"))
    marks = {2: say(language, "corrected"), 4: say(language, "late")}
    kickers = [squeezed(node.text()) for node in mail.tree.css("p") if re.match(r"\d / 4", node.text())]
    assert [re.sub(r"^\d / 4 ?", "", kicker) for kicker in kickers] == [marks[2], "", marks[4]]
    contents = [squeezed(node.text()) for node in mail.tree.css("ol > li")]
    for line, unit in zip(contents, mail.edition.papers, strict=True):
        assert line == unit.title + (f" ({marks[unit.number]})" if unit.number in marks else "")
    assert re.findall(r"(?m)^(\d) / 4(?: · (.*))?$", mail.text) == [
        ("2", marks[2]),
        ("3", ""),
        ("4", marks[4]),
    ]
    for number, mark in marks.items():
        (title,) = (unit.title for unit in mail.edition.papers if unit.number == number)
        assert re.search(rf"{title} \[\d+\] \({mark}\)", squeezed(mail.text))


@languages
@pytest.mark.parametrize("frequency", ["weekly", "daily"])
def test_a_mail_of_additions_only_says_so_in_subject_and_heading(language: str, frequency: str) -> None:
    late = [replace(arrival, late=True) for arrival in arrivals_of(issue_of(4))[2:]]
    mail = Mail(compose(late, 2, slot="x", language=language, frequency=frequency))
    usual = Mail(compose(arrivals_of(issue_of(4))[2:], 2, slot="x", language=language, frequency=frequency))
    heading = say(language, "heading_late", count=2)
    opening = say(language, "opening_late", count=2)
    assert mail.tree.css_first("h1").text() == heading  # type: ignore[union-attr]
    assert bare(heading) in bare(mail.text)
    assert opening in mail.seen
    assert bare(opening) in bare(mail.text)
    assert heading not in usual.seen
    assert mail.rendered.subject != usual.rendered.subject


@languages
@pytest.mark.parametrize("frequency", ["weekly", "daily"])
def test_a_welcome_says_what_was_subscribed_to(language: str, frequency: str) -> None:
    papers = arrivals_of(issue_of(5))
    mail = Mail(
        portions(papers, slot="x", language=language, frequency=frequency, daily_papers=2, purpose="welcome")[
            0
        ]
    )
    assert say(language, f"opening_welcome_{frequency}") in mail.seen
    assert bare(say(language, f"opening_welcome_{frequency}")) in bare(mail.text)
    assert mail.tree.css_first("h1").text() == say(language, "heading_welcome")  # type: ignore[union-attr]


# --- pictures and links -------------------------------------------------------------


@given(st.integers(1, 99_999), st.integers(1, 99_999), st.integers(0, 400))
def test_a_picture_fits_the_column_keeps_its_shape_and_serves_the_text(
    width: int, height: int, sentences: int
) -> None:
    pictured = paper(
        intro_ko=blocks("등대는 길을 비춥니다. " * sentences),
        pictures=(Picture("https://a.example/p.png", width, height),),
    )
    tree = Mail(edition_of(issue_of([pictured]))).tree
    for node in tree.css("img"):
        shown = int(node.attributes["width"] or 0), int(node.attributes["height"] or 0)
        assert MIN_PICTURE <= shown[0] <= min(width, PICTURE_WIDTH)
        assert 0 < shown[1] <= height
        assert abs(shown[0] * height / width - shown[1]) <= 1 + height / width
        assert node.attributes["src"] == "https://a.example/p.png"
    if sentences >= 300 and MIN_PICTURE <= width <= 4 * height and height <= width:
        assert tree.css("img"), "a long text has room for its picture"


@languages
def test_a_picture_has_a_text_in_its_place_and_the_text_part_needs_none(language: str) -> None:
    long = blocks("등대는 길을 비춥니다. " * 200)
    pictured = paper(
        intro_ko=long, abstract_en=long, pictures=(Picture("https://a.example/p.png", 690, 388),)
    )
    mail = Mail(edition_of(issue_of([pictured]), language=language))
    (node,) = mail.tree.css("img")
    assert node.attributes["alt"] == say(language, "picture", title=mail.titles[0])
    assert "p.png" not in mail.text


def test_a_picture_of_unknown_size_or_in_a_mail_of_many_papers_is_not_shown() -> None:
    long = blocks("등대는 길을 비춥니다. " * 200)

    def shown(papers: int, *size: int) -> int:
        picture = (Picture("https://a.example/p.png", *size),)
        made = [paper(number, intro_ko=long, pictures=picture) for number in range(1, papers + 1)]
        return len(Mail(edition_of(issue_of(made, overview=()))).tree.css("img"))

    assert shown(2, 690, 388) == 2
    assert shown(2, 0, 0) == 0
    assert shown(MAX_PICTURED + 1, 690, 388) == 0


@languages
def test_every_link_of_a_paper_says_what_is_there(language: str) -> None:
    linked = paper(
        anchor="p-1-owl-3",
        links=(
            Link("https://github.com/owl/nest/tree/main"),
            Link("https://www.owl.github.io/nest/"),
            Link("https://huggingface.co/owl/nest/blob/main/README.md"),
            Link("https://blog.example/2025/a-very-long-path", "Owl's own words"),
        ),
    )
    mail = Mail(edition_of(issue_of([linked]), language=language))
    wanted = [
        ("link_paper", "arxiv.org/abs/2508.00001", linked.url),
        ("link_code", "github.com/owl/nest", linked.links[0].url),
        ("link_project", "owl.github.io", linked.links[1].url),
        ("link_more", "huggingface.co/owl/nest", linked.links[2].url),
        ("link_more", "Owl's own words", linked.links[3].url),
        ("link_discuss", say(language, "discuss"), "https://forum.example/t/9001#p-1-owl-3"),
    ]
    numbers = {url: number for number, url in re.findall(r"(?m)^\[(\d+)\] (.+)$", mail.text)}
    at_html = at_text = 0
    for kind, label, url in wanted:
        at_html = mail.seen.index(f"{say(language, kind)}: {label}", at_html)
        at_text = mail.text.index(f"{say(language, kind)}: {label} [{numbers[url]}]", at_text)
        assert label in {squeezed(node.text()) for node in mail.tree.css(f'a[href="{url}"]')}


def test_a_link_is_called_by_its_korean_label_only_where_korean_is_read() -> None:
    labelled = paper(links=(Link("https://blog.example/글", "설명 글"),))
    for language, label in (("ko", "설명 글"), ("both", "설명 글"), ("en", "blog.example")):
        mail = Mail(edition_of(issue_of([labelled]), language=language))
        assert f"{say(language, 'link_more')}: {label}" in mail.seen
        assert f"{say(language, 'link_more')}: {label}" in mail.text


# --- languages ----------------------------------------------------------------------


@languages
def test_every_text_and_title_is_marked_with_its_language(language: str) -> None:
    full = paper(intro_en=blocks("The introduction."))
    mail = Mail(edition_of(issue_of([full]), language=language))
    root = mail.tree.css_first("html")
    assert root
    assert root.attributes["lang"] == ("en" if language == "en" else "ko")
    spoken = {heading: marked for marked, heading, _ in mail.texts}
    assert set(spoken.values()) == ({"ko", "en"} if language == "both" else {language})
    (title,) = mail.tree.css("h2[lang]")
    assert title.attributes["lang"] == ("en" if language == "en" else "ko")
    subtitles = [node.text() for node in mail.tree.css('p[lang="en"]')]
    assert subtitles == ([] if language == "en" else [full.title_en])


@settings(max_examples=40)
@given(editions())
def test_what_a_languages_mail_lacks_is_said_in_one_line_that_leads_to_the_web(edition: Edition) -> None:
    mail = Mail(edition)
    said = say(edition.language, "elsewhere", what="\x00").split("\x00")[0]
    lines = [node for node in mail.tree.css("p") if node.text().startswith(said)]
    lacking = [
        issue for issue in edition.issues if issue.elsewhere or any(unit.elsewhere for unit in issue.papers)
    ]
    assert len(lines) == len(lacking)
    for line, issue in zip(lines, lacking, strict=True):
        names = {*issue.elsewhere, *(name for unit in issue.papers for name in unit.elsewhere)}
        assert all(say(edition.language, name) in line.text() for name in names)
        other = "ko" if edition.language == "en" else "en"
        assert line.css_first("a").attributes["href"] == webs_of(issue, other)[0]  # type: ignore[union-attr]
        assert bare(line.text()) in bare(mail.text)


def test_an_english_mail_names_the_papers_whose_introductions_are_in_korean_only() -> None:
    translated = {3: blocks("An introduction.")}
    papers = [paper(number, intro_en=translated.get(number, ())) for number in range(1, 6)]
    mail = Mail(edition_of(issue_of(papers), language="en"))
    what = f"{say('en', 'overview')}, {say('en', 'intro')} (1–2, 4–5)"
    assert say("en", "elsewhere", what=what) in mail.seen


@pytest.mark.parametrize("frequency", ["weekly", "daily"])
def test_an_english_mail_has_no_korean_but_the_switch_of_language(frequency: str) -> None:
    korean_only = paper(
        3,
        title_en="",
        abstract_en=(),
        notes=blocks("코드는 곧 공개됩니다."),
        links=(Link("https://github.com/example/thing", "깃허브"), Link("https://demo.example/x")),
        pictures=(Picture("https://a.example/p.png", 690, 388),),
    )
    edition = edition_of(
        issue_of([paper(1), paper(2), korean_only], summary=blocks("요약입니다.")),
        language="en",
        frequency=frequency,
        daily_papers=0,
    )
    mail = Mail(edition)
    switch = say("en", "switch")
    for body in (mail.html, mail.text):
        assert body.count(switch) == 1
        assert not has_hangul(body.replace(switch, ""))
        assert "github.com/example/thing" in body
    assert not has_hangul(mail.rendered.subject)


def test_an_english_mail_with_only_korean_titles_still_has_a_subject_and_headings() -> None:
    mail = Mail(edition_of(issue_of([paper(1, title_en="")]), language="en"))
    assert mail.titles == [say("en", "untitled")]
    assert mail.rendered.subject.strip(" :")
    assert all(squeezed(node.text()) for node in mail.tree.css("h1, h2, h3, a, li"))


# --- form ---------------------------------------------------------------------------


def test_titles_from_the_forum_are_never_markup() -> None:
    hostile = paper(title_ko='<script>alert("제목")</script>', title_en="</h2><img src=x onerror=alert(1)>")
    for language in LANGUAGES:
        mail = Mail(edition_of(issue_of([hostile]), language=language))
        assert not mail.tree.css("script, img[src=x]")
        title = mail.tree.css_first("title")
        assert title
        assert title.text().strip() == mail.rendered.subject


@settings(max_examples=40)
@given(editions())
def test_headings_begin_with_one_of_the_first_level_and_skip_none(edition: Edition) -> None:
    levels = [int((node.tag or "")[1]) for node in LexborHTMLParser(Mail(edition).html).css("h1, h2, h3, h4")]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


@settings(max_examples=40)
@given(editions())
def test_a_line_of_the_text_part_is_no_wider_than_the_window_unless_one_word_is(edition: Edition) -> None:
    for line in Mail(edition).text.splitlines():
        assert (
            columns(line) <= WIDTH
            or len(re.sub(r"^ *([*#]|\d+\.)? *", "", line).split()) == 1
            or line[0] == "["
        )
