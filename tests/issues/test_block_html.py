"""Blocks as HTML: every text once, escaped, in the tags that say what it is, in mails and on pages alike."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from issues.parse.inline_html import blocks_html, inline_html, tagged_blocks
from issues.parse.text import Block, TextRun, table_of
from tests.support.random_posts import SNIPPETS, texts


def item(text: str, depth: int = 0, number: int = 0) -> Block:
    return Block("li", (TextRun(text),), depth, number)


@pytest.mark.parametrize(
    ("run", "html"),
    [
        (TextRun("a < b & c"), "a &lt; b &amp; c"),
        (TextRun("one\ntwo"), "one<br>two"),
        (TextRun("x", code=True), "<code>x</code>"),
        (TextRun("x", sup=True), "<sup>x</sup>"),
        (TextRun("x", sub=True), "<sub>x</sub>"),
        (TextRun("x", strike=True), "<s>x</s>"),
        (TextRun("x", italic=True), "<em>x</em>"),
        (TextRun("x", math=True), "<em>x</em>"),
        (TextRun("x", bold=True), "<strong>x</strong>"),
        (TextRun("x", href="https://a.example/?b&c"), '<a href="https://a.example/?b&amp;c">x</a>'),
    ],
)
def test_a_paragraph_has_each_format_as_its_tag_and_nothing_else(run: TextRun, html: str) -> None:
    assert blocks_html((Block("p", (run, TextRun(" end"))),)) == f"<p>{html} end</p>"


@pytest.mark.parametrize(
    ("blocks", "html"),
    [
        ((item("a"), item("b")), "<ul><li>a</li><li>b</li></ul>"),
        ((item("a", number=1), item("b", number=2)), "<ol><li>a</li><li>b</li></ol>"),
        ((item("a", number=3), item("b", number=4)), '<ol start="3"><li>a</li><li>b</li></ol>'),
        ((item("a", number=1), item("b", number=5)), '<ol><li>a</li><li value="5">b</li></ol>'),
        ((item("a", number=1), item("b", number=1)), "<ol><li>a<br>b</li></ol>"),
        ((item("a"), item("b", number=1)), "<ul><li>a</li></ul><ol><li>b</li></ol>"),
        ((item("a"), item("b", 1), item("c")), "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>"),
        ((item("a", 3), item("b", 7)), "<ul><li>a</li><li>b</li></ul>"),
        ((item("a", 9), item("b", 8)), "<ul><li>a</li><li>b</li></ul>"),
        (
            (item("a", 0, 1), item("b", 1), item("c", 0, 2)),
            "<ol><li>a<ul><li>b</li></ul></li><li>c</li></ol>",
        ),
        (
            (item("a"), item("b", 2), item("c", 1)),
            "<ul><li>a<ul><li>b</li></ul><ul><li>c</li></ul></li></ul>",
        ),
        ((item("a"), Block("p", (TextRun("b"),))), "<ul><li>a</li></ul><p>b</p>"),
    ],
)
def test_list_items_are_in_the_lists_that_their_depths_and_numbers_say(
    blocks: tuple[Block, ...], html: str
) -> None:
    assert blocks_html(blocks) == html


def _table(*rows: tuple[str, ...]) -> str:
    return blocks_html((table_of([[(TextRun(cell),) if cell else () for cell in row] for row in rows]),))


def test_a_table_of_several_rows_has_headings_and_one_of_a_single_row_has_none() -> None:
    assert _table(("a", ""), ("b", "c")) == (
        '<table class="data"><thead><tr><th scope="col">a</th><td></td></tr></thead>'
        "<tbody><tr><td>b</td><td>c</td></tr></tbody></table>"
    )
    assert _table(("a", "b")) == '<table class="data"><tbody><tr><td>a</td><td>b</td></tr></tbody></table>'


@pytest.mark.parametrize(
    ("letters", "columns", "names"),
    [
        (10, 3, "data"),
        (17, 2, "data"),
        (18, 2, "data dense"),
        (10, 4, "data dense"),
        (12, 5, "data dense crowded"),
    ],
)
def test_a_table_that_is_too_wide_for_a_phone_is_written_more_densely(
    letters: int, columns: int, names: str
) -> None:
    html = _table(("a" * letters,) * columns)
    assert html.startswith(f'<table class="{names}">')
    assert html.count(' class="long"') == (columns if letters > 10 else 0)
    hangul = _table(("가" * (letters // 2),) * columns)
    assert ("dense" in hangul) == ((2 + letters // 2 * 2) * columns > 38)
    assert "crowded" not in hangul


RUNS = st.builds(
    TextRun,
    SNIPPETS,
    bold=st.booleans(),
    italic=st.booleans(),
    code=st.booleans(),
    math=st.booleans(),
    sup=st.booleans(),
    sub=st.booleans(),
    strike=st.booleans(),
    href=st.sampled_from([None, "https://a.example/?a=1&b=2"]),
)


@given(st.lists(RUNS, max_size=5))
def test_a_text_in_html_reads_as_it_was_written_and_adds_no_markup(runs: list[TextRun]) -> None:
    block = Block("p", tuple(runs))
    body = LexborHTMLParser(f"<p>{inline_html(block)}</p>").css_first("body > p")
    assert body
    assert body.text() == "".join(run.text for run in runs)
    assert {node.tag for node in body.css("*")} - {"p"} <= {"strong", "em", "code", "a", "sup", "sub", "s"}
    assert {node.attributes["href"] for node in body.css("a")} == set(block.links)


@given(texts(8), st.integers(0, 8))
def test_html_stays_well_formed_when_the_last_blocks_are_left_out(
    blocks: tuple[Block, ...], kept: int
) -> None:
    pieces = []
    for index, block in enumerate(tagged_blocks(blocks)):
        pieces += [block.html] if index < kept else []
        pieces += [closing.tag for closing in block.closing if closing.opened_by < kept]
    html = "".join(pieces).replace("<br>", "<br/>")
    root = ElementTree.fromstring(f"<div>{html}</div>")  # noqa: S314  it is our own
    assert {node.tag for node in root} <= {"p", "ul", "ol", "table"}
    assert all(child.tag == "li" for node in root.iter() if node.tag in {"ul", "ol"} for child in node)
    words = "".join(run.text for block in blocks[:kept] for run in block.runs)
    assert "".join("".join(root.itertext()).split()) == "".join(words.split())
