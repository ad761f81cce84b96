"""Hypothesis strategies for issues and editions with any texts."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from core.frequencies import Frequency
from core.languages import Language
from emails.choose import editions_of_issue
from emails.compose import compose
from emails.content import MailSpec
from emails.edition import Edition
from emails.kinds import WITH_PAPERS
from issues.parse.content import IssueContent, Link, PaperContent, Picture, Section
from issues.parse.text import Block, TextRun, table_of, tidy
from tests.support.factories import arrivals_of, blocks, issue_of, paper

LANGUAGES = st.sampled_from(Language)
FREQUENCIES = st.sampled_from(Frequency)
SNIPPETS = st.sampled_from(
    [
        "추론 모델은 답을 찾은 뒤에도 다른 풀이를 계속 시도합니다. ",
        "Reasoning models keep trying other solutions after the answer. ",
        "**짝이 없는 별표 ",
        "<think> a < b && c > d </think> ",
        "<script>alert('x')</script> ",
        r"\textbf{up to 35\%} and $\alpha \leq 2$ ",
        r"\href{https://code.example/a}{the code} ",
        "https://a.example/" + "long/" * 40 + " ",
        "W" * 300,
        "😀 ",
        "{{ personal }} {% if x %} <!--b0--> <!--/b0--> <!--t1--> ",
        "]]> &amp; &#169; é\u00a0x ",
    ]
)
TEXTS = st.builds(lambda snippet, times: snippet * times, SNIPPETS, st.integers(1, 25))
TITLES_KO = st.sampled_from(
    ["제목", "등대: 긴 글 속에서 길을 찾는 검색 머리", "<script>제목</script>", "& 제목 " * 30, "가" * 90, ""]
)
TITLES_EN = st.sampled_from(["Title", "Owl (2025): A <b>title</b> & more", "T" * 200, "a-b " * 40, ""])


@st.composite
def texts(draw: st.DrawFn, max_blocks: int = 4) -> tuple[Block, ...]:
    """Some paragraphs, entries of nested lists, and tables, some with formats or links."""
    found = []
    for text in draw(st.lists(TEXTS, max_size=max_blocks)):
        runs = tidy([draw(formatted(text))])
        if not runs:
            continue
        match draw(st.sampled_from(["p", "li", "table"])):
            case "p":
                found.append(Block("p", runs))
            case "li":
                depth, number = draw(st.integers(0, 6)), draw(st.sampled_from([0, 0, 1, 2, 3, 12]))
                found.append(Block("li", runs, depth, number))
            case "table":
                cell = (TextRun(draw(st.sampled_from(["모델", "Owl", "72.1 %", "| --- |", "<td>"]))),)
                found.append(table_of([[cell, runs], [runs, cell, *draw(st.sampled_from([(), (cell,)]))]]))
    return tuple(found)


def formatted(text: str) -> st.SearchStrategy[TextRun]:
    """The text with any formats."""
    return st.builds(
        TextRun,
        st.just(text),
        bold=st.booleans(),
        href=st.sampled_from([None, "https://b.example/?a=1&b=2"]),
        sup=st.booleans(),
        sub=st.booleans(),
        strike=st.booleans(),
    )


@st.composite
def sections(draw: st.DrawFn) -> Section:
    """A further section at any place of a paper, perhaps in one language only."""
    heading = draw(st.sampled_from(["핵심 결과 / Key results", "한계", "Limitations", "<h1>표제</h1>"]))
    after = draw(st.sampled_from(["title", "intro", "abstract", "link", "more"]))
    return Section(heading, after, draw(texts(2)), draw(texts(2)))


@st.composite
def papers(draw: st.DrawFn, number: int) -> PaperContent:
    """A paper with any texts, or with none."""
    more: dict[str, Any] = {}
    if draw(st.integers(0, 9)) == 0:
        sentence = draw(st.sampled_from(["아주 긴 소개입니다. ", "A very long introduction. "]))
        more["intro_ko"] = blocks(sentence * 2_200)
    return replace(
        paper(
            number,
            title_ko=draw(TITLES_KO),
            title_en=draw(TITLES_EN),
            intro_ko=draw(texts()),
            intro_en=draw(texts(2)),
            abstract_ko=draw(texts()),
            abstract_en=draw(texts()),
            notes=draw(texts(1)),
            sections=tuple(draw(st.lists(sections(), max_size=2))),
            links=(
                Link("https://github.com/example/code?a=1&b=2"),
                Link("https://blog.example/글", "설명 글"),
            ),
            pictures=(Picture("https://a.example/p.png", *draw(st.sampled_from([(0, 0), (690, 388)]))),),
            anchor=draw(st.sampled_from(["", f"p-1-paper-{number}"])),
        ),
        **more,
    )


@st.composite
def issues(draw: st.DrawFn) -> IssueContent:
    """An issue with any texts, some of them very long or empty. Some issues have forty papers."""
    if draw(st.integers(0, 9)) == 0:
        short = [paper(number, title_ko=f"{number}번 {draw(TITLES_KO)[:40]}") for number in range(1, 41)]
        return issue_of(short, overview=draw(texts()))
    contents = [draw(papers(number)) for number in range(1, draw(st.integers(1, 6)) + 1)]
    closing = draw(st.one_of(st.just(()), texts(2)))
    return replace(issue_of(contents, overview=draw(texts()), summary=draw(texts())), closing=closing)


@st.composite
def editions(draw: st.DrawFn, issues: st.SearchStrategy[IssueContent] = issues()) -> Edition:  # noqa: B008  a strategy is immutable
    """Any edition of an issue in any language: weekly, daily, a welcome digest, a copy, or late papers."""
    language, frequency = draw(LANGUAGES), draw(FREQUENCIES)
    arrived = [
        replace(arrival, late=draw(st.booleans()), corrected=draw(st.booleans()))
        for arrival in arrivals_of(draw(issues))
    ]
    late = [arrival for arrival in arrived if arrival.late]
    if draw(st.booleans()) and late:
        return compose(late, len(arrived), MailSpec("weekly:2025-W32", language, frequency))
    spec = MailSpec("daily:2025-08-04", language, frequency, draw(st.sampled_from(WITH_PAPERS)))
    return draw(st.sampled_from(editions_of_issue(arrived, spec, daily_papers=draw(st.integers(0, 4)))))
