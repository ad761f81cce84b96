"""Support for tests of bounces: mails that were sent to subscribers, and the bounce mails about them."""

import re
import secrets
from datetime import datetime

from sqlalchemy import select

from bounces.handler import handle_mail
from core.database import Database
from delivery.editions import content_of, spec_of
from delivery.models import BounceMail, Delivery, EditionRow
from delivery.states import DeliveryKind, DeliveryState
from emails.kinds import MailKind
from emails.message import Message, Recipient, build_message
from subscribers import accounts
from subscribers.models import Subscriber
from tests.support.factories import IDENTITY, NOW, add_subscriber
from tests.support.outbox import edition_row

MINJI = "minji@example.com"


def sent_mail(
    database: Database,
    address: str = MINJI,
    *,
    slot: str = "weekly:2025-W32",
    kind: DeliveryKind = DeliveryKind.DIGEST,
) -> Message:
    """A mail that a server has accepted for a subscriber, who is created if they do not exist yet."""
    with database.sessions.begin() as session:
        found = accounts.find(session, address) or add_subscriber(session, address)
        mail_kind = MailKind.MOVE if slot.partition(":")[0] == MailKind.MOVE else MailKind.DIGEST
        same_kind = select(EditionRow).where(EditionRow.kind == mail_kind)
        edition = session.scalar(same_kind) or edition_row(kind=mail_kind)
        session.add(edition)
        session.flush()
        message_id = f"{secrets.token_hex(16)}@{IDENTITY.domain}"
        session.add(
            Delivery(
                subscriber_id=found.id,
                edition_id=edition.id,
                slot=slot,
                queue=slot,
                kind=kind,
                state=DeliveryState.SENT,
                message_id=message_id,
                reply="250 taken",
                planned_at=NOW,
                settled_at=NOW,
            )
        )
        recipient = Recipient(found.email, found.name, found.handle)
        return build_message(
            spec_of(edition), content_of(edition), recipient, IDENTITY, message_id=message_id, now=NOW
        )


def bounce_report(
    mail: Message,
    status: str = "5.1.1",
    text: str = "550 5.1.1 User unknown",
    *,
    to: str | None = None,
    about: str | None = None,
    action: str = "failed",
    original: str | None = None,
) -> bytes:
    """A delivery report (RFC 3464) about a mail, sent to the mail's envelope sender.

    `to`, `about` (the failed recipient) and `original` (the enclosed mail) replace what a genuine report has.
    """
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
        Diagnostic-Code: smtp; {text}

        --report
        Content-Type: message/rfc822

        """
    head = re.sub(r"(?m)^ {8}", "", lines)
    return f"{head}{mail.data.decode() if original is None else original}\n--report--\n".encode()


def complaint(mail: Message, *, original: str | None = None) -> bytes:
    """A feedback report (RFC 5965) that encloses the mail it is about, but names no recipient."""
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


def plain_mail(subject: str, to: str, *, sender: str = "somebody@example.org", text: str = "") -> bytes:
    """A mail as a person writes it."""
    return f"From: {sender}\nTo: {to}\nSubject: {subject}\n\n{text}\n".encode()


def handle_bounce(database: Database, raw: bytes, now: datetime = NOW) -> str:
    """Handle a mail in a transaction of its own. Returns the action."""
    with database.sessions.begin() as session:
        return handle_mail(session, raw, IDENTITY, now)


def subscriber_status(database: Database, address: str = MINJI) -> str:
    """The status of a subscriber."""
    with database.sessions() as session:
        return session.scalars(select(Subscriber.status).where(Subscriber.email == address)).one()


def bounce_records(database: Database) -> list[BounceMail]:
    """The records of all bounce mails, in the order they were handled."""
    with database.sessions() as session:
        return list(session.scalars(select(BounceMail).order_by(BounceMail.id)))
