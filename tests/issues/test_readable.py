"""Texts become readable: leftovers of LaTeX are replaced, and very long paragraphs and tables split."""

import re
from itertools import accumulate
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from issues.parse.readable import readable, readable_blocks
from issues.parse.text import Block, TextRun, table_of

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
    assert len(full_pieces) >= 2
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
        (r"\textbf{a \emph{nested $x$} b} c", "a nested x b c"),
        (r"`single' and the models' own, it's", "‘single’ and the models' own, it's"),
        (r"\theta \gg 0, x \in A, a \neq b \ldots", "θ ≫ 0, x ∈ A, a ≠ b …"),
        (r"\textless 5\textgreater\textbackslash{}\textasciitilde{}x", "< 5>\\~x"),
        (r"$10^6$, $10^{-3}$, $x_{1}$, $90^\circ$", "10⁶, 10⁻³, x₁, 90°"),
        (r"$10^60$ and $x^{th}$ and $y_{max}$", "10^60 and x^{th} and yₘₐₓ"),
        (r"outside 10^6 and x_1", "outside 10^6 and x_1"),
        (r"2\textsuperscript{6} and 1\textsuperscript{st}", "2⁶ and 1^(st)"),
        (r"$$E = mc^2$$", "E = mc²"),
        (r"\textbf{never closed, {a} and b", r"\textbf{never closed, {a} and b"),
        (r"a}{b} and $x", "a}{b} and $x"),
        (r"from $5-$10 to $5K/$10K", "from $5-$10 to $5K/$10K"),
        (r"\href{mailto:a@b.example}{mail}", r"\href{mailto:a@b.example}{mail}"),
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
    assert {run.text for run in runs if run.math} == {"x₁"}
    assert {(run.text, run.href) for run in runs if run.href} == {("l", "https://a.example/")}


URL = "https://a.example/x_y"


@pytest.mark.parametrize(
    ("cooked", "label", "address"),
    [
        # What Discourse's linkifier makes: it stops at a single brace and shows an address decoded.
        ([r"\href{", (URL, URL), "}{here}."], "here", URL),
        ([r"\url{", (URL, URL), "}."], URL, URL),
        ([r"\href{", (r"https://a.example/x\_y", "https://a.example/x%5C_y"), "}{here}."], "here", URL),
        ([r"\url{", ("a.example/b", "http://a.example/b"), "}."], "a.example/b", "http://a.example/b"),
        (
            [r"\href{", ("https://a.example/a b", "https://a.example/a%20b"), "}{here}."],
            "here",
            "https://a.example/a%20b",
        ),
        (
            [r"\href{", (URL, URL), "} {", ("https://b.example/", "https://b.example/"), "}."],
            "https://b.example/",
            URL,
        ),
        ([r"\href{", (URL, URL), r"}{\textbf{he}re}."], "here", URL),
        ([r"\href{", (URL, URL), "}{}."], URL, URL),
        # What other linkifiers make: the link goes on.
        ([r"\href{", (URL + "}{here}.", URL + "%7D%7Bhere%7D.")], "here", URL),
        ([r"\href{", (URL + "}{he", URL + "%7D%7Bhe"), "re}."], "here", URL),
        ([r"\href{https://a.example/x_y}{here}."], "here", URL),
    ],
)
def test_an_address_in_latex_is_linked_whatever_the_forum_linked_in_it(
    cooked: list[str | tuple[str, str]], label: str, address: str
) -> None:
    parts = [TextRun(part) if isinstance(part, str) else TextRun(part[0], href=part[1]) for part in cooked]
    block = readable(Block("p", (TextRun("Code: "), *parts)))
    assert block.text == f"Code: {label}."
    assert {run.href for run in block.runs if run.href} == {address}
    assert "".join(run.text for run in block.runs if run.href) == label


def test_an_ordinary_link_keeps_its_address_beside_latex() -> None:
    runs = (TextRun(r"see \url{https://a.example/} or", href="https://b.example/"), TextRun(" not"))
    found = [(run.text, run.href) for run in readable(Block("p", runs)).runs]
    assert found == [
        ("see ", "https://b.example/"),
        ("https://a.example/", "https://a.example/"),
        (" or", "https://b.example/"),
        (" not", None),
    ]


def test_a_formula_of_the_forum_is_latex_without_dollar_signs() -> None:
    (run,) = readable(Block("p", (TextRun(r"\mathrm{O}(n^{2}) \leq \infty", math=True),))).runs
    assert (run.text, run.math) == ("O(n²) ≤ ∞", True)


def test_a_latex_command_never_makes_a_link_that_runs_code() -> None:
    assert readable(Block("p", (TextRun(r"\href{javascript:alert(1)}{press}"),))).links == ()


def test_code_is_left_as_it_is() -> None:
    code = Block("p", (TextRun(r"\textbf{x} $y$ ``z''", code=True),))
    assert readable(code) == code


@given(st.text(alphabet=st.sampled_from(r"ab가 \{}$`'%_&"), max_size=80))
def test_letters_keep_their_order_whatever_commands_stand_between_them(text: str) -> None:
    shown = normalize("NFKC", readable(Block("p", (TextRun(text),))).text)  # an index is a letter, too
    assert re.sub(r"[^ab가]", "", shown) == re.sub(r"[^ab가]", "", text)


@given(
    st.lists(
        st.sampled_from([*"ab {}$^_`'", r"\textbf{", r"\href{https://a.example/}{", "}{", "$x$"]), max_size=40
    )
)
def test_letters_keep_their_order_across_runs_and_unfinished_commands(pieces: list[str]) -> None:
    runs = tuple(TextRun(piece, bold=place % 2 == 0) for place, piece in enumerate(pieces))
    block = readable(Block("p", runs))
    shown = normalize("NFKC", "".join(run.text for run in block.runs))
    assert re.sub(r"[^bx]", "", re.sub(r"\\\w+|a\.example", "", shown)) == re.sub(
        r"[^bx]", "", "".join(re.sub(r"\\\w+|a\.example", "", piece) for piece in pieces)
    )
    assert {run.href for run in block.runs} <= {None, "https://a.example/"}


@pytest.mark.parametrize(
    "snippet",
    [
        "$", "$a$", "`", "``", "''", "`a'", "``a''", "{", "}", "{}", "}{", "\\", r"\%", r"\textbf{", r"\textbf{a}",
        r"\textbf{$", r"$\textbf{", r"\alpha", r"\href{", r"\href{a}{", r"\href{https://a.example/}{", r"\url{https://a.example/}",
        r"\textsuperscript{", "$x^{", "$^a", "$_{t}$", "$$", "$$a$$", r"$\$", "a:\\", ". ", '."', "! ", "\n", "\t",
    ],
)  # fmt: skip
def test_a_hundred_thousand_characters_of_anything_are_read(snippet: str) -> None:
    text = snippet * (100_000 // len(snippet))
    runs = (
        TextRun(text),
        TextRun(text, math=True),
        *(TextRun(snippet, bold=odd % 2 == 1) for odd in range(10_000)),
    )
    assert readable_blocks([Block("p", (*runs, TextRun("end")))])


# --- tables and lists ---------------------------------------------------------------


def table(rows: int, columns: int = 3) -> Block:
    return table_of(
        [[(TextRun(f"{row}.{column} " + "값 " * 20),) for column in range(columns)] for row in range(rows)]
    )


def test_a_long_table_is_split_between_rows_and_each_part_names_the_columns() -> None:
    whole = table(100)
    parts = readable_blocks([whole])
    assert len(parts) > 2
    assert all(len(part.text.encode()) <= MAX_PARAGRAPH_BYTES for part in parts)
    assert all(part.type == "table" and part.rows[0] == whole.rows[0] for part in parts)
    assert [row for part in parts for row in part.rows[1:]] == whole.rows[1:]


def test_a_table_whose_first_row_is_long_does_not_repeat_it() -> None:
    whole = table(100, columns=30)
    assert [row for part in readable_blocks([whole]) for row in part.rows] == whole.rows


def test_latex_in_a_cell_is_replaced_and_stays_in_its_cell() -> None:
    cells = (TextRun(r"\textbf{a}"), TextRun("b", href="https://a.example/")), (), (TextRun("``c''"),)
    ((first, second, third),) = readable(table_of([cells])).rows
    assert [(run.text, run.bold, run.href) for run in first] == [
        ("a", True, None),
        ("b", False, "https://a.example/"),
    ]
    assert (second, third) == ((), (TextRun("“c”"),))


def test_a_list_item_keeps_its_depth_and_number() -> None:
    (block,) = readable_blocks([Block("li", (TextRun(r"\emph{a}"),), depth=2, number=7)])
    assert (block.depth, block.number) == (2, 7)
