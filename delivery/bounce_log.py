"""The log of bounce mails: counted for operators, and made anonymous when a subscriber is forgotten."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from delivery.models import BounceMail, Delivery
from delivery.providers import Provider, provider_of
from delivery.states import DeliveryState
from delivery.transport.base import without_addresses
from subscribers.models import Subscriber


def bounces_by_kind(session: Session, since: datetime) -> Counter[str]:
    """How many bounce mails of each kind came since a time."""
    rows = select(BounceMail.kind, func.count()).where(BounceMail.received_at > since)
    return Counter(dict(session.execute(rows.group_by(BounceMail.kind)).all()))


def returned_by_slot(session: Session, since: datetime, kind: str) -> dict[str, int]:
    """For each slot, how many deliveries that were planned since a time have come back as a bounce or a complaint."""
    rows = (
        select(Delivery.slot, func.count())
        .join_from(BounceMail, Delivery)
        .where(BounceMail.kind == kind, BounceMail.received_at > since, Delivery.planned_at > since)
    )
    return dict(session.execute(rows.group_by(Delivery.slot)).all())


def bounces_by_provider(session: Session, slot: str, since: datetime) -> Counter[Provider]:
    """How many mails of a slot have bounced since a time, by the large provider of their address."""
    rows = (
        select(Subscriber.email)
        .join_from(BounceMail, Delivery)
        .join(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .where(BounceMail.kind == "bounce", BounceMail.received_at > since, Delivery.slot == slot)
    )
    providers = map(provider_of, session.scalars(rows))
    return Counter(provider for provider in providers if provider)


def count_to_provider(session: Session, slot: str, provider: Provider) -> int:
    """How many mails of a slot went to addresses of a provider and were answered for good."""
    answered = (DeliveryState.SENT, DeliveryState.FAILED)
    rows = (
        select(func.count())
        .select_from(Delivery)
        .join(Subscriber)
        .where(Delivery.slot == slot, Delivery.state.in_(answered))
        .where(or_(*(func.lower(Subscriber.email).endswith(f"@{domain}") for domain in provider.domains)))
    )
    return session.scalar(rows) or 0


def forget_bounces(session: Session, subscriber_id: int) -> None:
    """Erase from the log everything that names a subscriber."""
    theirs = update(BounceMail).where(BounceMail.subscriber_id == subscriber_id)
    session.execute(theirs.values(reason="", raw=None, subscriber_id=None, delivery_id=None))


@dataclass(frozen=True)
class BounceGroup:
    """Bounce mails of one kind, of which the same was done for the same reason. The reason has no addresses."""

    kind: str
    action: str
    status: str
    reason: str
    count: int


def bounce_groups(session: Session, since: datetime, slot: str = "") -> list[BounceGroup]:
    """The bounce mails since a time, perhaps only those of a slot, grouped by reason: the largest group first."""
    rows = select(
        BounceMail.kind, BounceMail.action, BounceMail.status, BounceMail.reason, func.count()
    ).where(BounceMail.received_at > since)
    if slot:
        rows = rows.join(Delivery, BounceMail.delivery_id == Delivery.id).where(Delivery.slot == slot)
    found = Counter[tuple[str, str, str, str]]()
    for kind, action, status, reason, count in session.execute(
        rows.group_by(BounceMail.kind, BounceMail.action, BounceMail.status, BounceMail.reason)
    ):
        found[kind, action, status, without_addresses(reason)] += count
    return [BounceGroup(*key, count) for key, count in found.most_common()]
