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

from core.database import lock
from emails.models import Delivery, EditionRow
from subscribers.models import Subscriber

if TYPE_CHECKING:  # a process that only sends does without what renders
    from emails.edition import Edition
    from emails.letters import Letter
    from emails.render import Rendered

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


def add_edition(
    session: Session, edition: "Edition", rendered: "Rendered", after: int, now: datetime
) -> EditionRow:
    """Store a rendered edition, once; `after` is the cursor it begins behind."""
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
    return _stored_once(session, row)


def discard(session: Session, edition: EditionRow) -> None:
    """Delete an edition that nobody was sent."""
    if session.scalar(select(Delivery.id).where(Delivery.edition_id == edition.id).limit(1)) is None:
        session.delete(edition)


def _stored_once(session: Session, row: EditionRow) -> EditionRow:
    alike = (EditionRow.slot == row.slot, EditionRow.after == row.after, EditionRow.nonce == row.nonce)
    known = session.scalar(select(EditionRow).where(*alike, EditionRow.html == row.html).limit(1))
    if known:
        return known
    session.add(row)
    session.flush()
    return row


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
    deliveries = _deliveries(edition, slot, domain, now).where(fits, reach)
    rows = insert(Delivery).from_select(_COLUMNS, deliveries, include_defaults=False)
    made = session.execute(rows.execution_options(preserve_rowcount=True))
    moved = update(Subscriber).where(reach, Subscriber.cursor == edition.after, _has(edition, slot))
    session.execute(moved.values(cursor=cursor).execution_options(synchronize_session=False))
    return Planned(made.rowcount, last_id)  # type: ignore[attr-defined]  # an INSERT counts its rows


_COLUMNS = (
    "subscriber_id", "edition_id", "slot", "queue", "kind", "state", "claim", "message_id",
    "attempts", "repeats", "reply", "planned_at", "due_at", "settled_at",
)  # fmt: skip


def _deliveries(edition: EditionRow, slot: str, domain: str, now: datetime) -> Select[*tuple[Any, ...]]:
    """A delivery for each subscriber, in the order of `_COLUMNS`."""
    queue = PROMPT if slot.startswith(f"{WELCOME}:") else slot
    moment = literal(now, Delivery.planned_at.type)
    return select(
        Subscriber.id,
        literal(edition.id),
        literal(slot),
        literal(queue),
        literal("digest"),
        literal("planned"),
        literal(""),
        random_hex() + literal(f"@{domain}"),
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


def plan_copy(
    session: Session, edition: EditionRow, subscriber_id: int, *, domain: str, now: datetime
) -> None:
    """Plan a copy by an operator's hand: no cursor moves."""
    _add(session, edition, subscriber_id, edition.slot, edition.slot, "resend", domain, now)


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
    slot = f"{letter.kind}:{secrets.token_hex(4)}"
    _add(session, _stored_once(session, row), subscriber_id, slot, PROMPT, "letter", domain, now)


def _add(
    session: Session,
    edition: EditionRow,
    subscriber_id: int,
    slot: str,
    queue: str,
    kind: str,
    domain: str,
    now: datetime,
) -> None:
    session.add(
        Delivery(
            subscriber_id=subscriber_id,
            edition_id=edition.id,
            slot=slot,
            queue=queue,
            kind=kind,
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


def open_copy(session: Session, subscriber_id: int, prefix: str) -> str | None:
    """The slot of a copy under way to the reader that begins with `prefix`, left by a run that stopped."""
    rows = select(Delivery.slot).where(
        Delivery.subscriber_id == subscriber_id,
        Delivery.slot.startswith(prefix),
        Delivery.due_at.is_not(None),
    )
    return session.scalar(rows.limit(1))
