"""What happened to the mails of senders that were killed: compares the outbox with what the server stored."""

from collections import Counter
from dataclasses import dataclass, field, fields
from datetime import datetime
from string import ascii_letters
from typing import Self

from sqlalchemy import Row, func, select

from core.database import Database
from delivery.models import Delivery
from delivery.states import DeliveryState
from subscribers.models import Subscriber
from subscribers.status import SubscriberStatus
from tests.support.crash_points import CONNECTIONS, CrashPoint


@dataclass
class KillReport:
    """What happened to the mails of one scenario or several.

    `repeated` counts mails that arrived twice, `uncertain` those that were marked so, and `unknown` those of them
    that a second kill has left so for good. Each fault is a sentence.
    """

    kills: Counter[CrashPoint] = field(default_factory=Counter)
    lost: int = 0
    repeated: int = 0
    uncertain: int = 0
    unknown: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: Self) -> "KillReport":
        return KillReport(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def compare(
    database: Database, stored: Counter[tuple[str, str]], subscribers: int, report: KillReport
) -> None:
    """Compare the outbox with what the server has stored."""
    fields = (
        Delivery.message_id,
        Subscriber.email,
        Delivery.state,
        Delivery.repeats,
        Delivery.due_at,
        Delivery.reply,
    )
    is_forgotten = Subscriber.status == SubscriberStatus.FORGOTTEN
    with database.sessions() as session:
        rows = session.execute(select(*fields).join(Subscriber)).all()
        forgotten = session.scalar(select(func.count()).where(is_forgotten))
    report.lost = subscribers - len({row.email for row in rows})
    for row in rows:
        _check(row, stored.pop((row.message_id, row.email), 0), report)
    if stored:
        report.faults[f"the server has {len(stored)} mails that the outbox does not know"] += 1
    if report.repeated > report.kills.total() * CONNECTIONS:
        report.faults[f"{report.kills.total()} kills repeated {report.repeated} mails"] += 1
    if len(rows) > subscribers or forgotten:
        report.faults[f"{len(rows)} deliveries, and {forgotten} subscribers are not erased"] += 1


def _check(
    row: Row[str, str, DeliveryState, int, datetime | None, str], copies: int, report: KillReport
) -> None:
    is_unknown = row.state == DeliveryState.UNCERTAIN and row.repeats == 1 and row.due_at is None
    report.uncertain += row.repeats > 0
    report.unknown += is_unknown
    report.repeated += max(copies - 1, 0)
    if row.state == DeliveryState.SENT and not copies:
        report.lost += 1
    if not (is_unknown or row.state == _expected_state(row.email)):
        report.faults[f"a delivery ended as {row.state}, {row.reply}"] += 1
    may_be_stored = row.state in {DeliveryState.SENT, DeliveryState.UNCERTAIN}
    if copies > (1 + row.repeats if may_be_stored else 0):
        report.faults[
            f"a mail that is {row.state} and was marked {row.repeats} times is stored {copies} times"
        ] += 1
    if row.repeats > 1:
        report.faults[f"a mail was repeated {row.repeats} times"] += 1


def _expected_state(email: str) -> DeliveryState:
    number = int(email.partition("@")[0].lstrip(ascii_letters))
    ends = {7: DeliveryState.FAILED, 13: DeliveryState.SKIPPED}
    return ends.get(number % 50, DeliveryState.SENT)
