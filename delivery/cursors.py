"""Cursors: how far subscribers have been served. Apart from where a subscription begins, only this module moves them.

A cursor moves forward only for a delivery that the same transaction made, and back only if nothing that went out
later has brought the same papers. So every paper is either unread or in a delivery.
"""

from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update
from sqlalchemy.orm import Session

from delivery.models import Delivery, EditionRow
from delivery.states import DeliveryKind, DeliveryState
from subscribers.models import Subscriber


def last_delivery_id(session: Session) -> int:
    """The highest id of a delivery so far. Deliveries that this transaction makes next have higher ones."""
    return session.scalar(select(func.max(Delivery.id))) or 0


def move_forward(session: Session, among: ColumnElement[bool], *, made_after: int) -> None:
    """Move the subscribers `among` whom a digest was made for to the end of its edition.

    Only deliveries with an id above `made_after` count, which are those of this transaction: the caller holds the
    lock of planning. An older delivery may have been skipped since, and its papers are unread again.
    """
    # The new deliveries are found by their ids. With a condition on the slot, PostgreSQL would read all that was planned in
    # it before. Without the `+ 0`, SQLite would read all that these subscribers were ever sent.
    moved = update(Subscriber).where(
        among,
        Subscriber.id == Delivery.subscriber_id + 0,
        Subscriber.cursor == EditionRow.after_cursor,
        EditionRow.id == Delivery.edition_id,
        Delivery.kind == DeliveryKind.DIGEST,
        Delivery.id > made_after,
    )
    session.execute(moved.values(cursor=EditionRow.next_cursor).execution_options(synchronize_session=False))


def move_back(session: Session, delivery_id: int, subscriber_id: int, edition: EditionRow) -> None:
    """Make the papers of a delivery that is not sent unread again, unless a later delivery brings all of them."""
    later = (
        select(EditionRow.papers)
        .join(Delivery)
        .where(
            Delivery.subscriber_id == subscriber_id,
            Delivery.id > delivery_id,
            Delivery.state != DeliveryState.SKIPPED,
        )
    )
    if any(set(edition.papers) <= set(papers) for papers in session.scalars(later)):
        return
    unread_again = update(Subscriber).where(
        Subscriber.id == subscriber_id, Subscriber.cursor == edition.next_cursor
    )
    session.execute(
        unread_again.values(cursor=edition.after_cursor).execution_options(synchronize_session=False)
    )


def move_back_without_copy(session: Session, copy_id: int, subscriber_id: int) -> None:
    """Make the papers of the last digest unread again if nothing brings them any more.

    The digest was skipped while a copy of its papers waited, and now the copy is not sent either.
    """
    copy_planned_at = select(Delivery.planned_at).where(Delivery.id == copy_id).scalar_subquery()
    is_digest = (Delivery.subscriber_id == subscriber_id, Delivery.kind == DeliveryKind.DIGEST)
    last = select(func.max(Delivery.id)).where(*is_digest).scalar_subquery()
    relied_on_copy = (
        Delivery.id == last,
        Delivery.id < copy_id,
        Delivery.state == DeliveryState.SKIPPED,
        Delivery.settled_at >= copy_planned_at,
    )
    rows = select(Delivery.id, EditionRow).join(EditionRow).where(*relied_on_copy)
    for delivery_id, edition in session.execute(rows):
        move_back(session, delivery_id, subscriber_id, edition)


def may_stand_between(session: Session, first: int, last: int) -> bool:
    """Whether a cursor stands at a place from `first` to before `last`, or may come back to one.

    A digest under way may be skipped, which moves a cursor back to where its edition begins. A skipped copy can do the
    same for a digest that relied on it.
    """
    stands = select(Subscriber.id).where(Subscriber.cursor >= first, Subscriber.cursor < last)
    begins = and_(EditionRow.after_cursor >= first, EditionRow.after_cursor < last)
    may_come_back = or_(
        and_(Delivery.kind == DeliveryKind.DIGEST, begins), Delivery.kind == DeliveryKind.RESEND
    )
    under_way = select(Delivery.id).join(EditionRow).where(Delivery.due_at.is_not(None), may_come_back)
    return any(session.scalar(rows.limit(1)) is not None for rows in (stands, under_way))


def had_by(session: Session, subscriber_id: int, editions: Mapping[int, Collection[int]]) -> set[int]:
    """The papers (by number, with the editions that bring each) that a subscriber has had before."""
    is_theirs = Subscriber.id == subscriber_id
    return {
        number
        for number, found in editions.items()
        if session.scalar(select(Subscriber.id).where(is_theirs, has_had(found))) is not None
    }


def has_had(editions: Iterable[int]) -> ColumnElement[bool]:
    """The condition that a subscriber has a delivery of one of the editions that was not skipped."""
    return exists().where(
        Delivery.subscriber_id == Subscriber.id,
        Delivery.edition_id.in_(list(editions)),
        Delivery.state != DeliveryState.SKIPPED,
    )
