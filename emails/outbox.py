"""The outbox: plan, claim, settle. Every change of a delivery's state is in this file.

A delivery is a row before it is a mail. Its cursor moves in the transaction that plans it, and
back again if the mail is skipped, so that every paper is planned once for every reader.
"""

import secrets
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, case, delete, func, or_, select, update
from sqlalchemy.orm import Session, joinedload

from emails.edition import Edition
from emails.letters import Letter
from emails.models import Delivery, EditionRow
from emails.render import Rendered
from emails.replies import Refusal, Verdict
from subscribers.accounts import is_suppressed
from subscribers.models import AccountEvent, Subscriber

FIRST_PAUSE = timedelta(minutes=15)
MOST_ATTEMPTS = 12  # with these pauses, a little over two days
UNDER_WAY = ("planned", "claimed", "sending", "deferred")
PROMPT = "prompt"  # in place of a slot: letters and welcomes, which somebody is waiting for
WELCOME = "welcome"
_STATUS_FOR_LETTER = {"confirmation": "pending", "welcome": "active", "farewell": "unsubscribed"}


# --- plan ---------------------------------------------------------------------------


def add_edition(
    session: Session, edition: Edition, rendered: Rendered, after: int, now: datetime
) -> EditionRow:
    """Store a rendered edition, once; `after` is the cursor it begins behind."""
    alike = (EditionRow.slot == edition.slot, EditionRow.after == after, EditionRow.nonce == rendered.nonce)
    known = session.scalar(select(EditionRow).where(*alike, EditionRow.html == rendered.html).limit(1))
    if known:
        return known
    row = EditionRow(
        slot=edition.slot,
        language=edition.language,
        frequency=edition.frequency,
        after=after,
        papers=[paper.number for paper in edition.papers],
        subject=rendered.subject,
        html=rendered.html,
        text=rendered.text,
        nonce=rendered.nonce,
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row


def discard(session: Session, edition: EditionRow) -> None:
    """Delete an edition that nobody was sent."""
    if session.scalar(select(Delivery.id).where(Delivery.edition_id == edition.id).limit(1)) is None:
        session.delete(edition)


def plan(
    session: Session,
    edition: EditionRow,
    subscriber_ids: Sequence[int],
    *,
    cursor: int,
    domain: str,
    now: datetime,
    slot: str = "",
) -> list[int]:
    """Plan an edition, in its own slot or another one, for those of the subscribers who still stand
    where it begins; returns their ids.

    Whoever changed, paused, left or was planned by another run since the audience was read is left
    for the next run.
    """
    planned: list[int] = []
    for start in range(0, len(subscriber_ids), 500):
        moved = (
            update(Subscriber)
            .where(
                Subscriber.id.in_(subscriber_ids[start : start + 500]),
                Subscriber.cursor == edition.after,
                Subscriber.status == "active",
                Subscriber.language == edition.language,
                Subscriber.frequency == edition.frequency,
            )
            .values(cursor=cursor)
            .returning(Subscriber.id)
        )
        planned += sorted(session.scalars(moved))
    session.add_all(_delivery(edition, id_, slot or edition.slot, "digest", domain, now) for id_ in planned)
    session.flush()
    return planned


def plan_copy(
    session: Session, edition: EditionRow, subscriber_id: int, *, domain: str, now: datetime
) -> Delivery:
    """Plan a copy by an operator's hand: no cursor moves."""
    delivery = _delivery(edition, subscriber_id, edition.slot, "resend", domain, now)
    session.add(delivery)
    session.flush()
    return delivery


def plan_letter(session: Session, letter: Letter, subscriber_id: int, *, domain: str, now: datetime) -> None:
    """Plan a letter to one reader; letters that are alike are stored once."""
    alike = (EditionRow.slot == letter.kind, EditionRow.nonce == letter.nonce, EditionRow.html == letter.html)
    row = session.scalar(select(EditionRow).where(*alike).limit(1))
    if row is None:
        row = EditionRow(
            slot=letter.kind,
            language=letter.language,
            frequency="",
            after=0,
            papers=[],
            subject=letter.subject,
            html=letter.html,
            text=letter.text,
            nonce=letter.nonce,
            created_at=now,
        )
        session.add(row)
        session.flush()
    slot = f"{letter.kind}:{secrets.token_hex(4)}"
    session.add(_delivery(row, subscriber_id, slot, "letter", domain, now))
    session.flush()


def letters_since(session: Session, subscriber_id: int, kind: str, since: datetime) -> int:
    """How many letters of a kind were planned for the reader since a time."""
    rows = select(func.count(Delivery.id)).join(EditionRow)
    rows = rows.where(
        Delivery.subscriber_id == subscriber_id, EditionRow.slot == kind, Delivery.planned_at > since
    )
    return session.scalar(rows) or 0


def call_off(session: Session, subscriber_id: int) -> None:
    """Skip what was to go to a subscriber who is forgotten, and keep no server's words about them."""
    theirs = update(Delivery).where(Delivery.subscriber_id == subscriber_id)
    session.execute(theirs.where(Delivery.state.in_(("planned", "deferred"))).values(state="skipped"))
    session.execute(theirs.values(reply=""))


def erase_forgotten(session: Session) -> None:
    """Delete the empty rows of forgotten subscribers. Only for the holder of the outbox."""
    gone = select(Subscriber.id).where(Subscriber.status == "forgotten")
    session.execute(delete(Delivery).where(Delivery.subscriber_id.in_(gone)))
    session.execute(delete(AccountEvent).where(AccountEvent.subscriber_id.in_(gone)))
    session.execute(delete(Subscriber).where(Subscriber.status == "forgotten"))


def open_copy(session: Session, subscriber_id: int, prefix: str) -> str | None:
    """The slot of a copy under way to the reader that begins with `prefix`, left by a run that stopped."""
    rows = select(Delivery.slot).where(
        Delivery.subscriber_id == subscriber_id,
        Delivery.slot.startswith(prefix),
        Delivery.state.in_(UNDER_WAY),
    )
    return session.scalar(rows.limit(1))


def _delivery(
    edition: EditionRow, subscriber_id: int, slot: str, kind: str, domain: str, now: datetime
) -> Delivery:
    return Delivery(
        subscriber_id=subscriber_id,
        edition_id=edition.id,
        slot=slot,
        kind=kind,
        state="planned",
        message_id=f"{secrets.token_hex(16)}@{domain}",
        planned_at=now,
    )


def planned_in(session: Session, slot: str) -> set[int]:
    """The subscribers who have a delivery in the slot."""
    return set(session.scalars(select(Delivery.subscriber_id).where(Delivery.slot == slot)))


def under_way(session: Session) -> set[int]:
    """The subscribers with a digest not yet settled: their next one waits, so that order is kept."""
    rows = select(Delivery.subscriber_id).where(Delivery.kind == "digest", Delivery.state.in_(UNDER_WAY))
    return set(session.scalars(rows))


# --- claim --------------------------------------------------------------------------


def recover(session: Session, now: datetime) -> None:
    """Take up what a dead sender left. Only for the holder of the outbox: nobody else is sending."""
    session.execute(update(Delivery).where(Delivery.state == "claimed").values(state="planned"))
    session.execute(
        update(Delivery)
        .where(Delivery.state == "sending")
        .values(
            state="uncertain", reply="the sender stopped while the server had the message", settled_at=now
        )
    )


def claim(
    session: Session, *, slot: str | None, now: datetime, repeat_uncertain: bool, limit: int
) -> list[Delivery]:
    """Up to `limit` deliveries that may be sent now, marked as claimed: those somebody waits for
    first, whatever the slot, then those least tried.

    So one mail that stops every run cannot stand before all others. Those whose reader has left,
    paused or been suppressed since are skipped instead.
    """
    rows = select(Delivery).where(_is_due(slot, now, repeat_uncertain)).limit(limit)
    rows = rows.order_by(case((_is_prompt(), 0), else_=1), Delivery.attempts, Delivery.id)
    rows = rows.execution_options(populate_existing=True)
    rows = rows.options(joinedload(Delivery.subscriber), joinedload(Delivery.edition))
    while found := session.scalars(rows).all():
        claimed = [delivery for delivery in found if _claim(session, delivery, now)]
        session.flush()
        if claimed:
            return claimed
    return []


def _claim(session: Session, delivery: Delivery, now: datetime) -> bool:
    if skip_if_gone(session, delivery, now):
        return False
    delivery.repeats += delivery.state == "uncertain"
    delivery.state = "claimed"
    return True


def count_due(session: Session, slot: str | None) -> int:
    """How many deliveries are still planned, of one slot or of all."""
    rows = select(func.count()).where(Delivery.state == "planned")
    return session.scalar(rows.where(Delivery.slot == slot) if slot else rows) or 0


def _is_due(slot: str | None, now: datetime, repeat_uncertain: bool) -> ColumnElement[bool]:
    due = or_(
        Delivery.state == "planned",
        and_(Delivery.state == "deferred", Delivery.next_attempt_at <= now),
        and_(Delivery.state == "uncertain", Delivery.repeats == 0) if repeat_uncertain else Delivery.id < 0,
    )
    if slot is None:
        return due
    return and_(due, _is_prompt() if slot == PROMPT else or_(Delivery.slot == slot, _is_prompt()))


def _is_prompt() -> ColumnElement[bool]:
    return or_(Delivery.kind == "letter", Delivery.slot.startswith(f"{WELCOME}:"))


def recipient(delivery: Delivery) -> str:
    """The address that a delivery goes to: a change of address is confirmed at the new one."""
    moves = delivery.kind == "letter" and delivery.edition.slot == "move"
    return delivery.subscriber.new_email if moves else delivery.subscriber.email


def skip_if_gone(session: Session, delivery: Delivery, now: datetime) -> bool:
    """Skip a delivery whose reader has left, paused or been suppressed; whether it was."""
    reason = _reason_to_skip(session, delivery)
    if reason:
        _skip(delivery, reason, now)
    return bool(reason)


def _reason_to_skip(session: Session, delivery: Delivery) -> str:
    address, status = recipient(delivery), delivery.subscriber.status
    if status == "forgotten":
        return status
    if not address:
        return "the address was changed already"
    if is_suppressed(session, address):
        return "suppressed"
    needed = _STATUS_FOR_LETTER.get(delivery.edition.slot, status) if delivery.kind == "letter" else "active"
    return "" if status == needed else status


def _skip(delivery: Delivery, reason: str, now: datetime) -> None:
    delivery.state, delivery.reply, delivery.settled_at = "skipped", reason, now
    if delivery.kind == "digest" and delivery.subscriber.cursor == delivery.edition.papers[-1]:
        delivery.subscriber.cursor = delivery.edition.after  # unless a later mail has gone out since


# --- settle -------------------------------------------------------------------------


def mark_sending(delivery: Delivery) -> None:
    """The message goes out now; a crash from here on leaves it uncertain."""
    delivery.state = "sending"
    delivery.attempts += 1


def settle_sent(delivery: Delivery, reply: str, now: datetime) -> None:
    """The server has taken the message."""
    delivery.state, delivery.reply, delivery.settled_at = "sent", reply[:500], now


def settle_refused(delivery: Delivery, refusal: Refusal, verdict: Verdict, now: datetime) -> None:
    """The server has not taken the message, or nobody knows; a deferred one fails in the end."""
    delivery.state, delivery.reply = verdict.state, str(refusal)
    if refusal.phase in {"connect", "tls", "login"}:
        delivery.attempts -= 1  # nothing of this mail was tried
        return
    if verdict.state in {"planned", "deferred"} and delivery.attempts >= MOST_ATTEMPTS:
        delivery.state = "failed"
    elif verdict.state == "deferred":
        delivery.next_attempt_at = now + FIRST_PAUSE * 2 ** min(delivery.attempts - 1, 5)
    delivery.settled_at = None if delivery.state == "planned" else now


def settle_unwritable(delivery: Delivery, reason: str, now: datetime) -> None:
    """No mail can be made of the delivery."""
    delivery.state, delivery.reply, delivery.settled_at = "failed", f"cannot be written: {reason}"[:500], now


def take_back_failed(deliveries: Sequence[Delivery]) -> None:
    """Plan deliveries anew that failed for what turned out to be no fault of their readers."""
    for delivery in deliveries:
        if delivery.state == "failed":
            delivery.state, delivery.settled_at = "planned", None


def put_back(session: Session) -> None:
    """Claimed deliveries of a run that stops wait for the next one."""
    session.execute(update(Delivery).where(Delivery.state == "claimed").values(state="planned"))


# --- read ---------------------------------------------------------------------------


def states(session: Session, delivery_ids: Collection[int] | None = None) -> Counter[str]:
    """How many deliveries are in each state, all or those named."""
    rows = select(Delivery.state, func.count()).group_by(Delivery.state)
    if delivery_ids is None:
        return Counter(dict(session.execute(rows).all()))
    counts: Counter[str] = Counter()
    ids = sorted(delivery_ids)
    for start in range(0, len(ids), 500):
        chunk = rows.where(Delivery.id.in_(ids[start : start + 500]))
        counts.update(dict(session.execute(chunk).all()))
    return counts


def count_prompt(session: Session) -> int:
    """How many deliveries that somebody waits for are planned."""
    rows = select(func.count()).where(Delivery.state == "planned", _is_prompt())
    return session.scalar(rows) or 0


def history(session: Session, subscriber_id: int) -> list[dict[str, str]]:
    """What a reader was sent, in order: subject, state and time."""
    rows = select(Delivery).where(Delivery.subscriber_id == subscriber_id).order_by(Delivery.id)
    return [
        {
            "subject": delivery.edition.subject,
            "state": delivery.state,
            "planned_at": delivery.planned_at.isoformat(),
        }
        for delivery in session.scalars(rows.options(joinedload(Delivery.edition)))
    ]
