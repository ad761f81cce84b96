"""The log of bounce mails: counted for operators, and made anonymous when a subscriber is forgotten."""

from collections import Counter
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from delivery.models import BounceMail, Delivery


def bounces_by_kind(session: Session, since: datetime) -> Counter[str]:
    """How many bounce mails of each kind came since a time."""
    rows = select(BounceMail.kind, func.count()).where(BounceMail.received_at > since)
    return Counter(dict(session.execute(rows.group_by(BounceMail.kind)).all()))


def bounces_by_slot(session: Session, since: datetime) -> dict[str, int]:
    """For each slot, how many deliveries were planned since a time and have bounced since then."""
    rows = (
        select(Delivery.slot, func.count())
        .join_from(BounceMail, Delivery)
        .where(BounceMail.kind == "bounce", BounceMail.received_at > since, Delivery.planned_at > since)
    )
    return dict(session.execute(rows.group_by(Delivery.slot)).all())


def forget_bounces(session: Session, subscriber_id: int) -> None:
    """Erase from the log everything that names a subscriber."""
    theirs = update(BounceMail).where(BounceMail.subscriber_id == subscriber_id)
    session.execute(theirs.values(reason="", raw=None, subscriber_id=None, delivery_id=None))
