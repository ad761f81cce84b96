"""Makes what tests of several packages need: papers, issues and editions, as values or stored, and subscribers."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.database import Database
from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language
from core.slots import digest_slot
from delivery.context import SendingContext
from delivery.transport.pool import SmtpPool
from delivery.transport.smtp.server import SmtpServer
from emails.choose import next_edition
from emails.content import Content, MailSpec
from emails.edition import Edition
from emails.identity import MailIdentity
from emails.message import Message, longest_placeholders
from emails.rendering.render import Rendered, render
from issues.arrivals import Arrival, IssueFacts
from issues.gist import leftover_summary
from issues.models import Issue, Paper, Revision
from issues.parse.content import IssueContent, PaperContent
from issues.parse.text import Block, TextRun, to_json
from issues.parse.weeks import Week
from issues.search import search_text
from issues.serialize import issue_to_json, paper_to_json
from mailings.context import IntakeRules, MailingRules, clock_from
from subscribers.accounts import confirm, sign_up
from subscribers.models import Subscriber
from tests.support.servers.smtp import ScriptedServer

NOW = datetime(2025, 8, 4, 8, 0, tzinfo=UTC)  # a Monday
RULES = MailingRules(quiet_period=timedelta(minutes=30), daily_papers=2, repeat_uncertain=True)
IDENTITY = MailIdentity(
    sender="Paperboy <news@paperboy.example>",
    base_url="https://paperboy.example",
    key=b"a key for tests only",
)
INTAKE_RULES = IntakeRules(IDENTITY, daily_papers=2, allowed_hosts=("127.0.0.1",))


def blocks(*texts: str) -> tuple[Block, ...]:
    """One paragraph for each text, or a list item if the text begins with `- `."""
    return tuple(
        Block("li" if text.startswith("- ") else "p", (TextRun(text.removeprefix("- ")),)) for text in texts
    )


def paper(number: int = 1, **fields: Any) -> PaperContent:
    """A paper with gists, a Korean introduction and abstract and an English abstract; `fields` replaces some of them."""
    ordinary = PaperContent(
        title_ko=f"{number}번째 논문의 제목",
        title_en=f"The title of paper {number}",
        intro_ko=blocks(f"{number}번째 논문을 소개합니다."),
        abstract_ko=blocks(f"{number}번째 논문의 초록입니다."),
        abstract_en=blocks(f"This is the abstract of paper {number}."),
        url=f"https://arxiv.org/abs/2508.{number:05}",
        gist_ko=f"{number}번째 논문은 {number}번째 방법을 제안합니다.",
        gist_en=f"We propose method {number}.",
    )
    return replace(ordinary, **fields)


def issue_of(
    papers: Sequence[PaperContent] | int = 3,
    *,
    start: date = date(2025, 7, 28),
    overview: Sequence[Block] | None = None,
    summary: Sequence[Block] = (),
    closing: Sequence[Block] = (),
) -> IssueContent:
    """A parsed issue with these papers, or with this many ordinary ones."""
    contents = [paper(number) for number in range(1, papers + 1)] if isinstance(papers, int) else papers
    end = start + timedelta(days=6)
    return IssueContent(
        title=f"[{start:%Y/%m/%d} ~ {end:%m/%d}] 이번 주에 살펴볼 만한 AI/ML 논문 모음",
        week=Week(start, end),
        overview=blocks("이번 주의 흐름입니다.") if overview is None else tuple(overview),
        summary=tuple(summary),
        papers=tuple(contents),
        closing=tuple(closing),
    )


def arrivals_of(*issues: IssueContent, total: int | None = None) -> list[Arrival]:
    """The papers of the issues in the order of arrival, numbered from 1; `total` overrides an issue's own count."""
    arrivals: list[Arrival] = []
    for topic_id, issue in enumerate(issues, start=9001):
        facts = IssueFacts(
            topic_id=topic_id,
            week=issue.week,
            url=f"https://forum.example/t/{topic_id}",
            overview=issue.overview,
            summary=leftover_summary(issue.summary, issue.papers),
            first_arrival=len(arrivals) + 1,
            papers=total or len(issue.papers),
            closing=issue.closing,
        )
        arrivals += [
            Arrival(facts.first_arrival + index, facts.first_arrival + index, index + 1, facts, content)
            for index, content in enumerate(issue.papers)
        ]
    return arrivals


def digest_spec(language: str = "ko", frequency: str = "weekly", detail: str = "full") -> MailSpec:
    """The digest of the slot of NOW."""
    slot = digest_slot(Frequency(frequency), NOW)
    return MailSpec(slot, Language(language), Frequency(frequency), detail=Detail(detail))


def edition_of(
    *issues: IssueContent,
    language: str = "ko",
    frequency: str = "weekly",
    detail: str = "full",
    cursor: int = 0,
    daily_papers: int = 2,
) -> Edition:
    """The next edition of the issues for subscribers at `cursor`."""
    spec = digest_spec(language, frequency, detail)
    edition = next_edition(arrivals_of(*issues), cursor, spec, daily_papers=daily_papers)
    assert edition is not None, "nothing is unread"
    return edition


def rendered(edition: Edition) -> Rendered:
    """The edition as a mail that fits any subscriber."""
    return render(edition, IDENTITY, longest=longest_placeholders(IDENTITY))


def content_of_edition(edition: Edition) -> Content:
    """What the mail of the edition says."""
    return rendered(edition).content


def add_issue(
    session: Session, issue: IssueContent | None = None, *, topic_id: int = 9001, now: datetime = NOW
) -> Issue:
    """Store an issue that was published at `now` and is in force. Its papers arrive last. Does not commit."""
    issue = issue or issue_of()
    row = Issue(
        topic_id=topic_id,
        title=issue.title,
        url=f"https://forum.example/t/{topic_id}",
        week_start=issue.week.start,
        week_end=issue.week.end,
        overview=to_json(issue.overview),
        summary=to_json(issue.summary),
        closing=to_json(issue.closing),
        published_at=now,
        first_seen_at=now,
        changed_at=now,
        revision=1,
    )
    last_number = session.scalar(select(func.max(Paper.number))) or 0
    row.revisions = [
        Revision(
            number=1,
            title=issue.title,
            raw_html="",
            content=issue_to_json(issue),
            changes={},
            problems=[],
            seen_at=now,
        )
    ]
    row.papers = [
        Paper(
            number=last_number + position,
            arrival_order=last_number + position,
            position=position,
            content=paper_to_json(content),
            search_text=search_text(content),
            title_ko=content.title_ko,
            title_en=content.title_en,
        )
        for position, content in enumerate(issue.papers, start=1)
    ]
    session.add(row)
    session.flush()
    return row


def add_subscriber(
    session: Session,
    address: str = "minji@example.com",
    *,
    language: str = "ko",
    frequency: str = "weekly",
    detail: str = "full",
    name: str = "",
    now: datetime = NOW,
) -> Subscriber:
    """Sign up and confirm a subscriber. Does not commit."""
    subscriber = sign_up(
        session,
        address,
        language=Language(language),
        frequency=Frequency(frequency),
        detail=Detail(detail),
        name=name,
        now=now,
    )
    confirm(session, subscriber, now)
    session.flush()
    return subscriber


def transport_to(*servers: ScriptedServer) -> SmtpPool:
    """A transport over these servers, without encryption."""
    return SmtpPool([SmtpServer(server.host, server.port, "none") for server in servers])


@contextmanager
def sending_context_at(
    database: Database, server: ScriptedServer, now: datetime = NOW, **fields: Any
) -> Iterator[SendingContext]:
    """A sending context over the server, with a clock that starts at `now`."""
    yield SendingContext(database, transport_to(server), IDENTITY, clock_from(now), **fields)


def send_messages(server: ScriptedServer, messages: Iterable[Message]) -> None:
    """Send messages to the server, one after the other, over one connection."""

    async def send_all() -> None:
        client = transport_to(server).client()
        for message in messages:
            await client.send(message)
        await client.close()

    asyncio.run(send_all())
