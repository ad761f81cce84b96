"""What tests of sending share: deliveries that are planned for new subscribers, sending, and the results."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from typing import Any

from sqlalchemy import select, true
from sqlalchemy.orm import Session

from core.database import Database
from core.schema import open_database
from delivery import editions, planner
from delivery.context import LEASE, SendingContext
from delivery.models import Delivery, EditionRow
from delivery.sender import SendResult, send_due
from delivery.transport.pool import SmtpPool
from delivery.transport.smtp.server import SmtpServer
from emails.kinds import MailKind
from tests.support.factories import (
    IDENTITY,
    NOW,
    add_subscriber,
    content_of_edition,
    digest_spec,
    edition_of,
    issue_of,
    transport_to,
)
from tests.support.servers.smtp import ScriptedServer

SLOT = digest_spec().slot
MAX_ID = 2**31 - 1
CONTENT = content_of_edition(edition_of(issue_of(2)))


def edition_row(
    *,
    kind: MailKind = MailKind.DIGEST,
    language: str = "ko",
    after_cursor: int = 0,
    extra_text: str = "",
) -> EditionRow:
    """An edition of two papers that is not stored yet."""
    row = editions.edition_row(digest_spec(language), CONTENT, NOW, after_cursor=after_cursor)
    row.kind, row.papers, row.next_cursor = kind, [1, 2], 2
    row.text += extra_text
    return row


def plan_mails(database: Database, count: int, *, domain: str = "", extra_text: str = "") -> list[str]:
    """Plan one edition for `count` new subscribers.

    All are at the `domain`, or each is at a domain of its own. Returns their addresses in the order of sending.
    """
    addresses = [f"reader{number}@{domain or f'example{number}.com'}" for number in range(count)]
    with database.sessions.begin() as session:
        for address in addresses:
            add_subscriber(session, address)
        row = edition_row(extra_text=extra_text)
        session.add(row)
        session.flush()
        assert plan_edition(session, row) == count
    return addresses


def plan_edition(session: Session, row: EditionRow, now: datetime = NOW) -> int:
    """Plan a stored edition for all its subscribers. Returns how many deliveries were planned."""
    everybody = planner.Batch(1, MAX_ID)
    planned = planner.plan_digest(
        session, row.slot, [(row, true())], everybody, domain=IDENTITY.domain, now=now
    )
    return planned.total()


def send(
    database: Database,
    *servers: ScriptedServer,
    now: datetime | Callable[[], datetime] = NOW,
    repeat_uncertain: bool = True,
    lease: timedelta = LEASE,
    **fields: Any,
) -> SendResult:
    """Send all due mails over the servers, at the time `now` or at what it returns at each call."""
    clock = now if callable(now) else lambda: now
    context = SendingContext(database, transport_to(*servers), IDENTITY, clock, lease=lease, **fields)
    return send_due(context, None, repeat_uncertain=repeat_uncertain)


def send_by_real_clock(url: str, server: tuple[str, int], lease: timedelta, repeat_uncertain: bool) -> None:
    """Send all due mails; for a process of its own, so its arguments can be pickled."""
    database, transport = open_database(url), SmtpPool([SmtpServer(*server, "none")])
    context = SendingContext(database, transport, IDENTITY, lambda: datetime.now(UTC), lease=lease)
    send_due(context, None, repeat_uncertain=repeat_uncertain)


def deliveries(database: Database) -> list[Delivery]:
    """All deliveries in the order of planning."""
    with database.sessions() as session:
        return list(session.scalars(select(Delivery).order_by(Delivery.id)))


def states(database: Database) -> Counter[str]:
    """How many deliveries are in each state."""
    return Counter(delivery.state for delivery in deliveries(database))


def recipients(server: ScriptedServer) -> list[str]:
    """The recipients of all accepted mails, in order. Each mail has exactly one."""
    assert all(len(message.rcpt) == 1 for message in server.messages)
    return [message.rcpt[0] for message in server.messages]


def message_ids(server: ScriptedServer) -> list[str]:
    """The Message-IDs of all accepted mails, in order."""
    return [str(message_from_bytes(message.data)["Message-ID"]) for message in server.messages]
