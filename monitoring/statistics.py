"""How readers and runs have developed: figures for plots, counted in the database."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import accumulate
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from core.run_log import Run
from delivery.models import Delivery, ReturnedMail
from subscribers.models import FREQUENCIES, LANGUAGES, Subscriber

MOST_WEEKS = 104
MOST_RUNS = 30


@dataclass(frozen=True)
class Series:
    """How many there were at the end of each week, by name; `weeks` are the Mondays these began."""

    weeks: list[date]
    counts: dict[str, list[int]]


@dataclass(frozen=True)
class RunFigures:
    """What became of the mails of a slot."""

    slot: str
    sent: int
    deferred: int
    failed: int
    bounced: int


def readers_by_week(session: Session, by: Literal["language", "frequency"], now: datetime) -> Series:
    """How many readers there were, by the language or frequency that they have now.

    Those who were forgotten are in no figure; nor are those who never confirmed.
    """
    column = Subscriber.language if by == "language" else Subscriber.frequency
    names = LANGUAGES if by == "language" else FREQUENCIES
    came, went = (
        _by_day(session, Subscriber.confirmed_at, column),
        _by_day(session, Subscriber.ended_at, column),
    )
    moves = Counter(came)
    moves.subtract(went)
    this_week = _monday(now.date())
    first = _monday(min((day for day, _ in moves), default=now.date()))
    weeks = [first + timedelta(weeks=number) for number in range((this_week - first).days // 7 + 1)]
    counts = {}
    for name in names:
        changes = Counter[date]()
        for (day, which), number in moves.items():
            changes[_monday(day)] += number if which == name else 0
        counts[name] = list(accumulate(changes[week] for week in weeks))[-MOST_WEEKS:]
    return Series(weeks[-MOST_WEEKS:], counts)


def _by_day(
    session: Session, moment: InstrumentedAttribute[datetime | None], column: InstrumentedAttribute[str]
) -> Counter[tuple[date, str]]:
    day = func.date(moment)
    rows = select(day, column, func.count()).where(Subscriber.confirmed_at.is_not(None), moment.is_not(None))
    found: Counter[tuple[date, str]] = Counter()
    for when, name, number in session.execute(rows.group_by(day, column)):
        found[date.fromisoformat(str(when)), name] += number  # SQLite gives texts, PostgreSQL dates
    return found


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def runs_by_slot(session: Session) -> list[RunFigures]:
    """The last digests, the oldest first; a slot that ran several times is counted as it stands now."""
    last = func.max(Run.id)
    slots = select(Run.slot).where(Run.kind == "digest").group_by(Run.slot).order_by(last.desc())
    chosen = [slot for slot in session.scalars(slots.limit(MOST_RUNS)) if slot][::-1]
    states = _states(session, chosen)
    bounced = _bounced(session, chosen)
    return [
        RunFigures(
            slot, states[slot, "sent"], states[slot, "deferred"], states[slot, "failed"], bounced[slot]
        )
        for slot in chosen
    ]


def _states(session: Session, slots: Sequence[str]) -> Counter[tuple[str, str]]:
    rows = select(Delivery.slot, Delivery.state, func.count()).where(Delivery.slot.in_(slots))
    counted = session.execute(rows.group_by(Delivery.slot, Delivery.state))
    return Counter({(slot, state): number for slot, state, number in counted})


def _bounced(session: Session, slots: Sequence[str]) -> Counter[str]:
    rows = (
        select(Delivery.slot, func.count(Delivery.id.distinct()))
        .join(ReturnedMail, ReturnedMail.delivery_id == Delivery.id)
        .where(Delivery.slot.in_(slots), ReturnedMail.kind == "bounce")
    )
    return Counter(dict(session.execute(rows.group_by(Delivery.slot)).tuples().all()))
