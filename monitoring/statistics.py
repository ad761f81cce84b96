"""Statistics for plots: how the number of subscribers developed, and what became of the mails of each digest."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import accumulate
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language
from core.run_log import RunKind, RunRecord
from delivery.counts import count_by_month, count_slots_by_state, day_in_utc
from delivery.models import BounceMail, Delivery
from delivery.states import DeliveryState
from subscribers.models import Subscriber

MAX_WEEKS = 104
MAX_RUNS = 30
COMPLAINT_TARGET = 0.001  # of the mails; Gmail and Yahoo ask for less than 0.1 %, and never 0.3 %

Choice = Literal["language", "frequency", "detail"]
_CHOICES: dict[Choice, tuple[InstrumentedAttribute[Any], list[str]]] = {
    "language": (Subscriber.language, list(map(str, Language))),
    "frequency": (Subscriber.frequency, list(map(str, Frequency))),
    "detail": (Subscriber.detail, list(map(str, Detail))),
}


@dataclass(frozen=True)
class Series:
    """How many there were at the end of each week, by name. `weeks` are the Mondays of these weeks."""

    weeks: list[date]
    counts: dict[str, list[int]]


@dataclass(frozen=True)
class SlotStatistics:
    """What became of the mails of a slot."""

    slot: str
    sent: int
    deferred: int
    failed: int
    bounced: int
    complaints: int = 0

    def rate(self, number: int) -> float:
        """A number as a share of the mails that a server has answered for good."""
        answered = self.sent + self.failed  # a delivery that bounces becomes failed
        return number / answered if answered else 0.0


def subscribers_by_week(session: Session, by: Choice, now: datetime) -> Series:
    """How many subscribers there were, by the choice that they have now.

    Those who were forgotten or never confirmed are not included.
    """
    column, names = _CHOICES[by]
    changes = Counter(_count_by_day(session, Subscriber.confirmed_at, column))
    changes.subtract(_count_by_day(session, Subscriber.ended_at, column))
    this_week = _monday(now.date())
    first = _monday(min((day for day, _ in changes), default=now.date()))
    weeks = [first + timedelta(weeks=number) for number in range((this_week - first).days // 7 + 1)]
    counts = {}
    for name in names:
        by_week = Counter[date]()
        for (day, which), number in changes.items():
            by_week[_monday(day)] += number if which == name else 0
        counts[name] = list(accumulate(by_week[week] for week in weeks))[-MAX_WEEKS:]
    return Series(weeks[-MAX_WEEKS:], counts)


def _count_by_day(
    session: Session,
    moment: InstrumentedAttribute[datetime | None],
    column: InstrumentedAttribute[Any],
) -> Counter[tuple[date, str]]:
    day = day_in_utc(session, moment)
    rows = select(day, column, func.count()).where(Subscriber.confirmed_at.is_not(None), moment.is_not(None))
    found: Counter[tuple[date, str]] = Counter()
    for when, name, number in session.execute(rows.group_by(day, column)):
        found[date.fromisoformat(str(when)), name] += number  # SQLite returns texts, PostgreSQL dates
    return found


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def latest_slots(session: Session) -> list[SlotStatistics]:
    """The last digests, the oldest first. A slot that was run several times is counted as it stands now."""
    last = func.max(RunRecord.id)
    slots = (
        select(RunRecord.slot, func.min(RunRecord.finished_at))
        .where(RunRecord.kind == RunKind.DIGEST)
        .group_by(RunRecord.slot)
        .order_by(last.desc())
    )
    began = {slot: moment for slot, moment in session.execute(slots.limit(MAX_RUNS)) if slot}
    chosen = list(began)[::-1]
    states = count_slots_by_state(session, chosen)
    returned = _count_returned(session, min(began.values())) if began else Counter()
    return [
        SlotStatistics(
            slot,
            states[slot, DeliveryState.SENT],
            states[slot, DeliveryState.DEFERRED],
            states[slot, DeliveryState.FAILED],
            returned[slot, "bounce"],
            returned[slot, "complaint"],
        )
        for slot in chosen
    ]


def _count_returned(session: Session, since: datetime) -> Counter[tuple[str, str]]:
    """How many mails of each slot have come back since a time, by the kind of what came."""
    rows = (
        select(Delivery.slot, BounceMail.kind, func.count(Delivery.id.distinct()))
        .join_from(BounceMail, Delivery)
        .where(BounceMail.received_at >= since)
    )
    counted = session.execute(rows.group_by(Delivery.slot, BounceMail.kind))
    return Counter({(slot, kind): number for slot, kind, number in counted})


@dataclass(frozen=True)
class MonthStatistics:
    """What became of the mails of a month, those included whose rows were pruned."""

    month: date
    sent: int
    failed: int
    uncertain: int
    skipped: int


def mails_by_month(session: Session) -> list[MonthStatistics]:
    """The mails of each month, by when they were planned, the newest month first."""
    counts = count_by_month(session)
    months = sorted({month for month, _ in counts}, reverse=True)
    states = (DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.UNCERTAIN, DeliveryState.SKIPPED)
    return [MonthStatistics(month, *(counts[month, state] for state in states)) for month in months]
