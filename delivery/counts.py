"""Counts of deliveries that are kept: by edition, so that no question reads millions of rows, and by month, for ever.

Upkeep counts what is settled and can change no more but by a bounce, in the order of the ids. Whoever asks adds what
comes after the last counted id, so the answer is exact at any time. Counted deliveries stay in the counts when they are
pruned, and when their subscriber is forgotten.
"""

from collections import Counter
from collections.abc import Callable, Collection
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, and_, case, func, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from core.database import upsert
from core.locks import advisory_lock
from core.slots import WELCOME
from delivery.models import CountedUntil, Delivery, EditionCount, EditionRow, MonthlyCount
from delivery.retry import MAX_WAIT_FOR_OUR_FAULT
from delivery.states import CountedSubject, DeliveryKind, DeliveryState

# A failed delivery may be planned again within MAX_WAIT_FOR_OUR_FAULT. A day more is longer than any transaction lasts.
COUNTED_AFTER = MAX_WAIT_FOR_OUR_FAULT + timedelta(days=1)
ROWS_PER_COUNT = 20_000

T = TypeVar("T")
MonthlyKey = tuple[date, str, str, str, str]  # month, kind, language, frequency, state


def counted_until(session: Session) -> int:
    """The id of the last delivery that is in the counts, or 0."""
    return session.scalar(select(CountedUntil.delivery_id)) or 0


def countable_slot() -> ColumnElement[str]:
    """The slot under which a delivery with papers is counted. All welcomes are one, because each has a slot of its own."""
    return case((Delivery.slot.startswith(f"{WELCOME}:"), WELCOME), else_=Delivery.slot)


# --- counting -----------------------------------------------------------------------


def count_settled(session: Session, now: datetime) -> int:
    """Count the next deliveries that are settled, up to ROWS_PER_COUNT. Returns how many there were."""
    advisory_lock(session, "counts")
    since = counted_until(session)
    until = _last_countable(session, since, now)
    if until <= since:
        return 0
    day, slot = day_in_utc(session, Delivery.planned_at), countable_slot()
    key = (Delivery.edition_id, slot, Delivery.kind, Delivery.state, day)
    of_edition = (EditionRow.kind, EditionRow.language, EditionRow.frequency)
    rows = (
        select(*key, *of_edition, func.count()).join(EditionRow).where(Delivery.id.between(since + 1, until))
    )
    by_edition, by_month = Counter[tuple[int, str, str]](), Counter[MonthlyKey]()
    for edition, where, why, state, planned_on, kind, language, frequency, count in session.execute(
        rows.group_by(*key, *of_edition)
    ):
        if why != DeliveryKind.LETTER:
            by_edition[edition, where, state] += count
        by_month[month_of(planned_on), kind, language, frequency, state] += count
    _add_to_editions(session, by_edition)
    add_to_months(session, CountedSubject.MAIL, by_month)
    _move_on(session, until)
    return by_month.total()


def _last_countable(session: Session, since: int, now: datetime) -> int:
    """The id up to which deliveries can be counted: before the first one that is not settled, or not for long enough."""
    ids = select(Delivery.id).where(Delivery.id > since).order_by(Delivery.id).limit(ROWS_PER_COUNT)
    last = session.scalar(select(func.max(ids.subquery().c.id))) or 0
    can_change = or_(
        Delivery.due_at.is_not(None),
        Delivery.planned_at > now - COUNTED_AFTER,
        Delivery.settled_at > now - COUNTED_AFTER,  # a mail may have waited for days
    )
    first_open = session.scalar(
        select(func.min(Delivery.id)).where(Delivery.id.between(since + 1, last), can_change)
    )
    return last if first_open is None else first_open - 1


def day_in_utc(session: Session, moment: InstrumentedAttribute[Any]) -> ColumnElement[Any]:
    """The day of a time, in UTC on both databases. SQLite gives it as a text, PostgreSQL as a date."""
    if session.get_bind().dialect.name == "postgresql":
        return func.date(func.timezone("UTC", moment))
    return func.date(moment)


def month_of(day: date | str) -> date:
    """The first day of a day's month. SQLite gives days as texts."""
    return (date.fromisoformat(day) if isinstance(day, str) else day).replace(day=1)


def add_to_months(session: Session, subject: CountedSubject, counts: Counter[MonthlyKey]) -> None:
    """Add to the monthly counts of a subject."""
    names = ("month", "kind", "language", "frequency", "state")
    _add(
        session,
        MonthlyCount,
        [
            {"subject": subject, **dict(zip(names, map(_plain, key), strict=True)), "count": count}
            for key, count in counts.items()
        ],
    )


def _add_to_editions(session: Session, counts: Counter[tuple[int, str, str]]) -> None:
    names = ("edition_id", "slot", "state")
    _add(
        session,
        EditionCount,
        [dict(zip(names, key, strict=True)) | {"count": count} for key, count in counts.items()],
    )


def _add(session: Session, table: type[EditionCount | MonthlyCount], rows: list[dict[str, Any]]) -> None:
    for row in rows:
        adding = upsert(session, table).values(row)
        more = {"count": table.count + adding.excluded["count"]}
        session.execute(
            adding.on_conflict_do_update(index_elements=list(table.__table__.primary_key), set_=more)
        )


def _plain(value: object) -> object:
    return str(value) if isinstance(value, str) else value


def _move_on(session: Session, until: int) -> None:
    mark = session.get(CountedUntil, 1) or CountedUntil(id=1)
    mark.delivery_id = until
    session.add(mark)
    session.flush()


def uncount_missing_ids(session: Session) -> None:
    """Let counting go on after the last delivery there is. SQLite gives the ids of later, deleted ones to new ones.

    The caller holds the lock of counts.
    """
    last_id = session.scalar(select(func.max(Delivery.id))) or 0
    session.execute(
        update(CountedUntil).where(CountedUntil.delivery_id > last_id).values(delivery_id=last_id)
    )


def note_bounce(session: Session, delivery: Delivery) -> None:
    """Correct the counts of a delivery that is about to become failed, because its mail came back."""
    advisory_lock(session, "counts")
    if delivery.id > counted_until(session):
        return
    edition, state = delivery.edition, delivery.state
    slot = WELCOME if delivery.slot.startswith(f"{WELCOME}:") else delivery.slot
    month = month_of(delivery.planned_at.date())
    key = (edition.kind, edition.language, edition.frequency)
    changes = ((state, -1), (DeliveryState.FAILED, 1))
    if delivery.kind != DeliveryKind.LETTER:
        _add_to_editions(session, Counter({(edition.id, slot, each): change for each, change in changes}))
    add_to_months(
        session, CountedSubject.MAIL, Counter({(month, *key, each): change for each, change in changes})
    )


# --- answers ------------------------------------------------------------------------


def _answer(session: Session, read: Callable[[int], T]) -> T:
    """What `read` finds with the last counted id. It reads again if upkeep has counted more between its statements."""
    while True:
        since = counted_until(session)
        found = read(since)
        if counted_until(session) == since:
            return found


def count_by_month(session: Session) -> Counter[tuple[date, str]]:
    """How many deliveries were planned in each month that are in each state, those that were pruned included."""
    key = (MonthlyCount.month, MonthlyCount.state)
    kept = select(*key, func.sum(MonthlyCount.count)).where(MonthlyCount.subject == CountedSubject.MAIL)
    day = day_in_utc(session, Delivery.planned_at)

    def read(since: int) -> Counter[tuple[date, str]]:
        newer = select(day, Delivery.state, func.count()).where(Delivery.id > since)
        found = Counter[tuple[date, str]]()
        for rows in (kept.group_by(*key), newer.group_by(day, Delivery.state)):
            for when, state, count in session.execute(rows):
                found[month_of(when), state] += int(count)
        return +found

    return _answer(session, read)


def count_by_state(session: Session) -> Counter[str]:
    """How many deliveries there have been in each state, those that were pruned included."""
    found = Counter[str]()
    for (_, state), count in count_by_month(session).items():
        found[state] += count
    return found


def count_slots_by_state(session: Session, slots: Collection[str]) -> Counter[tuple[str, str]]:
    """How many deliveries of each slot are in each state."""
    key = (EditionCount.slot, EditionCount.state)
    kept = select(*key, func.sum(EditionCount.count)).where(EditionCount.slot.in_(slots))

    def read(since: int) -> Counter[tuple[str, str]]:
        found = Counter[tuple[str, str]]()
        for slot, state, count in session.execute(kept.group_by(*key)):
            found[slot, state] += int(count)
        known = {slot for slot, _ in found}
        newer = and_(Delivery.slot.in_(known), Delivery.id > since)
        # A slot without any count has no counted delivery yet, or is that of one letter or welcome, whose rows are few.
        for condition in (newer, Delivery.slot.in_(set(slots) - known)):
            rows = select(Delivery.slot, Delivery.state, func.count()).where(condition)
            for slot, state, count in session.execute(rows.group_by(Delivery.slot, Delivery.state)):
                found[slot, state] += count
        return +found

    return _answer(session, read)


def count_slot_by_state(session: Session, slot: str) -> Counter[str]:
    """How many deliveries of a slot are in each state."""
    return Counter({state: count for (_, state), count in count_slots_by_state(session, [slot]).items()})


def count_editions_by_state(
    session: Session, editions: Collection[int]
) -> Counter[tuple[str, int, DeliveryState]]:
    """How many deliveries of each edition are in each state, by slot."""
    kept = select(EditionCount.slot, EditionCount.edition_id, EditionCount.state, EditionCount.count)
    key = (countable_slot(), Delivery.edition_id, Delivery.state)
    newer = select(*key, func.count()).where(Delivery.edition_id.in_(editions)).group_by(*key)

    def read(since: int) -> Counter[tuple[str, int, DeliveryState]]:
        found = Counter[tuple[str, int, DeliveryState]]()
        for rows in (kept.where(EditionCount.edition_id.in_(editions)), newer.where(Delivery.id > since)):
            for slot, edition, state, count in session.execute(rows):
                found[slot, edition, state] += count
        return +found

    return _answer(session, read)
