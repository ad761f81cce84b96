"""Texts become readable: leftovers of LaTeX are replaced, very long paragraphs split, and runs written as HTML."""

import re
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from issues.parse.inline_html import inline_html
from issues.parse.readable import readable, readable_blocks
from issues.parse.text import Block, TextRun
from tests.support.random_posts import SNIPPETS

MAX_PARAGRAPH_BYTES = 6_000  # a mail can leave out a paragraph of this size without losing much
SENTENCES = (
    "추론 모델은 답을 찾은 뒤에도 다른 풀이를 계속 시도합니다. ",
    "Smith et al. show in Fig. 3 that 3.5 points (e.g. on MATH) are gained. ",
    "정말 그럴까요? ",
    "“Is it so?” they ask, and answer with No. 7 of their tables! ",
    "이 방법(Owl)은 arXiv 2508.00001에 실렸습니다… ",
    "Models by A. B. Baker waste less; see https://a.example/v1.2 for code. ",
)


@st.composite
def sentences(draw: st.DrawFn) -> list[list[TextRun]]:
    """Sentences as runs of many styles; together they are several times longer than a paragraph may be."""
    chosen = draw(st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=6))
    if draw(st.booleans()):
        chosen.append("쉬지 않고 이어지는 문장이 " * 300 + "있습니다. ")
    made = []
    for sentence in chosen:
        cut = draw(st.integers(1, len(sentence) - 1))
        style = {"bold": draw(st.booleans()), "href": draw(st.sampled_from([None, "https://a.example/"]))}
        made.append([TextRun(sentence[:cut], **style), TextRun(sentence[cut:])])  # type: ignore[arg-type]
    length = sum(len(sentence.encode()) for sentence in chosen)
    return made * (60_000 // length + 1)


def styled_characters(blocks: tuple[Block, ...]) -> list[tuple[str, bool, str | None]]:
    """Every character but spaces, with its style."""
    return [
        (character, run.bold, run.href)
        for block in blocks
        for run in block.runs
        for character in run.text
        if not character.isspace()
    ]


def without_spaces(text: str) -> str:
    return "".join(text.split())


@settings(max_examples=40)
@given(sentences())
def test_a_very_long_paragraph_is_split_between_sentences_and_loses_nothing(
    written: list[list[TextRun]],
) -> None:
    block = Block("p", tuple(run for sentence in written for run in sentence))
    pieces = readable_blocks([block])
    assert styled_characters(pieces) == styled_characters((block,)), (
        "every character keeps its order and style"
    )
    texts = ["".join(run.text for run in sentence) for sentence in written]
    ends = set(accumulate(len(without_spaces(sentence)) for sentence in texts))
    assert set(accumulate(len(without_spaces(piece.text)) for piece in pieces)) <= ends
    single = {without_spaces(sentence) for sentence in texts}
    for piece in pieces:
        assert piece.type == "p"
        assert len(piece.text.encode()) <= MAX_PARAGRAPH_BYTES or without_spaces(piece.text) in single
        assert piece.text == piece.text.strip()


def test_the_parts_of_a_split_paragraph_are_as_long_as_allowed() -> None:
    sentence = "추론 모델은 답을 찾은 뒤에도 다른 풀이를 계속 시도합니다. "
    *full_pieces, _ = readable_blocks([Block("p", (TextRun(sentence * 700),))])
    assert all(
        len(piece.text.encode()) + len(sentence.encode()) > MAX_PARAGRAPH_BYTES for piece in full_pieces
    )


@pytest.mark.parametrize(
    "block",
    [
        Block("li", (TextRun("항목도 길어질 수 있습니다. " * 2_000 + "끝"),)),
        Block("p", (TextRun("끝이 없는 문장은 나눌 곳이 없고 " * 2_000 + "끝"),)),
        Block("p", (TextRun("이만하면 한 문단입니다. " * 100 + "끝."),)),
    ],
)
def test_list_items_very_long_sentences_and_ordinary_paragraphs_are_not_split(block: Block) -> None:
    (piece,) = readable_blocks([block])
    assert (piece.type, piece.text) == (block.type, block.text)


def test_a_paragraph_of_only_an_empty_command_is_dropped() -> None:
    assert readable_blocks([Block("p", (TextRun(r"\textbf{}"),))]) == ()


# --- leftovers of LaTeX -------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (r"\textbf{Gardener} prunes 35\% of $x$", "Gardener prunes 35% of x"),
        (r"``quoted'' and \emph{stressed}", "“quoted” and stressed"),
        (r"from $5 to $10 a month", "from $5 to $10 a month"),
        (r"$\alpha \leq \beta$", "α ≤ β"),
        (r"see \href{https://a.example/x}{the code}", "see the code"),
        (r"\url{https://a.example/x}", "https://a.example/x"),
        (r"A\&B \textit{in \%}", "A&B in %"),
        (r"a path C:\temp\total", r"a path C:\temp\total"),
    ],
)
def test_leftovers_of_latex_become_the_text_that_was_meant(written: str, expected: str) -> None:
    assert readable(Block("p", (TextRun(written),))).text == expected


def test_a_style_command_of_latex_becomes_the_style() -> None:
    runs = readable(
        Block("p", (TextRun(r"\textbf{b} \emph{i} \texttt{c} $x_1$ \href{https://a.example/}{l}"),))
    ).runs
    assert {run.text for run in runs if run.bold} == {"b"}
    assert {run.text for run in runs if run.italic} == {"i"}
    assert {run.text for run in runs if run.code} == {"c"}
    assert {run.text for run in runs if run.math} == {"x_1"}
    assert {(run.text, run.href) for run in runs if run.href} == {("l", "https://a.example/")}


def test_an_address_in_latex_that_the_forum_linked_stays_that_link() -> None:
    cooked = (
        TextRun(r"Code: \href{"),
        TextRun("https://a.example/", href="https://a.example/"),
        TextRun("}{here}."),
    )
    assert readable(Block("p", cooked)).text == "Code: https://a.example/here."
    assert readable(Block("p", cooked)).links == ("https://a.example/",)


def test_a_latex_command_never_makes_a_link_that_runs_code() -> None:
    assert readable(Block("p", (TextRun(r"\href{javascript:alert(1)}{press}"),))).links == ()


def test_code_is_left_as_it_is() -> None:
    code = Block("p", (TextRun(r"\textbf{x} $y$ ``z''", code=True),))
    assert readable(code) == code


@given(st.text(alphabet=st.sampled_from(r"ab가 \{}$`'%_&"), max_size=80))
def test_letters_keep_their_order_whatever_commands_stand_between_them(text: str) -> None:
    letters = re.sub(r"[^ab가]", "", text)
    assert re.sub(r"[^ab가]", "", readable(Block("p", (TextRun(text),))).text) == letters


# --- HTML ---------------------------------------------------------------------------

RUNS = st.builds(
    TextRun,
    SNIPPETS,
    bold=st.booleans(),
    italic=st.booleans(),
    code=st.booleans(),
    math=st.booleans(),
    href=st.sampled_from([None, "https://a.example/?a=1&b=2"]),
)


@given(st.lists(RUNS, max_size=5))
def test_a_text_in_html_reads_as_it_was_written_and_adds_no_markup(runs: list[TextRun]) -> None:
    block = Block("p", tuple(runs))
    body = LexborHTMLParser(f"<p>{inline_html(block)}</p>").css_first("body > p")
    assert body
    assert body.text() == block.text
    assert {node.tag for node in body.css("*")} - {"p"} <= {"strong", "em", "code", "a"}
    assert {node.attributes["href"] for node in body.css("a")} == set(block.links)


def test_a_line_break_inside_a_paragraph_stays_a_line_break() -> None:
    assert inline_html(Block("p", (TextRun("한 줄\n두 줄"),))) == "한 줄<br>두 줄"
