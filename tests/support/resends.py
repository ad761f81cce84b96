"""What tests of resends share: digests, corrections, resend requests, and the mails that arrive."""

from dataclasses import replace
from datetime import datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern_policy
from typing import Any

from sqlalchemy import select, update

from core.database import Database
from core.frequencies import Frequency
from delivery.models import Delivery
from delivery.report import DigestReport
from delivery.retry import MAX_ATTEMPTS
from issues.models import Paper
from issues.serialize import paper_to_json
from mailings.digest_run import run_digest
from mailings.resend.execute import execute
from mailings.resend.plan import ResendPlan, plan_resend
from mailings.resend.request import ResendRequest
from subscribers.accounts import find
from tests.support.account_actions import subscribe
from tests.support.factories import IDENTITY, NOW, RULES, add_subscriber, blocks, paper, sending_context_at
from tests.support.servers.smtp import TAKE_AND_DROP, ScriptedServer

MONDAY = NOW
LATER = NOW + timedelta(days=3)
ISSUE = ResendRequest(issue="2025-07-28", reason="a trial")
CORRECTION = "정확도는 91퍼센트입니다."  # added to an abstract
HOLD_UNCERTAIN = replace(RULES, repeat_uncertain=False)


def digest(
    database: Database,
    server: ScriptedServer,
    frequency: Frequency = Frequency.WEEKLY,
    now: datetime = MONDAY,
) -> DigestReport:
    """Run a digest. Uncertain mails are not repeated."""
    with sending_context_at(database, server, now) as context:
        return run_digest(context, frequency, local_now=now, rules=HOLD_UNCERTAIN)


def planned(database: Database, request: ResendRequest, now: datetime = LATER) -> ResendPlan:
    """The plan of a resend."""
    with database.sessions() as session:
        return plan_resend(session, request, IDENTITY, now)


def resend(
    database: Database, server: ScriptedServer, request: ResendRequest, now: datetime = LATER
) -> DigestReport:
    """Plan a resend and execute it."""
    plan = planned(database, request, now)
    with sending_context_at(database, server, now) as context:
        return execute(context, plan, asked_by="a test", rules=HOLD_UNCERTAIN, now=now)


def mails_by_recipient(server: ScriptedServer) -> list[tuple[str, EmailMessage]]:
    """All accepted mails with their recipients, in the order of addresses."""
    mails = [
        (message.rcpt[0], message_from_bytes(message.data, policy=modern_policy))
        for message in server.messages
    ]
    return sorted(mails, key=lambda mail: mail[0])


def papers_of(mail: EmailMessage) -> list[int]:
    """The numbers of the papers whose abstracts a mail has."""
    body = mail.get_body(("plain",))
    assert body
    return [number for number in range(1, 9) if f"{number}번째 논문의 초록" in body.get_content()]


def change_delivery(database: Database, address: str, **values: Any) -> None:
    """Change the deliveries of a subscriber."""
    with database.sessions.begin() as session:
        subscriber = find(session, address)
        assert subscriber
        session.execute(update(Delivery).where(Delivery.subscriber_id == subscriber.id).values(**values))


def correct_paper(database: Database, number: int, now: datetime) -> None:
    """The forum corrects the Korean abstract of a paper."""
    corrected = paper(number, abstract_ko=blocks(f"{number}번째 논문의 초록입니다. {CORRECTION}"))
    with database.sessions.begin() as session:
        row = session.scalars(select(Paper).where(Paper.number == number)).one()
        row.content, row.corrected_at = paper_to_json(corrected), now
        row.issue.revision += 1


def deliver_to_each_group(database: Database) -> None:
    """Send a weekly digest after which one subscriber is in each resend group, and one in none."""
    subscribe(database, "fine@a.example", "failed@b.example", "expired@c.example", "uncertain@d.example")
    refused = {"failed@b.example": "550 5.7.1 Not wanted here", "expired@c.example": "450 4.2.0 Later"}
    with ScriptedServer(
        on_rcpt=refused.get,
        on_body=lambda message: TAKE_AND_DROP if message.rcpt == ["uncertain@d.example"] else None,
    ) as server:
        digest(database, server)
    change_delivery(database, "failed@b.example", state="failed", due_at=None)
    change_delivery(database, "expired@c.example", state="failed", due_at=None, attempts=MAX_ATTEMPTS)
    change_delivery(database, "uncertain@d.example", state="uncertain", due_at=None)
    with database.sessions.begin() as session:
        add_subscriber(session, "missed@e.example").cursor = 4  # as if they had joined after a later issue
