"""Planning: who gets which edition becomes rows of the outbox, set by set, in bounded memory.

A delivery is a row before it is a mail. Its reader's cursor moves in the transaction that plans it, so
that every paper is planned once for every reader.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    and_,
    exists,
    func,
    insert,
    literal,
    null,
    select,
    true,
    update,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import GenericFunction

from core.database import lock, look_anew
from delivery.models import Delivery, EditionRow
from subscribers.models import Subscriber

if TYPE_CHECKING:  # a process that only sends does without what renders
    from emails.edition import Edition
    from emails.letters import Letter
    from emails.rendering.render import Rendered

MANY = 1_000  # rows added at once that change how the database should go about finding some
CHUNK = 10_000  # readers planned in one transaction: others can write in between
PROMPT = "prompt"  # the queue of letters and welcomes, which somebody is waiting for
WELCOME = "welcome"


class random_hex(GenericFunction[str]):  # noqa: N801  named as SQL names functions
    """32 random hexadecimal digits, new in every row."""

    type = String()
    inherit_cache = True


@compiles(random_hex, "sqlite")
def _on_sqlite(_element: random_hex, _compiler: Any, **_options: Any) -> str:
    return "lower(hex(randomblob(16)))"


@compiles(random_hex, "postgresql")
def _on_postgresql(_element: random_hex, _compiler: Any, **_options: Any) -> str:
    return "replace(gen_random_uuid()::text, '-', '')"


# --- editions -----------------------------------------------------------------------


def draft(edition: "Edition", rendered: "Rendered", after: int, now: datetime) -> EditionRow:
    """A rendered edition as it is stored; `after` is the cursor it begins behind."""
    return EditionRow(
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


def add_edition(session: Session, row: EditionRow) -> EditionRow:
    """Store an edition, once: the row that holds it."""
    alike = (EditionRow.slot == row.slot, EditionRow.after == row.after, EditionRow.nonce == row.nonce)
    known = session.scalar(select(EditionRow).where(*alike, EditionRow.html == row.html).limit(1))
    if known:
        return known
    session.add(row)
    session.flush()
    return row


def discard(session: Session, edition: EditionRow) -> None:
    """Delete an edition that nobody was sent."""
    if session.scalar(select(Delivery.id).where(Delivery.edition_id == edition.id).limit(1)) is None:
        session.delete(edition)


# --- deliveries ---------------------------------------------------------------------


@dataclass(frozen=True)
class Planned:
    """How many readers a chunk planned, and the last id it looked at; None when no reader is left."""

    count: int
    last_id: int | None


def has_mail_in(slot: str) -> ColumnElement[bool]:
    """Whether a subscriber has a delivery in the slot."""
    return exists().where(Delivery.subscriber_id == Subscriber.id, Delivery.slot == slot)


def has_mail_under_way() -> ColumnElement[bool]:
    """Whether a subscriber has a digest not yet settled: the next one waits, so that order is kept."""
    return exists().where(
        Delivery.subscriber_id == Subscriber.id, Delivery.kind == "digest", Delivery.due_at.is_not(None)
    )


def plan(
    session: Session,
    edition: EditionRow,
    *,
    cursor: int,
    domain: str,
    now: datetime,
    slot: str = "",
    who: ColumnElement[bool] = true(),  # noqa: B008  an immutable expression
    after_id: int = 0,
) -> Planned:
    """Plan an edition, in its own slot or another one, for the next `CHUNK` readers that still stand where
    it begins, and move them to `cursor`.

    Whoever changed, paused, left or was planned by another run since the audience was read is left for
    the next run.
    """
    slot = slot or edition.slot
    lock(session, "planning")
    fits = and_(
        who,
        Subscriber.cursor == edition.after,
        Subscriber.status == "active",
        Subscriber.language == edition.language,
        Subscriber.frequency == edition.frequency,
        ~has_mail_in(slot),
        ~has_mail_under_way(),
    )
    chunk = select(Subscriber.id).where(fits, Subscriber.id > after_id).order_by(Subscriber.id).limit(CHUNK)
    last_id = session.scalar(select(func.max(chunk.subquery().c.id)))
    if last_id is None:
        return Planned(0, None)
    reach = Subscriber.id.between(after_id + 1, last_id)
    made = _insert(session, _deliveries(edition, slot, "digest", domain, now).where(fits, reach))
    moved = update(Subscriber).where(reach, Subscriber.cursor == edition.after, _has(edition, slot))
    session.execute(moved.values(cursor=cursor).execution_options(synchronize_session=False))
    return Planned(made, last_id)


def plan_copies(
    session: Session,
    edition: EditionRow,
    slot: str,
    *,
    who: ColumnElement[bool],
    in_reply_to: ColumnElement[str],
    domain: str,
    now: datetime,
    after_id: int = 0,
) -> Planned:
    """Plan copies of an edition by an operator's hand for the next `CHUNK` of those readers who have none in
    the slot; no cursor moves."""
    lock(session, "planning")
    fits = and_(who, ~has_mail_in(slot))
    chunk = select(Subscriber.id).where(fits, Subscriber.id > after_id).order_by(Subscriber.id).limit(CHUNK)
    last_id = session.scalar(select(func.max(chunk.subquery().c.id)))
    if last_id is None:
        return Planned(0, None)
    copies = _deliveries(edition, slot, "resend", domain, now, in_reply_to)
    made = _insert(session, copies.where(fits, Subscriber.id.between(after_id + 1, last_id)))
    return Planned(made, last_id)


_COLUMNS = (
    "subscriber_id", "edition_id", "slot", "queue", "kind", "state", "claim", "message_id",
    "in_reply_to", "attempts", "repeats", "reply", "planned_at", "due_at", "settled_at",
)  # fmt: skip


def _insert(session: Session, deliveries: Select[Any]) -> int:
    rows = insert(Delivery).from_select(_COLUMNS, deliveries, include_defaults=False)
    made = session.execute(rows.execution_options(preserve_rowcount=True))
    count = int(made.rowcount)  # type: ignore[attr-defined]  # an INSERT counts its rows
    if count >= MANY:
        look_anew(session, Delivery.__tablename__)
    return count


def _deliveries(
    edition: EditionRow,
    slot: str,
    kind: str,
    domain: str,
    now: datetime,
    in_reply_to: ColumnElement[str] = literal(""),  # noqa: B008  an immutable expression
) -> Select[Any]:
    """A delivery for each subscriber, in the order of `_COLUMNS`."""
    queue = PROMPT if slot.startswith(f"{WELCOME}:") else slot
    moment = literal(now, Delivery.planned_at.type)
    return select(
        Subscriber.id,
        literal(edition.id),
        literal(slot),
        literal(queue),
        literal(kind),
        literal("planned"),
        literal(""),
        random_hex() + literal(f"@{domain}"),
        in_reply_to,
        literal(0),
        literal(0),
        literal(""),
        moment,
        moment,
        null(),
    )


def _has(edition: EditionRow, slot: str) -> ColumnElement[bool]:
    return exists().where(
        Delivery.subscriber_id == Subscriber.id,
        Delivery.slot == slot,
        Delivery.edition_id == edition.id,
    )


def plan_letter(
    session: Session, letter: "Letter", subscriber_id: int, *, domain: str, now: datetime
) -> None:
    """Plan a letter to one reader; letters that are alike are stored once."""
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
    session.add(
        Delivery(
            subscriber_id=subscriber_id,
            edition_id=add_edition(session, row).id,
            slot=f"{letter.kind}:{secrets.token_hex(4)}",
            queue=PROMPT,
            kind="letter",
            state="planned",
            message_id=f"{secrets.token_hex(16)}@{domain}",
            planned_at=now,
            due_at=now,
        )
    )
    session.flush()


# --- what is planned already --------------------------------------------------------


def letters_since(session: Session, subscriber_id: int, kind: str, since: datetime) -> int:
    """How many letters of a kind were planned for the reader since a time."""
    rows = select(func.count(Delivery.id)).join(EditionRow)
    rows = rows.where(
        Delivery.subscriber_id == subscriber_id, EditionRow.slot == kind, Delivery.planned_at > since
    )
    return session.scalar(rows) or 0
