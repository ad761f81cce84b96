"""Statistics for plots: how the number of subscribers developed, and what became of the mails of each digest."""

from collections import Counter
from collections.abc import Sequence
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
from delivery.counts import count_slots_by_state
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
    day = func.date(moment)
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
        select(RunRecord.slot)
        .where(RunRecord.kind == RunKind.DIGEST)
        .group_by(RunRecord.slot)
        .order_by(last.desc())
    )
    chosen = [slot for slot in session.scalars(slots.limit(MAX_RUNS)) if slot][::-1]
    states = count_slots_by_state(session, chosen)
    bounced = _count_returned(session, chosen, "bounce")
    complaints = _count_returned(session, chosen, "complaint")
    return [
        SlotStatistics(
            slot,
            states[slot, DeliveryState.SENT],
            states[slot, DeliveryState.DEFERRED],
            states[slot, DeliveryState.FAILED],
            bounced[slot],
            complaints[slot],
        )
        for slot in chosen
    ]


def _count_returned(session: Session, slots: Sequence[str], kind: str) -> Counter[str]:
    rows = (
        select(Delivery.slot, func.count(Delivery.id.distinct()))
        .join(BounceMail, BounceMail.delivery_id == Delivery.id)
        .where(Delivery.slot.in_(slots), BounceMail.kind == kind)
    )
    return Counter(dict(session.execute(rows.group_by(Delivery.slot)).all()))
