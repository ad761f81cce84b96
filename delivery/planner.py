"""Planning: who gets which edition becomes rows of the outbox, set by set, in bounded memory.

A delivery is a row before it is a mail. The transaction that plans a digest for a subscriber also moves the
subscriber's cursor, so that every paper is planned once for every subscriber.
"""

import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    and_,
    case,
    exists,
    func,
    literal,
    null,
    select,
    text,
    true,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.sql.functions import GenericFunction

from core.database import Sessions, refresh_planner_statistics, set_planner, transact, upsert
from core.frequencies import Frequency
from core.languages import Language
from core.locks import advisory_lock
from core.slots import is_welcome_slot, letter_slot
from delivery import cursors
from delivery.editions import add_edition, edition_row
from delivery.models import Delivery, EditionRow
from delivery.states import DeliveryKind, DeliveryState
from emails.content import Content, MailSpec
from emails.kinds import MailKind
from subscribers.models import Subscriber
from subscribers.status import SubscriberStatus

MIN_ROWS_TO_ANALYZE = 1_000  # after so many new rows, PostgreSQL may have to find rows in another way
MAX_SUBSCRIBERS_PER_TRANSACTION = 10_000  # so that other transactions can write in between
PRIORITY_QUEUE = "prompt"  # of letters and welcomes, which somebody is waiting for


class random_hex(GenericFunction[str]):  # noqa: N801  SQL functions have lower-case names
    """20 random hexadecimal digits, different in every row."""

    type = String()
    inherit_cache = True


@compiles(random_hex, "sqlite")
def _random_hex_on_sqlite(_element: random_hex, _compiler: Any, **_options: Any) -> str:
    return "lower(hex(randomblob(10)))"


@compiles(random_hex, "postgresql")
def _random_hex_on_postgresql(_element: random_hex, _compiler: Any, **_options: Any) -> str:
    return "left(gen_random_uuid()::text, 8) || right(gen_random_uuid()::text, 12)"


@dataclass(frozen=True)
class Batch:
    """The subscribers that one transaction plans for, by the first and the last of their ids."""

    first_id: int
    last_id: int

    def has(self, subscriber_id: InstrumentedAttribute[int]) -> ColumnElement[bool]:
        """The condition that a subscriber's id is in the batch."""
        return subscriber_id.between(self.first_id, self.last_id)


def batches(sessions: Sessions, who: ColumnElement[bool]) -> Iterator[Batch]:
    """Batches with all the subscribers among `who`, in the order of their ids.

    Whatever is planned for several groups of subscribers is best planned batch by batch: the rows and index entries of a
    batch are neighbours, so that each page is written once, and not once for each group.
    """
    after_id = 0
    while batch := transact(sessions, partial(_next_batch, who=who, after_id=after_id)):
        yield batch
        after_id = batch.last_id


def _next_batch(session: Session, who: ColumnElement[bool], after_id: int) -> Batch | None:
    # An index has the ids in their order. By old statistics, PostgreSQL would read and sort all that follow.
    set_planner(session, enable_bitmapscan="off", enable_sort="off")
    following = (
        select(Subscriber.id)
        .where(who, Subscriber.id > after_id)
        .order_by(Subscriber.id)
        .limit(MAX_SUBSCRIBERS_PER_TRANSACTION)
    )
    ids = following.subquery().c.id
    first_id, last_id = session.execute(select(func.min(ids), func.max(ids))).one()
    return None if last_id is None else Batch(first_id, last_id)


def has_delivery_in(slot: str) -> ColumnElement[bool]:
    """The condition that a subscriber has a delivery in the slot."""
    return exists().where(Delivery.subscriber_id == Subscriber.id, Delivery.slot == slot)


def has_digest_under_way(among: ColumnElement[bool] = true()) -> ColumnElement[bool]:  # noqa: B008  immutable
    """The condition that a subscriber has a digest under way. The next one waits, so that digests arrive in order.

    `among` is a condition on the deliveries of all subscribers in question, by which few of them need to be read.
    """
    return exists().where(
        Delivery.subscriber_id == Subscriber.id,
        Delivery.kind == DeliveryKind.DIGEST,
        Delivery.due_at.is_not(None),
        among,
    )


def plan_digest(
    session: Session,
    slot: str,
    editions: Sequence[tuple[EditionRow, ColumnElement[bool]]],
    batch: Batch,
    *,
    domain: str,
    now: datetime,
) -> Counter[int]:
    """Plan editions for the subscribers of a batch, and move their cursors. Returns the number of deliveries by edition.

    An edition is for the subscribers for whom it was made and who meet the condition beside it. Subscribers who changed,
    paused or left since the audience was read, or were planned by another run, are left for the next run.
    """
    if not editions:
        return Counter()
    advisory_lock(session, "planning")
    # Without statistics of the rows that were just planned, PostgreSQL would read all of them for each batch, or compare
    # each subscriber with each of them.
    set_planner(session, enable_seqscan="off", enable_nestloop="off")
    last_delivery = cursors.last_delivery_id(session)
    edition_id = case(*((and_(_is_made_for(edition), who), edition.id) for edition, who in editions))
    waits = has_digest_under_way(batch.has(Delivery.subscriber_id))
    is_active = Subscriber.status == SubscriberStatus.ACTIVE
    # The lock keeps the subscribers as they are until the transaction ends. Whoever gets a delivery also moves.
    locked = (
        select(Subscriber.id, edition_id.label("edition_id"))
        .where(batch.has(Subscriber.id), is_active, edition_id.is_not(None), ~waits)
        .with_for_update(key_share=True)
        .subquery("locked")
    )
    rows = _delivery_rows(locked.c.id, locked.c.edition_id, slot, DeliveryKind.DIGEST, domain, now)
    if _insert(session, rows):
        cursors.move_forward(session, batch.has(Subscriber.id), made_after=last_delivery)
    made = select(Delivery.edition_id).where(
        Delivery.id > last_delivery, Delivery.kind == DeliveryKind.DIGEST
    )
    return Counter(session.scalars(made))  # SQLite would read a whole index for a GROUP BY


def _is_made_for(edition: EditionRow) -> ColumnElement[bool]:
    return and_(
        Subscriber.cursor == edition.after_cursor,
        Subscriber.language == edition.language,
        Subscriber.frequency == edition.frequency,
        Subscriber.detail == edition.detail,
    )


def plan_resend(
    session: Session,
    edition: EditionRow,
    slot: str,
    batch: Batch,
    *,
    who: ColumnElement[bool],
    in_reply_to: ColumnElement[str],
    domain: str,
    now: datetime,
) -> int:
    """Plan copies of an edition for the subscribers of a batch who have none in the slot. No cursor moves."""
    advisory_lock(session, "planning")
    rows = _delivery_rows(
        Subscriber.id, literal(edition.id), slot, DeliveryKind.RESEND, domain, now, in_reply_to=in_reply_to
    )
    return _insert(session, rows.where(who, batch.has(Subscriber.id)))


def refresh_statistics(sessions: Sessions, planned: int) -> None:
    """Tell PostgreSQL how many deliveries there are, if many were planned."""
    if planned >= MIN_ROWS_TO_ANALYZE:
        transact(sessions, partial(refresh_planner_statistics, table=Delivery.__tablename__))


def plan_letter(
    session: Session,
    kind: MailKind,
    content: Content,
    subscriber: Subscriber,
    *,
    domain: str,
    now: datetime,
) -> None:
    """Plan a letter to one subscriber. Letters that are alike share one edition."""
    row = edition_row(
        MailSpec(kind, Language(subscriber.language), Frequency(subscriber.frequency), kind), content, now
    )
    session.add(
        Delivery(
            subscriber_id=subscriber.id,
            edition_id=add_edition(session, row).id,
            slot=letter_slot(kind),
            queue=PRIORITY_QUEUE,
            kind=DeliveryKind.LETTER,
            state=DeliveryState.PLANNED,
            message_id=f"{_milliseconds(now):012x}{secrets.token_hex(10)}@{domain}",
            planned_at=now,
            due_at=now,
        )
    )


def count_letters_since(session: Session, subscriber_id: int, kind: MailKind, since: datetime) -> int:
    """How many letters of a kind were planned for a subscriber since a time."""
    rows = select(func.count(Delivery.id)).join(EditionRow)
    rows = rows.where(
        Delivery.subscriber_id == subscriber_id, EditionRow.kind == kind, Delivery.planned_at > since
    )
    return session.scalar(rows) or 0


# --- rows ---------------------------------------------------------------------------


_COLUMNS = (
    "subscriber_id", "edition_id", "slot", "queue", "kind", "state", "claimed_by", "message_id",
    "in_reply_to", "attempts", "repeats", "reply", "planned_at", "due_at", "settled_at",
)  # fmt: skip


def _insert(session: Session, rows: Select[*tuple[Any, ...]]) -> int:
    # Without a WHERE, SQLite takes ON CONFLICT for the condition of a join (its manual, UPSERT, 2.2).
    rows = rows.where(text("true"))
    inserting = upsert(session, Delivery).from_select(_COLUMNS, rows, include_defaults=False)
    inserting = inserting.on_conflict_do_nothing(index_elements=["subscriber_id", "slot"])
    inserted = session.execute(inserting.execution_options(preserve_rowcount=True))
    return int(inserted.rowcount)  # type: ignore[attr-defined]  # an INSERT counts its rows


def _delivery_rows(
    subscriber_id: ColumnElement[int] | InstrumentedAttribute[int],
    edition_id: ColumnElement[int],
    slot: str,
    kind: DeliveryKind,
    domain: str,
    now: datetime,
    *,
    in_reply_to: ColumnElement[str] = literal(""),  # noqa: B008  an immutable expression
) -> Select[*tuple[Any, ...]]:
    """A delivery for each row that the ids are from, in the order of `_COLUMNS`.

    The Message-IDs begin with the time, so that new ones are neighbours in their index.
    """
    queue = PRIORITY_QUEUE if is_welcome_slot(slot) else slot
    planned_at = literal(now, Delivery.planned_at.type)
    return select(
        subscriber_id,
        edition_id,
        literal(slot),
        literal(queue),
        literal(kind.value),
        literal(DeliveryState.PLANNED.value),
        literal(""),
        literal(f"{_milliseconds(now):012x}") + random_hex() + literal(f"@{domain}"),
        in_reply_to,
        literal(0),
        literal(0),
        literal(""),
        planned_at,
        planned_at,
        null(),
    )


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
