"""Whatever a post says, a gist is a whole piece of it within the limit, found in time that is linear in the post's length."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.languages import TextLanguage
from issues.feed import read_feed
from issues.fetch import Fetched, Validators
from issues.gist import MAX_CHARACTERS, leftover_summary, with_gists
from issues.parse.content import IssueContent, PaperContent
from issues.parse.readable import readable
from issues.parse.text import Block, TextRun, has_hangul, without_emoji
from issues.parse.weeks import parse_week
from issues.store import read_post
from tests.support.factories import blocks, issue_of

MAX_SECONDS = 2.0  # for what takes milliseconds; a search of quadratic time would take minutes
# Papers of the shared posts (by topic) without a gist in a language. Every other paper has one in both.
WITHOUT_GIST: set[tuple[int, int, str]] = set()

PIECES = st.sampled_from(
    [
        "본 논문에서는 밤에만 학습하는 새로운 방법인 Owl을 제안합니다.",
        "We introduce Owl, a scheduler that trains language models at night.",
        "Owl은 비용을 41% 줄입니다.",
        " ",
        "\n",
        "... ",
        "?! ",
        "(",
        ")",
        '"',
        "🦉",
        "**",
        "\\textbf{Owl}",
        "$n$",
        "e.g. ",
        "합니다.",
        "We show that 2**10 models agree. ",
        ": ",
        " - ",
        "1. ",
        "Owl",
        "부엉이",
    ]
)
TEXTS = st.lists(PIECES, max_size=12).map("".join)
RUNS = st.builds(
    TextRun, TEXTS, bold=st.booleans(), code=st.booleans(), strike=st.booleans(), sup=st.booleans()
)
BLOCKS = st.lists(
    st.builds(Block, st.sampled_from(["p", "li"]), st.lists(RUNS, max_size=4).map(tuple), st.integers(0, 2)),
    max_size=4,
).map(tuple)
PAPERS = st.builds(
    PaperContent, TEXTS, TEXTS, intro_ko=BLOCKS, intro_en=BLOCKS, abstract_ko=BLOCKS, abstract_en=BLOCKS
)


def plain(blocks: tuple[Block, ...]) -> str:
    """The readable text of blocks without emoji, with single spaces."""
    return "\n".join(" ".join(without_emoji(readable(block).text).split()) for block in blocks)


@settings(max_examples=100)
@given(st.lists(PAPERS, max_size=3), BLOCKS)
def test_a_gist_is_a_piece_of_the_text_within_the_limit_on_one_line_without_markup(
    papers: list[PaperContent], summary: tuple[Block, ...]
) -> None:
    content = with_gists(issue_of(papers, summary=summary))
    for paper in content.papers:
        for language in TextLanguage:
            gist = paper.texts_in(language).gist
            texts = (*paper.texts_in(language).intro, *paper.texts_in(language).abstract)
            assert gist in plain(texts) or gist in plain(summary)
            assert len(gist) <= MAX_CHARACTERS[language]
            assert not any(mark in gist for mark in ("\n", "**", "~~", "\\", "🦉"))
            assert not gist or has_hangul(gist) == (language == TextLanguage.KO)
    assert with_gists(content) == content, "the gists depend on the texts alone"


@settings(max_examples=60)
@given(st.lists(PAPERS, max_size=3), BLOCKS)
def test_every_block_of_the_list_is_left_over_or_a_gist(
    papers: list[PaperContent], summary: tuple[Block, ...]
) -> None:
    content = with_gists(issue_of(papers, summary=summary))
    left = list(leftover_summary(content.summary, content.papers))
    gists = {paper.texts_in(language).gist for paper in content.papers for language in TextLanguage}
    for block in content.summary:
        if block in left:
            left.remove(block)
        else:
            assert any(gist and plain((block,)).endswith(gist) for gist in gists)
    assert left == []


@pytest.mark.parametrize(
    "text",
    [
        "밤에 배우는 모델을 제안하고 " * 8_000,
        "." * 2_000_000,
        ". " * 500_000,
        "다." * 500_000,
        "(" * 500_000,
        '"a ' * 200_000,
        "e.g. " * 200_000,
        "We propose " * 50_000,
        "\n" * 300_000,
        "1. " * 200_000,
        "We show that (a) " * 30_000 + ".",
        "We show that Owl learns. " * 20_000,
    ],
)  # fmt: skip
def test_a_hostile_text_takes_no_longer_than_its_length(text: str) -> None:
    long = blocks(text)
    paper = PaperContent(
        "부엉이", "Owl: " + text, intro_ko=long, intro_en=long, abstract_ko=long, abstract_en=long
    )
    started = time.perf_counter()
    with_gists(issue_of([paper], summary=blocks(text[:100_000])))
    assert time.perf_counter() - started < MAX_SECONDS


def test_a_list_of_thousands_of_lines_and_a_hundred_papers_is_matched_at_once() -> None:
    papers = [PaperContent(f"부엉이 {number}", f"Owl{number}: Learning") for number in range(100)]
    content = issue_of(papers, summary=blocks(*[f"Owl{number}: 밤에 배웁니다." for number in range(20_000)]))
    started = time.perf_counter()
    found = with_gists(content)
    assert time.perf_counter() - started < MAX_SECONDS
    assert [paper.gist_ko for paper in found.papers] == ["밤에 배웁니다."] * 100


@pytest.mark.parametrize("state", ["base", "edited"])
def test_every_paper_of_the_shared_posts_has_a_gist(shared_forum: Path, state: str) -> None:
    feed = (shared_forum / "site" / state / "c/news/14.rss").read_bytes()
    posts = read_feed(Fetched("https://forum.example", feed, Validators()))
    issues: dict[int, IssueContent] = {
        post.topic_id: read_post(post) for post in posts if parse_week(post.title)
    }
    without = {
        (topic_id, number, str(language))
        for topic_id, content in issues.items()
        for number, paper in enumerate(content.papers, 1)
        for language in TextLanguage
        if not paper.texts_in(language).gist
    }
    assert without == WITHOUT_GIST
    assert len(issues) >= 4
