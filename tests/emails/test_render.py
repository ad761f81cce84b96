"""Whole mails with any texts: within the limit, full, in order, safe, and the same in both bodies."""

import re
from functools import cache
from itertools import product

import pytest
from hypothesis import given, settings

from core.frequencies import Frequency
from core.languages import Language
from emails.edition import Edition, Part
from emails.rendering.fit import MAX_ORDINARY_BYTES, TextKind, kind_of
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
from tests.support.mail_reader import Mail, languages, on_one_line, without_spaces
from tests.support.random_posts import editions

SAMPLES = list(product((0, 1, 2), Language, Frequency))


def checked_mail(edition: Edition) -> Mail:
    """Check what must hold for every mail, whatever its texts are."""
    mail = Mail(edition)
    assert mail.max_html_bytes <= MAX_HTML_BYTES
    assert mail.hrefs <= mail.listed_urls
    assert not re.search(r"<(script|think)\b|<!--/?[a-z]\d", mail.html)
    assert mail.content.nonce not in mail.html + mail.text
    _check_papers(mail)
    _check_texts(mail)
    _check_left_out(mail)
    return mail


def _check_papers(mail: Mail) -> None:
    """Every paper has its title, its gists and its links, in order and in both bodies."""
    language = mail.edition.spec.language
    titles = [on_one_line(unit.title) or translate(language, "untitled") for unit in mail.edition.papers]
    assert [title.removesuffix("…") for title in mail.titles] == [
        title[: len(shown) - shown.endswith("…")] for title, shown in zip(titles, mail.titles, strict=True)
    ]
    at = 0
    for title in mail.titles:
        at = without_spaces(mail.text).index(without_spaces(title), at) + 1
    for unit in mail.edition.papers:
        assert {unit.url or unit.forum, unit.forum, *(link.url for link in unit.links)} <= mail.hrefs
        for gist in unit.gists:
            assert on_one_line(gist.text) in mail.visible_text
            assert without_spaces(gist.text) in without_spaces(mail.text)


def _check_texts(mail: Mail) -> None:
    """Texts have whole blocks in order, under their headings, marked with their languages."""
    shown = [text for text in mail.parts if text.blocks]
    assert mail.texts == [
        (
            text.part.language,
            heading_of(text.part),
            without_spaces("".join(run.text for block in text.blocks for run in block.runs)),
        )
        for text in shown
    ]
    read, at = without_spaces(mail.text), 0
    for text in shown:
        passages = [passage for block in text.blocks for passage in passages_of(block)]
        for words in (f"##{without_spaces(heading_of(text.part))}", *passages):
            at = read.index(words, at) + len(words)
    assert mail.text.count("\n## ") == len(shown), "a text without blocks has no heading"


def heading_of(part: Part) -> str:
    return part.heading or translate(part.language, part.name)


def passages_of(block: Block) -> list[str]:
    """What the text part has of a block without interruption: its text, or the entries of a table's rows below the first."""
    if block.type != "table":
        return [without_spaces(block.text)]
    rows = block.rows[1:] or block.rows
    return [without_spaces("".join(run.plain for run in cell)) for row in rows for cell in row]


def _check_left_out(mail: Mail) -> None:
    """What was left out of an issue is named and linked, and papers are treated alike."""
    cut = [(link, [text for text in texts if text.left_out]) for link, texts in mail.by_issue]
    cut = [(link, texts) for link, texts in cut if texts]
    assert [link for _, link in mail.left_out] == [link for link, _ in cut]
    for (line, _), (_, texts) in zip(mail.left_out, cut, strict=True):
        assert all(name_in_note(text.part, mail) in line for text in texts)
        words = line.rpartition(" · ")[0]
        assert without_spaces(words) in without_spaces(mail.text)
    for counts in counts_by_kind(mail).values():
        most = max(count for count, _ in counts)
        assert all(count == min(most, length) for count, length in counts), counts


def name_in_note(part: Part, mail: Mail) -> str:
    return translate(mail.edition.spec.language, part.name)


def is_ordinary(block: Block) -> bool:
    """Whether a block is surely not of extraordinary size. Styles of tables and formats come on top."""
    return block.type != "table" and len(inline_html(block).encode()) < MAX_ORDINARY_BYTES / 5


def counts_by_kind(mail: Mail) -> dict[TextKind, list[tuple[int, int]]]:
    """For each kind, how many blocks are shown of each text without extraordinary blocks, and how many it has."""
    counts: dict[TextKind, list[tuple[int, int]]] = {}
    for text in mail.parts:
        if all(is_ordinary(block) for block in text.part.blocks):
            counts.setdefault(kind_of(text.part), []).append((len(text.blocks), len(text.part.blocks)))
    return counts


# --- any text -----------------------------------------------------------------------


@settings(max_examples=120)
@given(editions())
def test_a_mail_with_any_texts_fits_and_is_complete_in_order_and_safe(edition: Edition) -> None:
    checked_mail(edition)


@cache
def sample(number: int) -> IssueContent:
    week = weeks()[number]
    return parse(
        week.title, cook_week(week, "https://forum.example"), f"https://forum.example/t/{week.topic_id}"
    )


@pytest.mark.parametrize(("number", "language", "frequency"), SAMPLES)
def test_a_weekly_post_of_every_period_makes_a_complete_mail(
    number: int, language: str, frequency: str
) -> None:
    mail = checked_mail(edition_of(sample(number), language=language, frequency=frequency))
    assert not mail.rendered.fitted.left_out or frequency == "weekly"


# --- more than fits into a mail -----------------------------------------------------


@languages
@pytest.mark.parametrize("papers", [15, 25])
def test_the_reported_fill_is_that_of_the_widest_recipient(language: str, papers: int) -> None:
    mail = checked_mail(edition_of(large_issue(papers), language=language))
    assert mail.rendered.fitted.left_out
    assert -0.001 <= mail.rendered.fill - mail.max_html_bytes / MAX_HTML_BYTES < 0.03


@languages
def test_a_mail_that_cannot_hold_everything_leaves_out_abstracts_before_introductions(language: str) -> None:
    long = {"intro_en": blocks("A short introduction.")}
    long |= {f"abstract_{each}": blocks("초록은 Abstract 입니다. " * 400) for each in ("ko", "en")}
    mail = Mail(edition_of(issue_of([paper(number, **long) for number in range(1, 11)]), language=language))
    shown = [(text.part, bool(text.blocks)) for text in mail.parts]
    assert all(is_shown for part, is_shown in shown if part.opens)
    assert not all(is_shown for part, is_shown in shown if part.name == "abstract")


def test_a_note_names_each_kind_once_and_says_which_of_them_have_begun() -> None:
    rests = set()
    for language in Language:
        mail = checked_mail(edition_of(large_issue(), language=language))
        ((line, _),) = mail.left_out
        for kind in mail.rendered.fitted.left_out:
            texts = [text for text in mail.parts if kind_of(text.part) == kind]
            name = name_in_note(texts[0].part, mail)
            if language == "both" and kind.rank not in {"overview", "summary"}:
                name = translate(
                    language, "part_in", part=name, language=translate(language, f"language_{kind.language}")
                )
            assert line.count(name) == 1
            is_begun = any(text.blocks for text in texts)
            assert (translate(language, "rest_of", part=name) in line) == is_begun
            rests.add(is_begun)
    assert rests == {True, False}


def test_a_mail_of_forty_papers_has_every_title_and_link() -> None:
    papers = [paper(number, links=(Link(f"https://code.example/{number}"),)) for number in range(1, 41)]
    for language in Language:
        assert len(checked_mail(edition_of(issue_of(papers), language=language)).titles) == 40


@languages
def test_a_paper_of_60_kilobytes_does_not_displace_the_other_introductions(
    language: str,
) -> None:
    huge = paper(
        1,
        intro_ko=blocks("아주 긴 소개입니다. " * 2_200),
        abstract_ko=blocks("긴 초록입니다. " * 3_000),
        abstract_en=blocks("A long abstract of many words. " * 4_000),
    )
    mail = checked_mail(
        edition_of(issue_of([huge, *(paper(number) for number in range(2, 11))]), language=language)
    )
    openings = [text for text in mail.parts if text.part.opens]
    assert openings[0].blocks
    assert openings[0].left_out
    assert not [text for text in openings[1:] if text.left_out and len(text.part.blocks) == 1]


def test_a_mail_of_papers_without_texts_has_titles_and_links() -> None:
    empty: dict[str, tuple[Block, ...]] = {"intro_ko": (), "abstract_ko": (), "abstract_en": ()}
    for language in Language:
        edition = edition_of(
            issue_of([paper(number, **empty) for number in range(1, 6)], overview=()), language=language
        )
        mail = checked_mail(edition)
        assert edition.parts == ()
        assert len(mail.titles) == 5
        assert mail.left_out == []


def test_titles_and_links_that_do_not_fit_into_a_mail_are_an_error() -> None:
    long = {f"title_{language}": "a long title " * 20 for language in ("ko", "en")}
    links = tuple(Link(f"https://a.example/{'x' * 400}{number}") for number in range(20))
    crowded = issue_of([paper(number, links=links, **long) for number in range(1, 41)])
    with pytest.raises(RenderError, match="40 papers do not fit"):
        rendered(edition_of(crowded))


@languages
def test_the_worst_single_paper_fits_into_a_mail(language: str) -> None:
    url = "https://a.example/?" + "&" * 400
    worst = paper(
        1,
        title_ko="&" * 20_000,
        title_en="&" * 20_000,
        links=tuple(Link(f"{url}{number}", "&" * 5_000) for number in range(100)),
        intro_ko=blocks("&" * 90_000),
    )
    checked_mail(edition_of(issue_of([worst], overview=()), language=language))


def test_a_list_is_still_a_list_when_its_end_is_left_out() -> None:
    items = blocks("앞 문단입니다.", *(f"- 항목 {number} " + "설명 " * 400 for number in range(60)))
    mail = checked_mail(edition_of(issue_of([paper(1, intro_ko=items)])))
    shown = [node.text() for node in mail.tree.css("ul > li") if "항목" in node.text()]
    assert mail.rendered.fitted.left_out
    assert shown == [block.text for block in items[1 : len(shown) + 1]]
    assert not mail.tree.css("p > li, div > li, td > li, ul > ul")
    assert mail.html.count("<ul") == mail.html.count("</ul>") == 1


def test_a_list_without_room_for_any_item_is_left_out_completely() -> None:
    items = blocks("앞 문단입니다.", *(f"- 항목 {number} " + "설명 " * 30_000 for number in range(3)))
    mail = checked_mail(edition_of(issue_of([paper(1, intro_ko=items)])))
    assert mail.rendered.fitted.left_out
    assert not mail.tree.css("ul")
