"""What becomes of deliveries by something else than sending: they come back, a log tells that they went out,
newer copies replace them, their reader is forgotten."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, exists, select, update
from sqlalchemy.orm import Session, aliased

from delivery.models import Delivery, ReturnedMail
from subscribers.models import AccountEvent, Subscriber


def found_sent(session: Session, message_ids: Sequence[str], now: datetime) -> int:
    """Settle as sent what is under way here, but was taken by the mail server by its own account; how many."""
    found = 0
    for start in range(0, len(message_ids), 500):
        under_way = update(Delivery).where(
            Delivery.message_id.in_(message_ids[start : start + 500]), Delivery.due_at.is_not(None)
        )
        sent = under_way.values(
            state="sent", claim="", reply="named in the mail server's log", due_at=None, settled_at=now
        )
        done = session.execute(sent.execution_options(synchronize_session=False))
        found += done.rowcount  # type: ignore[attr-defined]  # an UPDATE counts its rows
    return found


def came_back(session: Session, delivery_id: int, words: str) -> None:
    """A mail that a server had taken was returned: its delivery failed, for what the report says."""
    taken = update(Delivery).where(Delivery.id == delivery_id, Delivery.state.in_(("sent", "uncertain")))
    session.execute(taken.values(state="failed", reply=f"returned: {words}"[:500], due_at=None))


def supersede(session: Session, editions: Sequence[int], slot: str, now: datetime) -> None:
    """Skip what waits of these editions and was not tried yet, for readers who have a mail in the slot."""
    newer = aliased(Delivery)
    has_newer = exists().where(newer.subscriber_id == Delivery.subscriber_id, newer.slot == slot)
    waiting = update(Delivery).where(
        Delivery.edition_id.in_(editions), Delivery.state == "planned", Delivery.slot != slot, has_newer
    )
    skipped = waiting.values(state="skipped", reply=f"replaced in {slot}", due_at=None, settled_at=now)
    session.execute(skipped.execution_options(synchronize_session=False))


def call_off(session: Session, subscriber_id: int) -> None:
    """Skip what was to go to a subscriber who is forgotten, and keep no server's words about them, nor what
    names them in the record of returned mail."""
    theirs = update(Delivery).where(Delivery.subscriber_id == subscriber_id)
    waiting = theirs.where(Delivery.state.in_(("planned", "deferred")))
    session.execute(waiting.values(state="skipped", due_at=None))
    session.execute(theirs.values(reply=""))
    returned = update(ReturnedMail).where(ReturnedMail.subscriber_id == subscriber_id)
    session.execute(returned.values(said="", raw=None, subscriber_id=None, delivery_id=None))


def erase_forgotten(session: Session) -> None:
    """Delete the empty rows of forgotten subscribers to whom nothing is on its way."""
    is_on_its_way = exists().where(Delivery.subscriber_id == Subscriber.id, Delivery.due_at.is_not(None))
    gone = select(Subscriber.id).where(Subscriber.status == "forgotten", ~is_on_its_way)
    for table in (Delivery.subscriber_id, AccountEvent.subscriber_id, Subscriber.id):
        session.execute(
            delete(table.class_).where(table.in_(gone)).execution_options(synchronize_session=False)
        )
