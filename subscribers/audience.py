"""Who is due: the readers of a frequency, grouped by what they will get, and those left out. Counted in the
database, so that no reader is loaded."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select
from sqlalchemy.orm import Session

from subscribers.models import Subscriber, Suppression


@dataclass(frozen=True)
class Group:
    """Readers who stand at the same place and read the same language: they get one edition."""

    language: str
    cursor: int
    readers: int


@dataclass(frozen=True)
class Audience:
    """All candidates of one digest: `groups` are due, `skipped` counts the others by the reason."""

    groups: tuple[Group, ...]
    skipped: Counter[str]


def due(
    session: Session, frequency: str, *, since: datetime, otherwise: Mapping[str, ColumnElement[bool]]
) -> Audience:
    """The active subscribers of a frequency, and why others of it get nothing: one of the reasons
    `otherwise` holds (a condition on a subscriber each), they pause, or they have left `since` then."""
    has_left = and_(Subscriber.status.in_(("unsubscribed", "bounced")), Subscriber.ended_at > since)
    is_suppressed = exists().where(Suppression.email == func.lower(Subscriber.email))
    reason = case(
        *((condition, name) for name, condition in otherwise.items()),
        (Subscriber.status != "active", Subscriber.status),
        (is_suppressed, "suppressed"),
        else_="",
    )
    place = (Subscriber.language, Subscriber.cursor)
    rows = (
        select(reason, *place, func.count())
        .where(Subscriber.frequency == frequency, or_(Subscriber.status.in_(("active", "paused")), has_left))
        .group_by(reason, *place)
        .order_by(*place)
    )
    groups: list[Group] = []
    skipped: Counter[str] = Counter()
    for why, language, cursor, readers in session.execute(rows):
        if why:
            skipped[why] += readers
        else:
            groups.append(Group(language, cursor, readers))
    return Audience(tuple(groups), skipped)


def count_by_kind(session: Session) -> dict[tuple[str, str, str], int]:
    """How many subscribers have each status, language and frequency."""
    kind = (Subscriber.status, Subscriber.language, Subscriber.frequency)
    rows = session.execute(select(*kind, func.count()).group_by(*kind).order_by(*kind))
    return {(status, language, frequency): count for status, language, frequency, count in rows}
