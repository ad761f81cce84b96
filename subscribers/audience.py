"""The audience of a digest: who is due, grouped by what they will get, and who is not, with the reasons.

Everything is counted in the database, so that no subscriber is loaded.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, String, and_, case, func, or_, select, type_coerce
from sqlalchemy.orm import Session

from core.frequencies import Frequency
from core.languages import Language
from subscribers.models import Subscriber
from subscribers.status import SUBSCRIBED, SubscriberStatus
from subscribers.suppression import has_suppressed_address


@dataclass(frozen=True)
class AudienceGroup:
    """Subscribers with the same cursor and language, who get the same edition. `size` counts them."""

    language: Language
    cursor: int
    size: int


@dataclass(frozen=True)
class Audience:
    """All candidates for one digest: `groups` are due, `skipped` counts the others by their reason."""

    groups: tuple[AudienceGroup, ...]
    skipped: Counter[str]


def read_audience(
    session: Session,
    frequency: Frequency,
    *,
    since: datetime,
    skip_reasons: Mapping[str, ColumnElement[bool]],
) -> Audience:
    """The active subscribers of a frequency, and why other candidates get nothing.

    A candidate is skipped for the first of the `skip_reasons` that holds (each is a condition on a
    subscriber), because they pause, or because they left after `since`.
    """
    has_left = and_(
        Subscriber.status.in_((SubscriberStatus.UNSUBSCRIBED, SubscriberStatus.BOUNCED)),
        Subscriber.ended_at > since,
    )
    reason = case(
        *((condition, name) for name, condition in skip_reasons.items()),
        (Subscriber.status != SubscriberStatus.ACTIVE, type_coerce(Subscriber.status, String)),
        (has_suppressed_address(), "suppressed"),
        else_="",
    )
    group = (Subscriber.language, Subscriber.cursor)
    rows = (
        select(reason, *group, func.count())
        .where(Subscriber.frequency == frequency, or_(Subscriber.status.in_(SUBSCRIBED), has_left))
        .group_by(reason, *group)
        .order_by(*group)
    )
    groups: list[AudienceGroup] = []
    skipped: Counter[str] = Counter()
    for why, language, cursor, size in session.execute(rows):
        if why:
            skipped[why] += size
        else:
            groups.append(AudienceGroup(language, cursor, size))
    return Audience(tuple(groups), skipped)


def count_by_kind(session: Session) -> dict[tuple[SubscriberStatus, Language, Frequency], int]:
    """How many subscribers have each status, language and frequency."""
    kind = (Subscriber.status, Subscriber.language, Subscriber.frequency)
    rows = session.execute(select(*kind, func.count()).group_by(*kind).order_by(*kind))
    return {(status, language, frequency): count for status, language, frequency, count in rows}
