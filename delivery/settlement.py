"""A turn of a sender's lines: what they have done is settled, what they send next is announced.

A delivery is announced before its final dot: a crash from then on leaves it uncertain. It is settled before
its line's next one. The claim is a fence: what a sender does not hold any more, as another took over when it
was silent for too long, it can neither announce nor settle.
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

from core.bulk_update import AtOnce, RowChange
from core.database import Moment
from delivery.models import HELD, Delivery, EditionRow
from delivery.outbox import Hold
from delivery.retry import Claim, Outcome
from subscribers.accounts import find, suppress
from subscribers.models import Subscriber, Suppression

_STATUS_FOR_LETTER = {"confirmation": "pending", "welcome": "active", "farewell": "unsubscribed"}
_deliveries, _subscribers = Delivery.__table__, Subscriber.__table__


def _is_suppressed(address: ColumnElement[str]) -> ColumnElement[bool]:
    return exists().where(Suppression.email == func.lower(address))


def _settle_one(row: Any) -> Update:
    # One that was taken for lost meanwhile, and not yet repeated, is settled all the same.
    is_mine = (
        _deliveries.c.claim == row.token,
        or_(*(_deliveries.c.state == state for state in (*HELD, "uncertain"))),
    )
    change = update(_deliveries).where(_deliveries.c.id == row.id, *is_mine)  # type: ignore[arg-type]
    return change.values(
        claim="",
        # Where no server was asked, what one said last still tells why the mail waits.
        reply=case((row.reply == "", _deliveries.c.reply), else_=row.reply),
        **{name: getattr(row, name) for name in ("state", "attempts", "due_at", "settled_at")},
    )


_SETTLE = RowChange(
    "settle",
    _settle_one,
    token=String(),
    id=Integer(),
    state=String(),
    reply=String(),
    attempts=Integer(),
    due_at=Moment(),
    settled_at=Moment(),
)


def _announce_digest(row: Any) -> Update:
    """Announce a digest with nothing against it."""
    may_go = (
        select(
            and_(
                _subscribers.c.status == "active",
                _subscribers.c.email == row.email,
                ~_is_suppressed(_subscribers.c.email),
            )
        )
        .where(_subscribers.c.id == row.reader)
        # A value for each row, and no join: PostgreSQL would read all subscribers for a few rows.
        .scalar_subquery()
    )
    is_held = (_deliveries.c.claim == row.token, or_(*(_deliveries.c.state == state for state in HELD)))
    change = update(_deliveries).where(_deliveries.c.id == row.id, *is_held, may_go)  # type: ignore[arg-type]
    return change.values(state="sending", attempts=row.attempts)


_ANNOUNCE = RowChange(
    "announce",
    _announce_digest,
    token=String(),
    id=Integer(),
    reader=Integer(),
    email=String(),
    attempts=Integer(),
)
_TURN = AtOnce(_SETTLE, _ANNOUNCE)
_HELD_NOW = (
    select(
        _deliveries.c.id,
        *_subscribers.c["status", "email", "new_email"],
        _is_suppressed(_subscribers.c.email).label("is_suppressed"),
        _is_suppressed(_subscribers.c.new_email).label("is_new_suppressed"),
    )
    .join_from(_deliveries, _subscribers)
    .where(
        _deliveries.c.id.in_(bindparam("ids", expanding=True)),
        _deliveries.c.claim == bindparam("token"),
        _deliveries.c.state.in_(HELD),
    )
    .with_for_update(of=_deliveries)
)


def at_once(connection: Connection, done: Sequence[Outcome], claims: Sequence[Claim], hold: Hold) -> bool:
    """Settle and announce what is as usual, with as few questions to the database as possible.

    `connection` is one of `core.bulk_update.connect`. Whether all claims may go out; if not, `one_by_one` is for all.
    """
    if any(claim.letter for claim in claims) or any(outcome.dead_address for outcome in done):
        return False
    return _TURN.run(connection, _settlements(done, hold), _announcements(claims, hold)) == len(claims)


def one_by_one(
    session: Session, done: Sequence[Outcome], claims: Sequence[Claim], hold: Hold, now: datetime
) -> dict[int, str]:
    """Settle, and look at each claim before it is announced.

    Gives an empty reason by id for each that may go out now. Those whose reader has left, paused or been
    suppressed are skipped, with the reason; those that another sender has taken are not named.
    """
    for outcome in done:
        # Whoever was forgotten while their mail was on its way leaves no address behind.
        if outcome.dead_address and _is_known(session, outcome.dead_address):
            suppress(session, outcome.dead_address, f"returned: {outcome.reply}", now)
            session.flush()
    connection = session.connection()
    _SETTLE.run(connection, _settlements(done, hold))
    held = {"ids": [claim.id for claim in claims], "token": hold.token}
    found = {row.id: row for row in connection.execute(_HELD_NOW, held)}
    mine = [claim for claim in claims if claim.id in found]
    reasons = {claim.id: _reason_to_skip(claim, found[claim.id]) for claim in mine}
    for claim in mine:
        if reasons[claim.id]:
            _skip(session, claim, reasons[claim.id], now)
        else:
            _change(session, claim, state="sending", attempts=claim.attempts + 1)
    return reasons


def _is_known(session: Session, address: str) -> bool:
    """Whether somebody is mailed at the address, or wants to be."""
    wanted = select(Subscriber.id).where(func.lower(Subscriber.new_email) == address.lower())
    return find(session, address) is not None or session.scalar(wanted.limit(1)) is not None


def _settlements(done: Sequence[Outcome], hold: Hold) -> list[tuple[Any, ...]]:
    return [(hold.token, *outcome[:-1]) for outcome in done]  # all but the dead address


def _announcements(claims: Sequence[Claim], hold: Hold) -> list[tuple[Any, ...]]:
    return [
        (hold.token, claim.id, claim.subscriber_id, claim.reader.email, claim.attempts + 1)
        for claim in claims
    ]


def _reason_to_skip(claim: Claim, row: Row[Any]) -> str:
    moves = claim.letter == "move"
    if row.status == "forgotten":
        return "forgotten"
    if not claim.reader.email or claim.reader.email != (row.new_email if moves else row.email):
        return "the address was changed already"
    if row.is_new_suppressed if moves else row.is_suppressed:
        return "suppressed"
    needed = _STATUS_FOR_LETTER.get(claim.letter, row.status) if claim.letter else "active"
    return "" if row.status == needed else str(row.status)


def _skip(session: Session, claim: Claim, reason: str, now: datetime) -> None:
    _change(session, claim, state="skipped", reply=reason, settled_at=now, due_at=None)
    if claim.kind == "digest":
        edition = session.get_one(EditionRow, claim.edition_id)
        back = update(Subscriber).where(
            Subscriber.id == claim.subscriber_id, Subscriber.cursor == edition.papers[-1]
        )
        session.execute(back.values(cursor=edition.after))  # unless a later mail has gone out since


def _change(session: Session, claim: Claim, **values: object) -> None:
    session.execute(update(Delivery).where(Delivery.id == claim.id).values(**values))
