"""Settles what a sender's workers have done, and marks what they send next, in one transaction.

A delivery is marked as sending before its final dot, so a crash after that leaves it uncertain. It is settled
before its worker takes the next one. The claim acts as a fence: a sender that was silent for longer than its lease
can neither mark nor settle what another sender has claimed since.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Row,
    String,
    Update,
    and_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from core.bulk_update import BulkUpdate, CombinedUpdate
from core.database import UtcDateTime
from delivery import cursors
from delivery.models import Delivery, EditionRow
from delivery.outbox import Lease
from delivery.refusals import MAX_REFUSED_DIGESTS, is_refused_for_good
from delivery.retry import Claim, Outcome
from delivery.states import IN_PROGRESS, DeliveryKind, DeliveryState
from emails.kinds import RULES
from subscribers.accounts import find
from subscribers.models import Subscriber, Suppression
from subscribers.status import SubscriberStatus
from subscribers.suppression import suppress

_deliveries, _subscribers = Delivery.__table__, Subscriber.__table__


def _is_suppressed(address: ColumnElement[str]) -> ColumnElement[bool]:
    return exists().where(Suppression.email == func.lower(address))


# --- the fast way -------------------------------------------------------------------


def _settle(row: Any) -> Update:
    # A delivery that was taken for lost meanwhile, and has not been repeated yet, can still be settled.
    states = (*IN_PROGRESS, DeliveryState.UNCERTAIN)
    is_mine = (
        _deliveries.c.claimed_by == row.token,
        or_(*(_deliveries.c.state == state.value for state in states)),
    )
    settled = update(_deliveries).where(_deliveries.c.id == row.id, *is_mine)  # type: ignore[arg-type]
    return settled.values(
        claimed_by="",
        # If no server was asked, the last reply still says why the mail waits.
        reply=case((row.reply == "", _deliveries.c.reply), else_=row.reply),
        **{name: getattr(row, name) for name in ("state", "attempts", "due_at", "settled_at")},
    )


_SETTLE = BulkUpdate(
    "settle",
    _settle,
    token=String(),
    id=Integer(),
    state=String(),
    reply=String(),
    attempts=Integer(),
    due_at=UtcDateTime(),
    settled_at=UtcDateTime(),
)


def _mark_sending(row: Any) -> Update:
    """Mark a mail with papers as sending, unless anything has changed about its subscriber."""
    may_be_sent = (
        select(
            and_(
                _subscribers.c.status == SubscriberStatus.ACTIVE.value,
                _subscribers.c.email == row.email,
                ~_is_suppressed(_subscribers.c.email),
            )
        )
        .where(_subscribers.c.id == row.subscriber_id)
        # A scalar subquery for each row, not a join: PostgreSQL would read all subscribers for a few rows.
        .scalar_subquery()
    )
    is_claimed = (
        _deliveries.c.claimed_by == row.token,
        or_(*(_deliveries.c.state == state.value for state in IN_PROGRESS)),
    )
    marked = update(_deliveries).where(_deliveries.c.id == row.id, *is_claimed, may_be_sent)  # type: ignore[arg-type]
    return marked.values(state=DeliveryState.SENDING.value, attempts=row.attempts)


_MARK_SENDING = BulkUpdate(
    "mark_sending",
    _mark_sending,
    token=String(),
    id=Integer(),
    subscriber_id=Integer(),
    email=String(),
    attempts=Integer(),
)
_SETTLE_AND_MARK = CombinedUpdate(_SETTLE, _MARK_SENDING)


async def commit_fast(
    connection: Connection, outcomes: Sequence[Outcome], claims: Sequence[Claim], lease: Lease
) -> bool:
    """Settle the outcomes and mark the claims as sending, in one round trip to the database.

    `connection` comes from `core.bulk_update.open_update_connection`. Returns whether all claims may be sent; if
    not, call `commit_checked` for all of them.
    """
    is_unusual = any(claim.kind == DeliveryKind.LETTER for claim in claims) or any(
        outcome.dead_address or outcome.is_refused for outcome in outcomes
    )
    if is_unusual:
        return False
    marked = await _SETTLE_AND_MARK.run(connection, _settle_rows(outcomes, lease), _mark_rows(claims, lease))
    return marked == len(claims)


def _settle_rows(outcomes: Sequence[Outcome], lease: Lease) -> list[tuple[Any, ...]]:
    return [(lease.token, *outcome[:-2]) for outcome in outcomes]  # all fields but those about the address


def _mark_rows(claims: Sequence[Claim], lease: Lease) -> list[tuple[Any, ...]]:
    return [
        (lease.token, claim.id, claim.subscriber_id, claim.recipient.email, claim.attempts + 1)
        for claim in claims
    ]


# --- the checked way ----------------------------------------------------------------

_STILL_CLAIMED = (
    select(
        _deliveries.c.id,
        *_subscribers.c["status", "email", "new_email"],
        _is_suppressed(_subscribers.c.email).label("is_suppressed"),
        _is_suppressed(_subscribers.c.new_email).label("is_new_suppressed"),
    )
    .join_from(_deliveries, _subscribers)
    .where(
        _deliveries.c.id.in_(bindparam("ids", expanding=True)),
        _deliveries.c.claimed_by == bindparam("token"),
        _deliveries.c.state.in_(IN_PROGRESS),
    )
    .with_for_update(of=_deliveries)
)


def commit_checked(
    session: Session, outcomes: Sequence[Outcome], claims: Sequence[Claim], lease: Lease, now: datetime
) -> dict[int, str]:
    """Settle the outcomes, and check each claim before it is marked as sending.

    Returns a reason by delivery id: an empty one for each claim that may be sent now. A claim whose subscriber has
    left, paused or been suppressed is skipped, and its reason says so. A claim that another sender has taken over
    is missing.
    """
    for outcome in outcomes:
        # A subscriber who was forgotten while the mail was under way must not leave an address behind.
        if outcome.dead_address and _is_known(session, outcome.dead_address):
            suppress(session, outcome.dead_address, f"returned: {outcome.reply}", now)
            session.flush()
    connection = session.connection()
    _SETTLE.run(connection, _settle_rows(outcomes, lease))
    for outcome in outcomes:
        if outcome.is_refused:
            _suppress_if_refused_for_good(session, outcome, now)
    wanted = {"ids": [claim.id for claim in claims], "token": lease.token}
    rows = {row.id: row for row in connection.execute(_STILL_CLAIMED, wanted)}
    still_claimed = [claim for claim in claims if claim.id in rows]
    reasons = {claim.id: _reason_to_skip(claim, rows[claim.id]) for claim in still_claimed}
    for claim in still_claimed:
        if reasons[claim.id]:
            _skip(session, claim, reasons[claim.id], now)
        else:
            _update(session, claim, state=DeliveryState.SENDING, attempts=claim.attempts + 1)
    return reasons


def _suppress_if_refused_for_good(session: Session, outcome: Outcome, now: datetime) -> None:
    delivery = session.get_one(Delivery, outcome.id, populate_existing=True)
    if is_refused_for_good(session, delivery):
        reason = f"returned {MAX_REFUSED_DIGESTS} times in a row: {outcome.reply}"
        suppress(session, delivery.subscriber.email, reason, now)
        session.flush()


def _is_known(session: Session, address: str) -> bool:
    """Whether somebody is mailed at the address, or has asked to be."""
    wanted = select(Subscriber.id).where(func.lower(Subscriber.new_email) == address.lower())
    return find(session, address) is not None or session.scalar(wanted.limit(1)) is not None


def _reason_to_skip(claim: Claim, row: Row[*tuple[Any, ...]]) -> str:
    rules = RULES[claim.mail_kind]
    if row.status == SubscriberStatus.FORGOTTEN:
        return "forgotten"
    address = row.new_email if rules.to_new_address else row.email
    if not claim.recipient.email or claim.recipient.email != address:
        return "the address was changed already"
    is_suppressed = row.is_new_suppressed if rules.to_new_address else row.is_suppressed
    if is_suppressed and not rules.tests_address:
        return "suppressed"
    return "" if row.status in rules.recipients else str(row.status)


def _skip(session: Session, claim: Claim, reason: str, now: datetime) -> None:
    if claim.may_have_arrived:  # unread again, its papers could come a second time
        _update(session, claim, state=DeliveryState.UNCERTAIN, settled_at=now, due_at=None, claimed_by="")
        return
    _update(session, claim, state=DeliveryState.SKIPPED, reply=reason, settled_at=now, due_at=None)
    if claim.kind == DeliveryKind.LETTER:
        return
    # Two senders may skip a digest and a copy of its papers at once. The second one must see what the first one did.
    theirs = _subscribers.c.id == claim.subscriber_id
    session.execute(select(_subscribers.c.id).where(theirs).with_for_update())
    if claim.kind == DeliveryKind.DIGEST:
        edition = session.get_one(EditionRow, claim.edition_id)
        cursors.move_back(session, claim.id, claim.subscriber_id, edition)
    else:
        cursors.move_back_without_copy(session, claim.id, claim.subscriber_id)


def _update(session: Session, claim: Claim, **values: object) -> None:
    session.execute(update(Delivery).where(Delivery.id == claim.id).values(**values))
