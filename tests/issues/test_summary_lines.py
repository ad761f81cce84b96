"""The lines of a post's own list become the gists of their papers, and what does not is left over."""

import pytest

from issues.gist import leftover_summary, with_gists
from issues.parse.content import IssueContent, PaperContent
from issues.parse.text import Block, TextRun
from issues.serialize import content_from_json, issue_to_json
from tests.support.factories import blocks, issue_of

OWL = PaperContent("부엉이: 밤에 배우기", "Owl: Learning at Night", url="https://arxiv.org/abs/2603.00001")
BOOKMARK = PaperContent(
    "책갈피 기억: 정리법", "Bookmark Memory: Tidying up", url="https://arxiv.org/abs/2603.00002"
)
TRUST = PaperContent("무엇을 믿을 것인가?", "Whom Should You Trust?", url="https://arxiv.org/abs/2603.00003")
PAPERS = (OWL, BOOKMARK, TRUST)


def item(text: str, depth: int = 0, *, name: str = "", href: str | None = None) -> Block:
    """A list item, with a bold name before its text if one is given."""
    bold = (TextRun(name, bold=True),) if name else ()
    return Block("li", (*bold, TextRun(text, href=href)), depth)


def read(*summary: Block) -> tuple[list[str], list[str]]:
    """The Korean gists of the papers and the texts of the blocks that are left over."""
    content = with_gists(issue_of(PAPERS, summary=summary))
    left = leftover_summary(content.summary, content.papers)
    return [paper.gist_ko for paper in content.papers], [block.text for block in left]


LINES = ["밤에만 배워 전기를 아낍니다.", "다시 볼 기록만 남깁니다.", "순위의 차이가 우연임을 보입니다."]


@pytest.mark.parametrize(
    "summary",
    [
        [item(": " + LINES[0], name="Owl"), item(": " + LINES[1], name="Bookmark Memory"), item(LINES[2])],
        [item(" - " + LINES[0], name="Owl (부엉이)"), item(f"책갈피 기억 – {LINES[1]}"), item(LINES[2])],
        [item(f"[Owl] | {LINES[0]}"), item(f"『Bookmark Memory』: {LINES[1]}"), item(f"무엇을 믿을 것인가?: {LINES[2]}")],
        [item(f"Owl\n{LINES[0]}"), item(LINES[1]), item(f"Whom Should You Trust? — {LINES[2]}")],
        [item(f"무엇을 믿을 것인가?: {LINES[2]}"), item(f"Bookmark Memory: {LINES[1]}"), item(f"owl: {LINES[0]} 🦉")],
        list(blocks(*LINES)),
    ],
)  # fmt: skip
def test_a_line_is_the_gist_of_the_paper_that_it_names_or_of_the_one_in_its_place(
    summary: list[Block],
) -> None:
    assert read(*summary) == (LINES, [])


def test_a_name_that_is_part_of_the_sentence_stays() -> None:
    line = item(" 은 밤에만 배워 전기를 아낍니다.", name="Owl")
    assert read(line) == (["Owl 은 밤에만 배워 전기를 아낍니다.", "", ""], [])


def test_lines_under_topics_are_gists_and_the_topics_are_left_over() -> None:
    summary = [item("효율"), *(item(line, 1) for line in LINES[:2]), item("평가"), item(LINES[2], 1)]
    gists, left = read(*summary)
    assert gists == LINES
    assert left == ["효율", "평가"]


def test_lines_that_nothing_ties_to_a_paper_are_left_over() -> None:
    summary = blocks(*LINES[:2], "이번 주의 세 논문입니다:")
    assert read(*summary[:2]) == (["", "", ""], LINES[:2])
    assert read(item(f"Bookmark Memory: {LINES[1]}"), item("첫째"), item("둘째")) == (
        ["", LINES[1], ""],
        ["첫째", "둘째"],
    )


@pytest.mark.parametrize(
    ("line", "gist"),
    [
        (item("Owl: " + "밤에 배웁니다 " * 30), ""),  # too long
        (item("Owl: 정말 밤에 더 잘 배울까요?"), ""),
        (item("Owl: Learning at Night"), ""),  # only its title
        (item("Owl"), ""),
        (item("Owl: 밤에만 배워 전기를 아낍니다.", href="https://elsewhere.example/"), "밤에만 배워 전기를 아낍니다."),
        (item("Owl: 밤에만 `배워` 전기를 아낍니다."), ""),  # leftover markup
    ],
)  # fmt: skip
def test_nothing_of_a_line_is_lost(line: Block, gist: str) -> None:
    gists, left = read(line)
    assert (gists[0], left) == (gist, [line.text])


def test_a_line_with_items_below_it_is_left_over_with_them() -> None:
    line, below = item("Owl: 밤에만 배워 전기를 아낍니다."), item("자세한 내용은 본문에 있습니다.", 1)
    gists, left = read(line, below)
    assert gists[0] == "밤에만 배워 전기를 아낍니다."
    assert left == [line.text, below.text]


def test_a_link_to_the_paper_itself_is_not_lost() -> None:
    assert OWL.url
    assert read(item("Owl: 밤에만 배워 전기를 아낍니다.", href=OWL.url))[1] == []


def test_a_line_that_says_something_before_its_text_is_left_over_as_well() -> None:
    line = f"Owl (Nature 학회 최우수): {LINES[0]}"
    gists, left = read(item(line))
    assert gists[0] == LINES[0]
    assert left == [line]


def test_the_second_line_of_a_paper_is_left_over() -> None:
    gists, left = read(item(f"Owl: {LINES[0]}"), item("Owl: 낮에는 쉬며 힘을 모읍니다."))
    assert gists[0] == LINES[0]
    assert left == ["Owl: 낮에는 쉬며 힘을 모읍니다."]


def test_a_withdrawn_paper_leaves_its_line_over() -> None:
    content = with_gists(issue_of(PAPERS, summary=[item(f"Owl: {LINES[0]}")]))
    assert [block.text for block in leftover_summary(content.summary, content.papers[1:])] == [
        f"Owl: {LINES[0]}"
    ]


def test_gists_are_stored_and_computed_for_what_was_stored_before() -> None:
    content = with_gists(issue_of(PAPERS, summary=[item(f"Owl: {LINES[0]}")]))
    value = issue_to_json(content)
    assert value["papers"][0]["gist_ko"] == LINES[0]
    for paper in value["papers"]:
        del paper["gist_ko"], paper["gist_en"]
    assert content_from_json(value) == content
    assert isinstance(content, IssueContent)
