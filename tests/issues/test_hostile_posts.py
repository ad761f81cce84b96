"""Posts that were written to do harm: no text is multiplied, nothing recurses, and no sign stops a mail."""

import json
from collections.abc import Iterator
from html import escape, unescape
from itertools import product
from random import Random
from typing import Any
from urllib.parse import unquote

import pytest

from core.characters import storable
from issues.parse.content import IssueContent
from issues.parse.html_limits import check_size
from issues.parse.post import parse
from issues.parse.readable import readable_blocks
from issues.parse.text import Block, TextError
from issues.serialize import content_from_json, issue_to_json
from mailings.trial_rendering import faults_of
from tests.support.factories import IDENTITY, content_of_edition, edition_of
from tests.support.post_html import TITLE, URL, paper_html, post_html

# Two of them, in every order, can begin or end whatever the parser and the LaTeX clean-up know.
SIGNS = "a논 \n/<>&\"'`$\\{}^_*.[~0"
SNIPPETS = [
    "**a ", "$a$", "``", "''", "\\href{", "\\textbf{", "<", "<b>", "<p>", "<li>", "<h2>x</h2>", "<h3>논문 소개</h3>",
    "<hr>", "[^1]", "<sup>", "<td>", "<a href=x>", "&#x41;", " / ", "5/6 ~ 7/8 ", "e\u0301", "👩\u200d", "\ud800",
    "<sup><sub>x", "1a:\\", "총 5편이 ", "<p><b>", "</x><i>", "<!--", "http://a.b ",
]  # fmt: skip
NOT_STORABLE = (
    "&#11; &#12; \x0b \x0c &#xFFFE; \ufffe &#xFFFF; &#0; &#27; &#x85; &#xD800; \u202e \u2066 \ufdd0"
)


def texts_of(content: IssueContent) -> Iterator[tuple[Block, ...]]:
    """Every text of an issue."""
    yield from (content.overview, content.summary, content.closing)
    for paper in content.papers:
        yield from (paper.intro_ko, paper.intro_en, paper.abstract_ko, paper.abstract_en, paper.notes)
        yield from (text for section in paper.sections for text in (section.ko, section.en))


def letters_of(blocks: tuple[Block, ...]) -> int:
    """How many characters a text has."""
    return sum(len(run.text) for block in blocks for run in block.runs)


def strings_in(value: Any) -> Iterator[str]:
    """Every string in a JSON value, with the keys of its objects."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in (*value, *value.values()):
            yield from strings_in(part)
    elif isinstance(value, list):
        for part in value:
            yield from strings_in(part)


def check_sums(html: str) -> IssueContent:
    """The parsed post, whose texts together are not longer than the post, also when they are made readable."""
    content = parse(TITLE, html, URL)
    for blocks in texts_of(content):
        assert letters_of(readable_blocks(blocks)) <= letters_of(blocks)
    assert sum(letters_of(blocks) for blocks in texts_of(content)) <= len(html)
    return content


# --- sizes --------------------------------------------------------------------------


@pytest.mark.parametrize("one", SIGNS)
def test_a_post_of_any_two_signs_is_not_longer_than_it_was(one: str) -> None:
    random = Random(one)  # noqa: S311  no secret
    for other in SIGNS:
        for body in (
            (one + other) * 500,
            one * 500 + other * 500,
            "".join(random.choices(one + other, k=1000)),
        ):
            check_sums(body)
            check_sums(post_html(paper_html(intro=f"<p>글</p><p>{body}")))


@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(len(SNIPPETS)))
def test_a_post_of_one_snippet_is_not_longer_than_it_was(snippet: str) -> None:
    body = snippet * (10_000 // len(snippet))
    check_sums(body)
    check_sums(post_html(paper_html(intro=f"<p>글</p><p>{body}")))
    parse(f"{TITLE} {body[:4000]}", post_html(), URL)


@pytest.mark.parametrize(("marks", "size"), [(1000, 50_000), (5000, 1000)])
def test_references_to_a_footnote_do_not_multiply_it(marks: int, size: int) -> None:
    mark = '<sup class="footnote-ref"><a href="#fn-1">[1]</a></sup>'
    note = f'<ol class="footnotes-list"><li id="fn-1"><p>{"글" * (size // 3)}</p></li></ol>'
    in_text = check_sums(post_html(paper_html(intro=f"<p>글{mark * marks}</p>")) + note)
    assert sum(block.text.count("글" * 100) for block in in_text.papers[0].intro_ko) == size // 300
    check_sums(post_html(paper_html(intro=f"<ul>{f'<li>글{mark}</li>' * marks}</ul>")) + note)


def test_footnotes_that_refer_to_each_other_are_read_once() -> None:
    mark = '<sup class="footnote-ref"><a href="#fn-{}">x</a></sup>'
    notes = "".join(
        f'<li id="fn-{n}"><p>{n} {mark.format(n + 1)}{mark.format((n + 2) % 40)}</p></li>' for n in range(40)
    )
    check_sums(
        post_html(paper_html(intro=f"<p>글{mark.format(0)}</p>")) + f'<ol class="footnotes-list">{notes}</ol>'
    )


@pytest.mark.parametrize("depth", [2, 8, 20])
def test_tables_in_tables_do_not_multiply_their_text(depth: int) -> None:
    table = "<table><tr><td>" * depth + "글 " * 1000 + "</td></tr></table>" * depth
    check_sums(post_html(paper_html(intro=f"<p>글</p>{table}")))


@pytest.mark.parametrize(
    "html",
    [
        "<div>" + "".join(f"<b id={n}>" for n in range(90)) + "</div>" + "<p>x</p>" * 60_000,
        "<div>" + "".join(f"<b id={n}></x>" for n in range(3000)) + "</div>" + "<p>x</p>" * 8000,
        "</x>" * 9000 + "<div>" * 9000,
        "<p-x>" * 9000,
        "<textarea>" + "".join(f'<a id={n} title="</textarea>">' for n in range(3000)),
        "<b " + " ".join(f"a{n}" for n in range(70_000)) + ">",
        '<b t=">" ' + " ".join(f"a{n}" for n in range(70_000)) + ">",
    ],
    ids=range(7),
)
def test_html_that_the_parser_would_blow_up_is_refused_before_it_is_parsed(html: str) -> None:
    with pytest.raises(TextError):
        check_size(html)
    assert parse(TITLE, html, URL).problems


# --- recursion ----------------------------------------------------------------------


DEEP = [
    "$a$ " * 1000,
    "<b>" * 1000 + "x" + "</b>" * 1000,
    "<ul><li>" * 1000 + "x" + "</li></ul>" * 1000,
    "<blockquote>" * 1000 + "<p>x</p>" + "</blockquote>" * 1000,
    "\\textbf{" * 1000 + "x" + "}" * 1000,
    "\\href{https://a.b/}{" * 1000 + "x" + "}" * 1000,
    "$\\text{" * 1000 + "}$" * 1000,
    "<sup>" * 90 + "x<br>" * 1000 + "</sup>" * 90,
    "<ul><li>" + "<p>x</p>" * 2000 + "</li></ul>",
]


def test_nothing_recurses_and_what_is_too_deep_is_held() -> None:
    posts = [post_html(paper_html(intro=f"<p>글</p>{intro}")) for intro in DEEP]
    contents = dict(enumerate(check_sums(html) for html in posts))
    held = {number for number, content in contents.items() if content.problems}
    assert held == {1, 2, 3}
    assert all("too many open tags" in contents[number].problems[0] for number in held)
    coming = {number: (URL, content) for number, content in contents.items() if number not in held}
    assert not faults_of(coming, identity=IDENTITY, daily_papers=2)


# --- signs --------------------------------------------------------------------------


def test_signs_that_no_mail_can_hold_are_neither_stored_nor_fatal() -> None:
    bad = NOT_STORABLE
    intro = (
        f"<p>글 {bad}</p><p><code>a{bad}b</code></p><pre>a{bad}b</pre><p>$a{bad}b$</p><ul><li>{bad}x</li></ul>"
        f'<p><a href="https://a.b/x{bad.replace(" ", "")}y">글{bad}</a></p><table><tr><td>{bad}x</td></tr></table>'
    )
    more = f'<p>글 {bad} <a href="https://a.b/c&#xFFFE;d&#11;">x</a></p>'
    html = post_html(paper_html(f"올빼미{bad} / Owl{bad}", intro=intro, more=more))
    content = parse(f"{TITLE} {bad}", html, URL)
    stored = json.loads(json.dumps(issue_to_json(content)))
    assert not [text for text in strings_in(stored) if storable(text) != text]
    assert content.papers[0].links[0].url == "https://a.b/cd"
    restored = content_from_json(stored)
    assert not faults_of({1: (URL, restored)}, identity=IDENTITY, daily_papers=2)


@pytest.mark.parametrize(
    "word",
    ["Cafe\u0301", "a\u200db", "❤\ufe0f", "ภาษาไทยก็", "हिन्दी", "עִבְרִית", "\u1112\u1161\u11ab", "👩\u200d💻"],
)
def test_an_address_in_any_script_is_the_same_in_the_mail(word: str) -> None:
    url = f"https://ko.wikipedia.org/wiki/{word}?q={word}#{word}"
    link = f'<p><a href="{escape(url)}">{word}</a></p>'
    html = post_html(paper_html(intro=f"<p>글입니다.</p>{link}", link=link, more=link))
    content = parse(TITLE, html, URL)
    for language in ("ko", "both"):
        mail = content_of_edition(edition_of(content, language=language))
        addresses = [unescape(part.partition('"')[0]) for part in mail.html.split('href="')[1:]]
        assert all(address.isascii() for address in addresses)
        assert sum(unquote(address) == url for address in addresses) >= 2
        assert "\\u{" not in mail.html


def test_a_host_in_hangul_is_mailed_in_ascii() -> None:
    link = '<p><a href="https://논문.한국/길">x</a></p>'
    paper = parse(TITLE, post_html(paper_html(link=link)), URL).papers[0]
    assert paper.url == "https://xn--s80bq8p.xn--3e0b707e/%EA%B8%B8"


def test_a_title_with_combining_signs_is_the_same_everywhere_in_the_mail() -> None:
    html = post_html(paper_html("올빼미 Cafe\u0301 हिन्दी / Owl Cafe\u0301 हिन्दी"))
    for language, frequency in product(("ko", "en", "both"), ("weekly", "daily")):
        mail = content_of_edition(edition_of(parse(TITLE, html, URL), language=language, frequency=frequency))
        assert "\\u{" not in mail.html


def test_a_title_stays_on_one_line() -> None:
    html = post_html(paper_html("올빼미&#10;&#11;x / Owl&#13;&#10;Bcc: a@b.example"))
    paper = parse(TITLE, html, URL).papers[0]
    assert (paper.title_ko, paper.title_en) == ("올빼미 x", "Owl Bcc: a@b.example")
