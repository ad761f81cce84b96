"""What tests of sending share: deliveries planned for new readers, sent, and what became of each."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from typing import Any

from sqlalchemy import select

from core.database import Database, open_database
from delivery import planner
from delivery.models import Delivery, EditionRow
from delivery.sender import LEASE, SendResult, SendingContext, send_due
from delivery.transport.pool import Transport
from delivery.transport.smtp.connection import SmtpAddress
from tests.support.factories import IDENTITY, NOW, content_of_edition, edition_of, issue_of, reader
from tests.support.servers.smtp import ScriptedServer

SLOT = "weekly:2025-W32"
CONTENT = content_of_edition(edition_of(issue_of(2)))


def edition_row(*, language: str = "ko", after: int = 0, more_text: str = "") -> EditionRow:
    return EditionRow(
        slot=CONTENT.slot,
        language=language,
        frequency=CONTENT.frequency,
        after=after,
        papers=[1, 2],
        subject=CONTENT.subject,
        html=CONTENT.html,
        text=CONTENT.text + more_text,
        nonce=CONTENT.nonce,
        created_at=NOW,
    )


def plan(database: Database, count: int, *, domain: str = "", more_text: str = "") -> list[str]:
    """Plan one edition for so many new readers, all at the `domain` or each at one of their own; their
    addresses, in the order of sending."""
    addresses = [f"reader{number}@{domain or f'example{number}.com'}" for number in range(count)]
    with database.sessions.begin() as session:
        for address in addresses:
            reader(session, address)
        row = edition_row(more_text=more_text)
        session.add(row)
        session.flush()
        assert planner.plan(session, row, cursor=2, domain=IDENTITY.domain, now=NOW).count == count
    return addresses


def send(
    database: Database,
    *servers: ScriptedServer,
    now: Any = NOW,
    repeat_uncertain: bool = True,
    lease: timedelta = LEASE,
    **terms: Any,
) -> SendResult:
    """Drain by the servers, at the time `now` (or what it returns at each call)."""
    transport = Transport([SmtpAddress(server.host, server.port, "none") for server in servers])
    clock = now if callable(now) else lambda: now
    context = SendingContext(database, transport, IDENTITY, clock, lease=lease, **terms)
    return send_due(context, None, repeat_uncertain=repeat_uncertain)


def send_by_address(url: str, server: tuple[str, int], lease: timedelta, repeat_uncertain: bool) -> None:
    """Drain in a process of its own, by the real clock."""
    database, transport = open_database(url), Transport([SmtpAddress(*server, "none")])
    context = SendingContext(database, transport, IDENTITY, lambda: datetime.now(UTC), lease=lease)
    send_due(context, None, repeat_uncertain=repeat_uncertain)


def deliveries(database: Database) -> list[Delivery]:
    with database.sessions() as session:
        return list(session.scalars(select(Delivery).order_by(Delivery.id)))


def states(database: Database) -> Counter[str]:
    return Counter(delivery.state for delivery in deliveries(database))


def got(server: ScriptedServer) -> list[str]:
    """The readers of all mails taken, in order."""
    return [message.rcpt[0] for message in server.messages]


def message_ids(server: ScriptedServer) -> list[str]:
    return [str(message_from_bytes(message.data)["Message-ID"]) for message in server.messages]
