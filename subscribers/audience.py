"""The audience of a digest: who is due, grouped by what they will get, and who is not, with the reasons.

Everything is counted in the database, so that no subscriber is loaded.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import add
from types import MappingProxyType

from sqlalchemy import ColumnElement, String, and_, case, func, literal, or_, select, true, type_coerce
from sqlalchemy.orm import Session

from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language
from subscribers.models import Subscriber
from subscribers.status import SUBSCRIBED, SubscriberStatus
from subscribers.suppression import has_suppressed_address

GroupKey = tuple[Language, Detail, int]  # language, detail and cursor


@dataclass(frozen=True)
class AudienceGroup:
    """Subscribers with the same cursor, language and detail, who get the same edition. `size` counts them.

    `had` are the numbers of papers above their cursor that they have had before.
    """

    language: Language
    detail: Detail
    cursor: int
    size: int
    had: frozenset[int] = frozenset()

    @property
    def key(self) -> GroupKey:
        """The columns by which its subscribers are found. Groups that differ only in `had` have the same key."""
        return self.language, self.detail, self.cursor


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
    who: ColumnElement[bool] = true(),  # noqa: B008  an immutable expression
    has_had: Mapping[int, ColumnElement[bool]] = MappingProxyType({}),
) -> Audience:
    """The active subscribers of a frequency among `who`, and why other candidates get nothing.

    A candidate is skipped for the first of the `skip_reasons` that holds (each is a condition on a
    subscriber), because they pause, or because they left after `since`. `has_had` gives, for papers that some have
    had before, the condition that a subscriber is one of them.
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
    bits = [case((condition, "1"), else_="0") for condition in has_had.values()]
    had = reduce(add, bits, literal(""))
    group = (Subscriber.language, Subscriber.detail, Subscriber.cursor, had)
    rows = (
        select(reason, *group, func.count())
        .where(who, Subscriber.frequency == frequency, or_(Subscriber.status.in_(SUBSCRIBED), has_left))
        .group_by(reason, *group)
        .order_by(*group)
    )
    groups: list[AudienceGroup] = []
    skipped: Counter[str] = Counter()
    for why, language, detail, cursor, read_before, size in session.execute(rows):
        if why:
            skipped[why] += size
        else:
            papers = frozenset(number for number, bit in zip(has_had, read_before, strict=True) if bit == "1")
            groups.append(AudienceGroup(language, detail, cursor, size, papers))
    return Audience(tuple(groups), skipped)


def group_keys(session: Session, who: ColumnElement[bool]) -> set[GroupKey]:
    """The keys of the groups that the subscribers among `who` are in."""
    rows = select(Subscriber.language, Subscriber.detail, Subscriber.cursor).where(who).distinct()
    return {(language, detail, cursor) for language, detail, cursor in session.execute(rows)}


def count_by_kind(session: Session) -> dict[tuple[SubscriberStatus, Language, Frequency, Detail], int]:
    """How many subscribers have each status, language, frequency and detail."""
    kind = (Subscriber.status, Subscriber.language, Subscriber.frequency, Subscriber.detail)
    rows = session.execute(select(*kind, func.count()).group_by(*kind).order_by(*kind))
    return {
        (status, language, frequency, detail): count for status, language, frequency, detail, count in rows
    }
