"""What happens to deliveries outside sending: a server's log confirms them, they bounce, newer copies replace them,
an operator calls them off, their subscriber is forgotten."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Row, Update, and_, delete, exists, or_, select, update
from sqlalchemy.orm import Session, aliased

from core.locks import advisory_lock
from delivery.counts import counted_until, note_bounce, uncount_missing_ids
from delivery.models import Delivery, EditionRow
from delivery.retry import MAX_REPLY_CHARACTERS
from delivery.states import DeliveryKind, DeliveryState
from subscribers.models import AccountEvent, Subscriber
from subscribers.status import SubscriberStatus

MAX_IDS_PER_STATEMENT = 500


def confirm_sent(session: Session, message_ids: Sequence[str], now: datetime) -> int:
    """Settle deliveries as sent that the mail server has accepted, but that the outbox has under way or uncertain.

    Returns how many there were.
    """
    confirmed = 0
    for start in range(0, len(message_ids), MAX_IDS_PER_STATEMENT):
        unsettled = update(Delivery).where(
            Delivery.message_id.in_(message_ids[start : start + MAX_IDS_PER_STATEMENT]),
            or_(Delivery.due_at.is_not(None), _is_given_up(session)),
        )
        reply = "named in the mail server's log"
        sent = unsettled.values(state=DeliveryState.SENT, reply=reply, due_at=None, settled_at=now)
        confirmed += _update(session, sent.values(claimed_by=""))
    return confirmed


def plan_uncertain_again(session: Session, since: datetime, now: datetime) -> int:
    """Plan deliveries again that were planned `since` a time and are uncertain for good, because no server has them.

    Those that became uncertain after `now`, when the log was opened, may be in it by now. Returns how many there were.
    """
    lost = update(Delivery).where(
        _is_given_up(session), Delivery.planned_at >= since, Delivery.settled_at <= now
    )
    reply = "not named in the mail server's log"
    again = lost.values(state=DeliveryState.PLANNED, reply=reply, due_at=now, settled_at=None, repeats=0)
    return _update(session, again.values(claimed_by=""))


def _update(session: Session, statement: Update) -> int:
    done = session.execute(statement.execution_options(synchronize_session=False))
    return int(done.rowcount)  # type: ignore[attr-defined]  # an UPDATE counts its rows


def _is_given_up(session: Session) -> ColumnElement[bool]:
    """The condition that nobody repeats an uncertain delivery any more. What is in the counts stays as it is."""
    advisory_lock(session, "counts")  # upkeep counts nothing meanwhile
    return and_(
        Delivery.state == DeliveryState.UNCERTAIN,
        Delivery.due_at.is_(None),
        Delivery.id > counted_until(session),
    )


def mark_bounced(session: Session, delivery_id: int, reason: str) -> None:
    """Mark a delivery as failed because its mail bounced after a server had accepted it."""
    accepted = select(Delivery).where(
        Delivery.id == delivery_id, Delivery.state.in_((DeliveryState.SENT, DeliveryState.UNCERTAIN))
    )
    delivery = session.scalar(accepted.with_for_update().execution_options(populate_existing=True))
    if delivery is None:
        return
    note_bounce(session, delivery)
    delivery.state, delivery.due_at = DeliveryState.FAILED, None
    delivery.reply = f"returned: {reason}"[:MAX_REPLY_CHARACTERS]
    session.flush()


def supersede(session: Session, copies: Mapping[int, Collection[int]], slot: str, now: datetime) -> None:
    """Skip unattempted deliveries of older copies for subscribers who have all of their papers in the slot.

    `copies` are the ids of their editions, each with its papers.
    """
    in_slot = select(Delivery.edition_id).where(Delivery.slot == slot)
    editions = session.execute(
        select(EditionRow.id, EditionRow.papers).where(EditionRow.id.in_(in_slot))
    ).all()
    for edition, papers in copies.items():
        newer = [id_ for id_, brought in editions if set(papers) <= set(brought)]
        session.execute(_supersede(edition, newer, slot, now).execution_options(synchronize_session=False))


def _supersede(edition: int, newer_editions: Sequence[int], slot: str, now: datetime) -> Update:
    newer = aliased(Delivery)
    has_newer = exists().where(
        newer.subscriber_id == Delivery.subscriber_id,
        newer.slot == slot,
        newer.edition_id.in_(newer_editions),
    )
    waiting = update(Delivery).where(
        Delivery.edition_id == edition,
        Delivery.state == DeliveryState.PLANNED,
        Delivery.slot != slot,
        has_newer,
    )
    reply = f"replaced in {slot}"
    return waiting.values(state=DeliveryState.SKIPPED, reply=reply, due_at=None, settled_at=now)


def take_back(
    session: Session, editions: Sequence[int], reason: str, now: datetime
) -> Sequence[Row[int, int, int, DeliveryKind]]:
    """Skip up to MAX_IDS_PER_STATEMENT deliveries of these editions of which nothing has left yet.

    Returns the id, subscriber, edition and kind of each. A sender that has claimed one of them does not get to mark it
    as sending, because the claim is gone. What may have arrived is left for `stop_repeating`.
    """
    unsent = (DeliveryState.PLANNED, DeliveryState.CLAIMED, DeliveryState.DEFERRED)
    rows = (
        select(Delivery.id, Delivery.subscriber_id, Delivery.edition_id, Delivery.kind)
        .where(Delivery.edition_id.in_(editions), Delivery.state.in_(unsent), Delivery.repeats == 0)
        .order_by(Delivery.id)
        .limit(MAX_IDS_PER_STATEMENT)
        .with_for_update()
    )
    found = session.execute(rows).all()
    taken = update(Delivery).where(Delivery.id.in_([row.id for row in found]))
    skipped = taken.values(
        state=DeliveryState.SKIPPED, claimed_by="", reply=reason, due_at=None, settled_at=now
    )
    session.execute(skipped.execution_options(synchronize_session=False))
    return found


def stop_repeating(session: Session, editions: Sequence[int], now: datetime) -> None:
    """Leave deliveries of these editions uncertain that may have arrived and wait to be repeated."""
    waiting = update(Delivery).where(
        Delivery.due_at.is_not(None),
        Delivery.edition_id.in_(editions),
        or_(Delivery.repeats > 0, Delivery.state == DeliveryState.UNCERTAIN),
        Delivery.state != DeliveryState.SENDING,
    )
    uncertain = waiting.values(state=DeliveryState.UNCERTAIN, claimed_by="", due_at=None, settled_at=now)
    session.execute(uncertain.execution_options(synchronize_session=False))


def cancel(session: Session, subscriber_id: int) -> None:
    """Skip what has not been sent to a subscriber who is forgotten, and erase what servers said about them."""
    theirs = update(Delivery).where(Delivery.subscriber_id == subscriber_id)
    waiting = theirs.where(Delivery.state.in_((DeliveryState.PLANNED, DeliveryState.DEFERRED)))
    session.execute(waiting.values(state=DeliveryState.SKIPPED, due_at=None))
    session.execute(theirs.values(reply=""))


def erase_forgotten_subscribers(session: Session) -> None:
    """Delete the emptied rows of forgotten subscribers to whom nothing is under way any more."""
    is_under_way = exists().where(Delivery.subscriber_id == Subscriber.id, Delivery.due_at.is_not(None))
    forgotten = select(Subscriber.id).where(Subscriber.status == SubscriberStatus.FORGOTTEN, ~is_under_way)
    if session.scalar(forgotten.limit(1)) is None:
        return
    advisory_lock(session, "counts")  # upkeep counts nothing meanwhile
    for column in (Delivery.subscriber_id, AccountEvent.subscriber_id, Subscriber.id):
        session.execute(
            delete(column.class_).where(column.in_(forgotten)).execution_options(synchronize_session=False)
        )
    uncount_missing_ids(session)
