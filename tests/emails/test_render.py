"""Whole mails of any texts: within the limit, full, complete in order, safe, the same in both bodies."""

import re
from functools import cache
from itertools import product

import pytest
from hypothesis import given, settings

from emails.edition import Edition
from emails.rendering.fit import MAX_ORDINARY_BYTES
from emails.rendering.i18n import translate
from emails.rendering.render import MAX_HTML_BYTES, RenderError
from issues.parse.content import IssueContent, Link
from issues.parse.inline_html import inline_html
from issues.parse.post import parse
from issues.parse.text import Block
from paperboy.demo.sample.cook import cook_week
from paperboy.demo.sample.data import weeks
from tests.support.all_mails import large_issue
from tests.support.factories import blocks, edition_of, issue_of, paper, rendered
from tests.support.mail_reader import Mail, on_one_line, without_spaces
from tests.support.random_posts import editions

SHAPES = list(product((0, 1, 2), ("ko", "en", "both"), ("weekly", "daily")))
FULL = 0.85  # of the limit, where something had to be left out


def check_whole(edition: Edition) -> Mail:
    """What holds for every mail, whatever is in its texts."""
    mail = Mail(edition)
    assert mail.max_html_bytes <= MAX_HTML_BYTES
    assert mail.hrefs == mail.listed_urls
    assert not re.search(r"<(script|think)\b|<!--/?[a-z]\d", mail.html)
    assert mail.content.nonce not in mail.html + mail.text
    _check_papers(mail)
    _check_texts(mail)
    _check_left_out(mail)
    return mail


def _check_papers(mail: Mail) -> None:
    """Every paper has its title and links, in order and in both bodies."""
    language = mail.edition.language
    titles = [on_one_line(unit.title) or translate(language, "untitled") for unit in mail.edition.papers]
    assert [title.removesuffix("…") for title in mail.titles] == [
        title[: len(shown) - shown.endswith("…")] for title, shown in zip(titles, mail.titles, strict=True)
    ]
    at = 0
    for title in mail.titles:
        at = without_spaces(mail.text).index(f"#{bare(title)}", at)
    for unit in mail.edition.papers:
        assert {unit.url, unit.forum, *(link.url for link in unit.links)} <= mail.hrefs


def _check_texts(mail: Mail) -> None:
    """Whole blocks only, in order, each under its heading and marked with its language."""
    expected = [
        (
            text.part.language,
            translate(text.part.language, text.part.name),
            [without_spaces(block.text) for block in text.blocks],
        )
        for text in mail.parts
        if text.blocks
    ]
    assert mail.texts == expected
    read, at = without_spaces(mail.text), 0
    for _, heading, paragraphs in expected:
        for words in (f"##{bare(heading)}", *paragraphs):
            at = read.index(words, at) + len(words)
    assert mail.text.count("\n## ") == len(expected), "what is not shown has no heading"


def _check_left_out(mail: Mail) -> None:
    """What was left out is named, linked where it stands on the forum, and the room was used."""
    cut = [(web, [t for t in texts if t.left]) for web, texts in mail.units if any(t.left for t in texts)]
    assert [web for _, web in mail.left_out] == [web for web, _ in cut]
    for (line, _), (_, texts) in zip(mail.left_out, cut, strict=True):
        assert all(translate(mail.edition.language, text.part.name) in line for text in texts)
        assert without_spaces(line) in without_spaces(mail.text)
    fitted = mail.rendered.fitted
    if fitted.cuts and max(entry.needed for entry in fitted.cuts) < MAX_ORDINARY_BYTES:
        assert mail.max_html_bytes >= FULL * MAX_HTML_BYTES
    openings = [text for text in mail.parts if text.part.opens]
    sizes = [len(inline_html(text.part.blocks[0]).encode()) for text in openings]
    if sum(sizes) < 30_000 and len(mail.titles) <= 15:
        assert all(text.blocks for text in openings), "every paper is introduced"


# --- any text -----------------------------------------------------------------------


@settings(max_examples=120)
@given(editions())
def test_a_mail_of_any_texts_is_small_enough_complete_in_order_and_safe(edition: Edition) -> None:
    check_whole(edition)


@cache
def sample(number: int) -> IssueContent:
    week = weeks()[number]
    return parse(
        week.title, cook_week(week, "https://forum.example"), f"https://forum.example/t/{week.topic_id}"
    )


@pytest.mark.parametrize(("number", "language", "frequency"), SHAPES)
def test_a_weekly_post_of_every_period_makes_a_whole_mail(number: int, language: str, frequency: str) -> None:
    mail = check_whole(edition_of(sample(number), language=language, frequency=frequency))
    assert not mail.rendered.fitted.cuts or frequency == "weekly"


# --- more than a mail holds ---------------------------------------------------------


@pytest.mark.parametrize("language", ["ko", "en", "both"])
@pytest.mark.parametrize("papers", [15, 25])
def test_where_something_is_left_out_the_room_is_used(language: str, papers: int) -> None:
    mail = check_whole(edition_of(large_issue(papers), language=language))
    assert mail.rendered.fitted.cuts
    assert mail.max_html_bytes >= 0.95 * MAX_HTML_BYTES
    assert 0 <= mail.rendered.fill_placeholders - mail.max_html_bytes / MAX_HTML_BYTES < 0.03, (
        "what is reported never promises too little"
    )


@pytest.mark.parametrize("language", ["ko", "en", "both"])
def test_papers_of_one_size_are_shown_alike_and_openings_before_all_else(language: str) -> None:
    mail = Mail(edition_of(large_issue(), language=language))
    by_text: dict[tuple[str, str], list[int]] = {}
    for text in mail.parts:
        if text.part.name in {"intro", "abstract"}:
            by_text.setdefault((text.part.name, text.part.language), []).append(len(text.blocks))
    for (name, _), counts in by_text.items():
        # In the last round a longer block can be left out and a shorter one of another text shown.
        assert max(counts) - min(counts) <= 2, counts
        assert name == "abstract" or min(counts) >= 1


def test_a_line_about_what_was_left_out_names_each_text_once_and_says_of_which_the_beginning_is_there() -> (
    None
):
    begun = []
    for language in ("ko", "en", "both"):
        mail = check_whole(edition_of(large_issue(), language=language))
        cut = [[text for text in texts if text.left] for _, texts in mail.units]
        for (line, _), texts in zip(mail.left_out, filter(None, cut), strict=True):
            names = [translate(language, text.part.name) for text in texts]
            assert all(line.count(name) == names.count(name) for name in names)
            rest = max(translate(language, "rest_of", part="\x00").split("\x00"), key=len)
            begun += [bool(text.blocks) for text in texts]
            assert line.count(rest) == sum(bool(text.blocks) for text in texts)
            if language == "both":
                spoken = [t.part.language for t in texts if t.part.name not in {"overview", "summary"}]
                assert all(
                    line.count(translate(language, f"language_{name}")) == spoken.count(name)
                    for name in spoken
                )
    assert set(begun) == {True, False}


def test_forty_papers_make_a_mail_with_every_title_and_link() -> None:
    papers = [paper(number, links=(Link(f"https://code.example/{number}"),)) for number in range(1, 41)]
    for language in ("ko", "en", "both"):
        assert len(check_whole(edition_of(issue_of(papers), language=language)).titles) == 40


@pytest.mark.parametrize("language", ["ko", "en", "both"])
def test_a_paper_of_60_kilobytes_leaves_the_others_their_introductions_and_the_mail_full(
    language: str,
) -> None:
    huge = paper(
        1,
        intro_ko=blocks("아주 긴 소개입니다. " * 2_200),
        abstract_ko=blocks("긴 초록입니다. " * 3_000),
        abstract_en=blocks("A long abstract of many words. " * 4_000),
    )
    mail = check_whole(
        edition_of(issue_of([huge, *(paper(number) for number in range(2, 11))]), language=language)
    )
    first, *others = [texts for _, texts in mail.units if texts and texts[0].part.name != "overview"]
    assert first[0].blocks
    assert not [text for texts in others for text in texts if text.part.name == "intro" and text.left]
    assert mail.rendered.fitted.cuts
    assert mail.max_html_bytes >= FULL * MAX_HTML_BYTES


def test_papers_without_any_text_make_a_mail_of_titles_and_links() -> None:
    empty: dict[str, tuple[Block, ...]] = {"intro_ko": (), "abstract_ko": (), "abstract_en": ()}
    for language in ("ko", "en", "both"):
        edition = edition_of(
            issue_of([paper(number, **empty) for number in range(1, 6)], overview=()), language=language
        )
        mail = check_whole(edition)
        assert edition.parts == ()
        assert len(mail.titles) == 5
        assert mail.left_out == []


def test_what_cannot_fit_a_mail_even_without_its_texts_is_an_error_and_no_clipped_mail() -> None:
    long = {f"title_{language}": "a long title " * 20 for language in ("ko", "en")}
    links = tuple(Link(f"https://a.example/{'x' * 400}{number}") for number in range(20))
    crowded = issue_of([paper(number, links=links, **long) for number in range(1, 41)])
    with pytest.raises(RenderError, match="40 papers do not fit"):
        rendered(edition_of(crowded))


@pytest.mark.parametrize("language", ["ko", "en", "both"])
def test_the_worst_single_paper_still_makes_a_mail(language: str) -> None:
    address = "https://a.example/?" + "&" * 400
    worst = paper(
        1,
        title_ko="&" * 20_000,
        title_en="&" * 20_000,
        links=tuple(Link(f"{address}{number}", "&" * 5_000) for number in range(100)),
        intro_ko=blocks("&" * 90_000),
    )
    check_whole(edition_of(issue_of([worst], overview=()), language=language))


def test_a_list_stays_a_list_when_its_end_is_cut_off() -> None:
    items = blocks("앞 문단입니다.", *(f"- 항목 {number} " + "설명 " * 400 for number in range(60)))
    mail = check_whole(edition_of(issue_of([paper(1, intro_ko=items)])))
    shown = [node.text() for node in mail.tree.css("ul > li") if "항목" in node.text()]
    assert mail.rendered.fitted.cuts
    assert shown == [block.text for block in items[1 : len(shown) + 1]]
    assert not mail.tree.css("p > li, div > li, td > li, ul > ul")
    assert mail.html.count("<ul") == mail.html.count("</ul>") == 1


def test_a_list_of_which_nothing_has_room_leaves_no_empty_list() -> None:
    items = blocks("앞 문단입니다.", *(f"- 항목 {number} " + "설명 " * 30_000 for number in range(3)))
    mail = check_whole(edition_of(issue_of([paper(1, intro_ko=items)])))
    assert mail.rendered.fitted.cuts
    assert not mail.tree.css("ul")
