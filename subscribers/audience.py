"""Who is due: the readers of a frequency, grouped by what they will get, and those left out."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select
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
        """How many active subscribers have this frequency."""
        return len(self.skipped) + sum(len(group.subscriber_ids) for group in self.groups)


def due(
    session: Session, frequency: str, already_planned: Collection[int], under_way: Collection[int]
) -> Audience:
    """The active subscribers of a frequency.

    Those `already_planned` have their mail in this slot; those with one `under_way` get the next
    when it has arrived, so that papers keep their order.
    """
    active = select(Subscriber.id, Subscriber.email, Subscriber.language, Subscriber.cursor).where(
        Subscriber.status == "active", Subscriber.frequency == frequency
    )
    suppressed = set(session.scalars(select(Suppression.email)))
    groups: dict[tuple[str, int], list[int]] = {}
    skipped: dict[int, str] = {}
    for id_, email, language, cursor in session.execute(active.order_by(Subscriber.id)):
        if id_ in already_planned:
            skipped[id_] = "planned earlier in this slot"
        elif id_ in under_way:
            skipped[id_] = "an earlier mail is still under way"
        elif email.lower() in suppressed:
            skipped[id_] = "suppressed"
        else:
            groups.setdefault((language, cursor), []).append(id_)
    return Audience(tuple(Group(*place, tuple(ids)) for place, ids in sorted(groups.items())), skipped)
