"""What tests of returned mail share: mails that readers were sent, and the reports on them."""

import re
import secrets
from datetime import datetime

from sqlalchemy import select

from bounces.handler import take_in
from core.database import Database
from delivery.models import Delivery, EditionRow, ReturnedMail
from emails.message import Message, Reader, build, content_of
from subscribers import accounts
from subscribers.models import Subscriber
from tests.support.factories import HOUSE, NOW, reader
from tests.support.outbox import edition_row

MINJI = "minji@example.com"


def sent(
    database: Database, address: str = MINJI, *, slot: str = "weekly:2025-W32", kind: str = "digest"
) -> Message:
    """A mail that a server has taken for a reader, who begins with it if they are new."""
    with database.sessions.begin() as session:
        found = accounts.find(session, address) or reader(session, address)
        edition = session.scalar(select(EditionRow)) or edition_row()
        session.add(edition)
        session.flush()
        message_id = f"{secrets.token_hex(16)}@{HOUSE.domain}"
        session.add(
            Delivery(
                subscriber_id=found.id,
                edition_id=edition.id,
                slot=slot,
                queue=slot,
                kind=kind,
                state="sent",
                message_id=message_id,
                reply="250 taken",
                planned_at=NOW,
                settled_at=NOW,
            )
        )
        whom = Reader(found.email, found.name, found.handle, found.language)
        return build(content_of(edition), whom, HOUSE, message_id=message_id, now=NOW)


def report(
    mail: Message,
    status: str = "5.1.1",
    words: str = "550 5.1.1 User unknown",
    *,
    to: str | None = None,
    about: str | None = None,
    action: str = "failed",
    returned: str | None = None,
) -> bytes:
    """A delivery report (RFC 3464) on a mail, to its envelope's sender; each part can be another one."""
    original = mail.data.decode() if returned is None else returned
    lines = f"""\
        From: Mail Delivery System <MAILER-DAEMON@mx.example.net>
        To: {mail.envelope_from if to is None else to}
        Subject: Undelivered Mail Returned to Sender
        MIME-Version: 1.0
        Content-Type: multipart/report; report-type=delivery-status; boundary=report

        --report
        Content-Type: message/delivery-status

        Reporting-MTA: dns; mx.example.net

        Final-Recipient: rfc822; {about or mail.envelope_to}
        Action: {action}
        Status: {status}
        Diagnostic-Code: smtp; {words}

        --report
        Content-Type: message/rfc822

        """
    head = re.sub(r"(?m)^ {8}", "", lines)
    return f"{head}{original}\n--report--\n".encode()


def complaint(mail: Message, *, original: str | None = None) -> bytes:
    """A feedback report (RFC 5965) that names nobody, with the mail it is about."""
    return f"""From: feedback@provider.example
To: abuse@paperboy.example
Subject: complaint
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary=arf

--arf
Content-Type: message/feedback-report

Feedback-Type: abuse
Version: 1

--arf
Content-Type: message/rfc822

{mail.data.decode() if original is None else original}
--arf--
""".encode()


def plain(subject: str, to: str, *, sender: str = "somebody@example.org", text: str = "") -> bytes:
    """A mail that a person writes."""
    return f"From: {sender}\nTo: {to}\nSubject: {subject}\n\n{text}\n".encode()


def returned(database: Database, raw: bytes, now: datetime = NOW) -> str:
    """Take a mail in; what was done."""
    with database.sessions.begin() as session:
        return take_in(session, raw, HOUSE, now)


def status_of_reader(database: Database, address: str = MINJI) -> str:
    """Whether a reader is active, bounced, or what else."""
    with database.sessions() as session:
        return session.scalars(select(Subscriber.status).where(Subscriber.email == address)).one()


def records(database: Database) -> list[ReturnedMail]:
    """The record of returned mails, in the order they were read."""
    with database.sessions() as session:
        return list(session.scalars(select(ReturnedMail).order_by(ReturnedMail.id)))
