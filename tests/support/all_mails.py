"""Every kind of mail, rendered once for all tests that check finished mails."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from issues.arrivals import Arrival
from issues.diff import diff
from issues.feed import read_feed
from issues.fetch import Fetched, Validators
from issues.parse.content import IssueContent, Link, PaperContent, Picture, Section
from issues.parse.text import Block, TextRun, table_of
from issues.parse.weeks import parse_week
from issues.posts import Post
from issues.store import read_post
from monitoring.previews import Preview, issue_previews, letter_previews
from paperboy.demo.sample.topics import ForumState, feed_xml, published_topics
from tests.support.factories import IDENTITY, NOW, arrivals_of, blocks, issue_of, paper

HOME = "https://forum.example"
SHARED_FEED = Path(__file__).resolve().parents[2] / "shared/forum/site/base/c/news/14.rss"
EDITED = 9140  # an edit corrects a paper of this sample post and adds another one
RARE = ("welcome", "late", "copy", "correction")


@cache
def every_kind() -> tuple[Preview, ...]:
    """All letters, the full digests of each sample post, and all mails of two issues that have everything rare."""
    samples = [mail for post in sample_posts() for mail in _digests(f"sample-{post.topic_id}", post)]
    shared = [mail for post in _shared_posts() for mail in _digests(f"shared-{post.topic_id}", post)]
    edited, large = _mails("edited", edited_papers()), _mails("large", arrivals_of(large_issue()))
    of_posts = [
        # The daily editions have the same texts as the weekly one.
        *(mail for mail in samples if "weekly" in mail.name or f"-{EDITED}-" in mail.name),
        *(mail for mail in shared if "weekly" in mail.name),
        *(mail for mail in large if "copy" not in mail.name and "correction" not in mail.name),
    ]
    # The brief editions have some of the texts of the full ones. Those of one issue are enough.
    full = (mail for mail in of_posts if "brief" not in mail.name)
    return *letter_previews(IDENTITY, NOW), *full, *edited


def summary(findings: Mapping[str, Iterable[str]]) -> str:
    """A report of what was found in each mail: one line for each finding, with the names of the mails."""
    mails: dict[str, list[str]] = {}
    for name, found in findings.items():
        for finding in found:
            mails.setdefault(finding, []).append(name)
    return "\n".join(f"{finding} ({len(names)}: {', '.join(names)})" for finding, names in mails.items())


def sample_posts(*, edited: bool = False) -> list[Post]:
    """The weekly posts of the sample forum, before or after the edit."""
    return _weekly(feed_xml(published_topics(ForumState(edited=edited), HOME), HOME).encode())


def edited_papers() -> list[Arrival]:
    """The papers of an issue after the edit: one was corrected, and one was added late."""
    before, after = (
        _read(next(post for post in sample_posts(edited=edited) if post.topic_id == EDITED))
        for edited in (False, True)
    )
    changes = diff(before, after)
    return [
        replace(arrival, late=before_index is None, corrected=index in changes.touched)
        for index, (arrival, before_index) in enumerate(zip(arrivals_of(after), changes.pairs, strict=True))
    ]


def large_issue(papers: int = 15) -> IssueContent:
    """An issue with more text than fits into a mail. Its papers have everything that a paper can have."""
    issue = issue_of([_large_paper(number) for number in range(1, papers + 1)], summary=_items("요약", 6))
    return replace(
        issue,
        closing=blocks("한 주 동안 읽어 주셔서 고맙습니다.", "Thank you for reading with us this week."),
    )


def _large_paper(number: int) -> PaperContent:
    formats = (
        TextRun("굵은 말", bold=True),
        TextRun("과 "),
        TextRun("코드", code=True),
        TextRun(", 그리고 "),
        TextRun("다른 곳", href=f"https://else.example/{number}?a=1&b=2"),
        TextRun("이 있습니다."),
    )
    return paper(
        number,
        title_ko=f"{number}호 등대: 긴 글 속에서 길을 잃지 않는 검색 머리",
        title_en=f"Lighthouse {number}: Retrieval Heads That Keep Their Bearings",
        intro_ko=(
            *_sentences("추론의 낭비를 줄이는 방법을 소개합니다. ", 3),
            Block("p", formats),
            *_items("특징", 4),
            *_nested_list(),
        ),
        intro_en=(*_sentences("We introduce a way to waste less reasoning. ", 3), *_items("It is fast", 4)),
        abstract_ko=_sentences("본 논문에서는 새로운 방법을 제안합니다. ", 5),
        abstract_en=_sentences("In this work we propose a new method. ", 15),
        notes=blocks("코드는 곧 공개됩니다.", "The weights follow in autumn."),
        sections=(
            Section(
                "주요 결과 / Main results",
                "intro",
                (*blocks("표에 정리했습니다."), _results("모델", "정확도")),
                (*blocks("The table has them."), _results("Model", "Accuracy")),
            ),
            Section("한계", "link", blocks("영어 자료에서만 시험했습니다.")),
        ),
        links=(
            Link(f"https://github.com/example/lighthouse-{number}"),
            Link(f"https://example.github.io/lighthouse-{number}", "프로젝트 페이지"),
            Link(f"https://huggingface.co/example/lighthouse-{number}"),
        ),
        pictures=(Picture(f"https://forum.example/uploads/{number}.png", 690, 388),),
        anchor=f"p-1-lighthouse-{number}",
    )


def _nested_list() -> tuple[Block, ...]:
    """A numbered list with a list in it, whose last entry has formats that Unicode has no characters for."""
    formats = (
        TextRun("예전 값은 "), TextRun("91.3", strike=True), TextRun("이고 비용은 O(n"), TextRun("log n", sup=True),
        TextRun("), 손실은 L"), TextRun("KL", sub=True), TextRun("입니다."),
    )  # fmt: skip
    return (
        Block("li", (TextRun("먼저 읽습니다."),), 0, 1),
        Block("li", (TextRun("그다음 두 가지를 합니다."),), 0, 2),
        Block("li", (TextRun("나눕니다."),), 1),
        Block("li", formats, 1),
        Block("li", (TextRun("끝으로 합칩니다."),), 0, 3),
    )


def _results(model: str, accuracy: str) -> Block:
    rows = [
        [model, "GSM8K", "MATH-500", accuracy],
        ["Lighthouse-7B-Instruct", "92.1", "81.4", "86.8"],
        ["기준 모델", "90.3", "", "84.0"],
    ]
    return table_of([[(TextRun(cell),) if cell else () for cell in row] for row in rows])


def _sentences(sentence: str, count: int) -> tuple[Block, ...]:
    return blocks(*(f"{sentence * 6}({number})" for number in range(1, count + 1)))


def _items(text: str, count: int) -> tuple[Block, ...]:
    return blocks(*(f"- {text} {number}: {'말 ' * 20}" for number in range(1, count + 1)))


def _digests(name: str, post: Post) -> Iterator[Preview]:
    """The ordinary mails of a post."""
    mails = _mails(name, arrivals_of(_read(post)))
    return (mail for mail in mails if not mail.name.removeprefix(f"{name}-").startswith(RARE))


def _mails(name: str, papers: Sequence[Arrival]) -> Iterator[Preview]:
    """The mails of an issue: all but the daily ones between the first and the last day."""
    mails = {mail.name: mail for mail in issue_previews(papers, IDENTITY, NOW, daily_papers=2)}
    last = [kind for kind in mails if kind.startswith("daily-ko")][-1]
    for kind, mail in mails.items():
        if not kind.startswith("daily") or kind.endswith("day-1") or kind == last:
            yield replace(mail, name=f"{name}-{kind}")


def _shared_posts() -> list[Post]:
    return _weekly(SHARED_FEED.read_bytes()) if SHARED_FEED.is_file() else []


def _weekly(feed: bytes) -> list[Post]:
    return [post for post in read_feed(Fetched(HOME, feed, Validators())) if parse_week(post.title)]


def _read(post: Post) -> IssueContent:
    return read_post(post)
