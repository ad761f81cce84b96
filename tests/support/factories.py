"""What tests of several packages make: papers and issues, parsed or stored, and readers."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.database import Database
from delivery.sender import SendingContext
from delivery.transport.pool import Transport
from delivery.transport.smtp.connection import SmtpAddress
from emails.edition import Edition, choose
from emails.message import Content, MailIdentity, Message, longest_placeholders
from emails.rendering.render import Rendered, render
from issues.arrivals import Arrival, IssueFacts
from issues.models import Issue, Paper, Revision
from issues.parse.post import IssueContent, PaperContent
from issues.parse.text import Block, TextRun, to_json
from issues.parse.titles import Week
from issues.serialize import content_to_json, paper_to_json
from mailings.context import clock_from
from mailings.digest_run import MailingRules
from subscribers.accounts import confirm, sign_up
from subscribers.models import Subscriber
from tests.support.servers.smtp import ScriptedServer

NOW = datetime(2025, 8, 4, 8, 0, tzinfo=UTC)  # a Monday
RULES = MailingRules(settle=timedelta(minutes=30), daily_papers=2, repeat_uncertain=True)
IDENTITY = MailIdentity(
    sender="Paperboy <news@paperboy.example>",
    base_url="https://paperboy.example",
    key=b"a key for tests only",
)


def blocks(*texts: str) -> tuple[Block, ...]:
    """A paragraph for each text; a list item where it begins with `- `."""
    return tuple(
        Block("li" if text.startswith("- ") else "p", (TextRun(text.removeprefix("- ")),)) for text in texts
    )


def paper(number: int = 1, **parts: Any) -> PaperContent:
    """A paper with a Korean introduction and abstract and an English abstract; `parts` replaces some."""
    made = PaperContent(
        title_ko=f"{number}번째 논문의 제목",
        title_en=f"The title of paper {number}",
        intro_ko=blocks(f"{number}번째 논문을 소개합니다."),
        abstract_ko=blocks(f"{number}번째 논문의 초록입니다."),
        abstract_en=blocks(f"This is the abstract of paper {number}."),
        url=f"https://arxiv.org/abs/2508.{number:05}",
    )
    return replace(made, **parts)


def issue_of(
    papers: Sequence[PaperContent] | int = 3,
    *,
    start: date = date(2025, 7, 28),
    overview: Sequence[Block] | None = None,
    summary: Sequence[Block] = (),
) -> IssueContent:
    """A parsed issue of the papers, or of so many ordinary ones."""
    made = [paper(number) for number in range(1, papers + 1)] if isinstance(papers, int) else papers
    end = start + timedelta(days=6)
    return IssueContent(
        title=f"[{start:%Y/%m/%d} ~ {end:%m/%d}] 이번 주에 살펴볼 만한 AI/ML 논문 모음",
        week=Week(start, end),
        overview=blocks("이번 주의 흐름입니다.") if overview is None else tuple(overview),
        summary=tuple(summary),
        papers=tuple(made),
    )


def arrivals_of(*issues: IssueContent, total: int | None = None) -> list[Arrival]:
    """The papers of the issues as they arrived, numbered from 1; `total` overrides an issue's own count."""
    arrived: list[Arrival] = []
    for topic_id, issue in enumerate(issues, start=9001):
        facts = IssueFacts(
            topic_id=topic_id,
            week=issue.week,
            url=f"https://forum.example/t/{topic_id}",
            overview=issue.overview,
            summary=issue.summary,
            first_number=len(arrived) + 1,
            papers=total or len(issue.papers),
        )
        arrived += [
            Arrival(facts.first_number + place, place + 1, facts, content, late=False)
            for place, content in enumerate(issue.papers)
        ]
    return arrived


def edition_of(
    *issues: IssueContent,
    language: str = "ko",
    frequency: str = "weekly",
    cursor: int = 0,
    daily_papers: int = 2,
) -> Edition:
    """The next edition of the issues for readers at `cursor`."""
    slot = "weekly:2025-W32" if frequency == "weekly" else "daily:2025-08-04"
    edition = choose(
        arrivals_of(*issues),
        cursor,
        slot=slot,
        language=language,
        frequency=frequency,
        daily_papers=daily_papers,
    )
    assert edition is not None, "nothing is unread"
    return edition


def rendered(edition: Edition) -> Rendered:
    """The edition's mail, with room for any reader."""
    return render(edition, archive=IDENTITY.archive, longest_placeholders=longest_placeholders(IDENTITY))


def content_of_edition(edition: Edition) -> Content:
    """The edition's mail as it is stored."""
    return stored(edition, rendered(edition))


def stored(edition: Edition, mail: Rendered) -> Content:
    """A rendered mail as it is stored."""
    return Content(
        edition.slot,
        edition.language,
        edition.frequency,
        mail.subject,
        mail.html,
        mail.text,
        mail.nonce,
    )


def stored_issue(
    session: Session, issue: IssueContent | None = None, *, topic_id: int = 9001, now: datetime = NOW
) -> Issue:
    """An issue in force since `now`, its papers last in the order of arrival. Does not commit."""
    issue = issue or issue_of()
    row = Issue(
        topic_id=topic_id,
        title=issue.title,
        url=f"https://forum.example/t/{topic_id}",
        week_start=issue.week.start,
        week_end=issue.week.end,
        overview=to_json(issue.overview),
        summary=to_json(issue.summary),
        published_at=now,
        first_seen_at=now,
        changed_at=now,
        revision=1,
    )
    last = session.scalar(select(func.max(Paper.number))) or 0
    row.revisions = [
        Revision(
            number=1,
            title=issue.title,
            raw_html="",
            content=content_to_json(issue),
            changes={},
            problems=[],
            seen_at=now,
        )
    ]
    row.papers = [
        Paper(number=last + place + 1, position=place, content=paper_to_json(content))
        for place, content in enumerate(issue.papers)
    ]
    session.add(row)
    session.flush()
    return row


def reader(
    session: Session,
    address: str = "minji@example.com",
    *,
    language: str = "ko",
    frequency: str = "weekly",
    name: str = "",
    now: datetime = NOW,
) -> Subscriber:
    """A confirmed reader. Does not commit."""
    subscriber = sign_up(session, address, language=language, frequency=frequency, name=name, now=now)
    confirm(session, subscriber, now)
    session.flush()
    return subscriber


@contextmanager
def sending_context_at(
    database: Database, server: ScriptedServer, now: datetime = NOW, **terms: Any
) -> Iterator[SendingContext]:
    """All that sending needs, by one connection to the server, with a clock that starts at `now`."""
    transport = Transport([SmtpAddress(server.host, server.port, "none")])
    yield SendingContext(database, transport, IDENTITY, clock_from(now), **terms)


def hand_over(server: ScriptedServer, messages: Iterable[Message]) -> None:
    """Send messages to the server, one after the other."""

    async def send_all() -> None:
        line = Transport([SmtpAddress(server.host, server.port, "none")]).line()
        for message in messages:
            await line.send(message)
        await line.close()

    asyncio.run(send_all())
