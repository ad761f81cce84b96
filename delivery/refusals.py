"""Addresses that refuse digest after digest, without saying that they do not exist."""

from datetime import UTC, datetime
from itertools import groupby

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from delivery.models import Delivery
from delivery.states import DeliveryKind, DeliveryState
from delivery.status_codes import LASTING, failure_kind, status_from_text
from subscribers.models import AccountEvent
from subscribers.suppression import BOUNCED

MAX_REFUSED_DIGESTS = 3  # in a row, after which the address is suppressed
_MAX_DIGESTS_LOOKED_AT = 20
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def is_refused_for_good(session: Session, delivery: Delivery) -> bool:
    """Whether a delivery that was refused is one of MAX_REFUSED_DIGESTS digests in a row that the address refused.

    Bounces can arrive in any order, so the row is counted in the order of the deliveries. After a suppression it begins
    anew, whoever lifted it.
    """
    is_suppression = (AccountEvent.subscriber_id == delivery.subscriber_id, AccountEvent.what == BOUNCED)
    suppressed_at = session.scalar(select(func.max(AccountEvent.at)).where(*is_suppression))
    digests = select(Delivery.id, Delivery.state, Delivery.reply).where(
        Delivery.subscriber_id == delivery.subscriber_id,
        Delivery.kind == DeliveryKind.DIGEST,
        Delivery.state.in_((DeliveryState.SENT, DeliveryState.FAILED)),
        Delivery.planned_at > (suppressed_at or _LONG_AGO),
    )
    rows = session.execute(digests.order_by(Delivery.id.desc()).limit(_MAX_DIGESTS_LOOKED_AT)).all()
    outcomes = [(row.id, row.state == DeliveryState.FAILED and _is_lasting(row.reply)) for row in rows]
    refused = (list(group) for is_refused, group in groupby(outcomes, lambda entry: entry[1]) if is_refused)
    return any(len(row) >= MAX_REFUSED_DIGESTS and delivery.id in dict(row) for row in refused)


def _is_lasting(reply: str) -> bool:
    return failure_kind(status_from_text(reply)) in LASTING
