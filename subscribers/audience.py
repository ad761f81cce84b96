"""Who is due: the readers of a frequency, grouped by what they will get, and those left out."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from subscribers.models import Subscriber, Suppression


@dataclass(frozen=True)
class Group:
    """Readers who stand at the same place and read the same language: they get one edition."""

    language: str
    cursor: int
    subscriber_ids: tuple[int, ...]


@dataclass(frozen=True)
class Audience:
    """All candidates of one digest: `groups` are due, `skipped` gives the others' reason by id."""

    groups: tuple[Group, ...]
    skipped: dict[int, str]

    @property
    def candidates(self) -> int:
        """How many subscribers the digest has to account for."""
        return len(self.skipped) + sum(len(group.subscriber_ids) for group in self.groups)


def due(
    session: Session,
    frequency: str,
    already_planned: Collection[int],
    under_way: Collection[int],
    *,
    since: datetime,
) -> Audience:
    """The active subscribers of a frequency, and why others of it get nothing: they pause, or they
    have left `since` the last digest.

    Those `already_planned` have their mail in this slot; those with one `under_way` get the next
    when it has arrived, so that papers keep their order.
    """
    has_left = and_(Subscriber.status.in_(("unsubscribed", "bounced")), Subscriber.ended_at > since)
    candidates = select(
        Subscriber.id, Subscriber.email, Subscriber.status, Subscriber.language, Subscriber.cursor
    ).where(
        Subscriber.frequency == frequency,
        or_(Subscriber.status.in_(("active", "paused")), has_left),
    )
    suppressed = set(session.scalars(select(Suppression.email)))
    groups: dict[tuple[str, int], list[int]] = {}
    skipped: dict[int, str] = {}
    for id_, email, status, language, cursor in session.execute(candidates.order_by(Subscriber.id)):
        if status != "active":
            skipped[id_] = status
        elif id_ in already_planned:
            skipped[id_] = "planned earlier in this slot"
        elif id_ in under_way:
            skipped[id_] = "an earlier mail is still under way"
        elif email.lower() in suppressed:
            skipped[id_] = "suppressed"
        else:
            groups.setdefault((language, cursor), []).append(id_)
    return Audience(tuple(Group(*place, tuple(ids)) for place, ids in sorted(groups.items())), skipped)
