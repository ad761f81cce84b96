"""The tables of what subscribers get and what comes back: editions, deliveries, counts, resends, bounces, alarms."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, Double, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from core.database import Base
from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language
from delivery.states import CountedSubject, DeliveryKind, DeliveryState
from emails.kinds import MailKind
from subscribers.models import Subscriber

_IS_UNDER_WAY = text("due_at IS NOT NULL")


class EditionRow(Base):
    """A rendered edition or letter.

    `after_cursor` is the cursor of those it is for, `next_cursor` the one that they have afterwards, and `papers` are
    the numbers of the papers it brings; a letter has none of them. The slot of a letter is its kind.
    """

    __tablename__ = "editions"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[MailKind]
    slot: Mapped[str] = mapped_column(index=True)
    language: Mapped[Language]
    frequency: Mapped[Frequency]
    detail: Mapped[Detail] = mapped_column(default=Detail.FULL)
    after_cursor: Mapped[int]
    next_cursor: Mapped[int] = mapped_column(default=0)
    papers: Mapped[list[Any]]
    subject: Mapped[str]
    html: Mapped[str]
    text: Mapped[str]
    nonce: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(index=True)


class Delivery(Base):
    """One edition to one subscriber: a row of the outbox.

    - `claimed_by` is the token of the sender that leases the delivery.
    - `due_at` is set as long as the delivery is under way. It is the time from which a sender may claim it; for a
      claimed delivery, the end of the lease.
    - `settled_at` is when the last result came. For a planned delivery it is when a fault of ours first kept it
      from being sent.
    - `queue` is the slot, or the priority queue if somebody is waiting for the mail.
    - `in_reply_to` is the Message-ID of the mail that a correction corrects.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("subscriber_id", "slot"),
        Index("deliveries_by_slot", "slot"),
        Index("deliveries_by_edition", "edition_id", "subscriber_id"),
        Index(
            "deliveries_due",
            "queue",
            "due_at",
            "id",
            sqlite_where=_IS_UNDER_WAY,
            postgresql_where=_IS_UNDER_WAY,
        ),
        Index(
            "deliveries_under_way",
            "subscriber_id",
            sqlite_where=_IS_UNDER_WAY,
            postgresql_where=_IS_UNDER_WAY,
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscribers.id"))
    edition_id: Mapped[int] = mapped_column(ForeignKey("editions.id"))
    slot: Mapped[str]
    queue: Mapped[str]
    kind: Mapped[DeliveryKind]
    state: Mapped[DeliveryState]
    claimed_by: Mapped[str] = mapped_column(default="")
    message_id: Mapped[str] = mapped_column(unique=True)
    in_reply_to: Mapped[str] = mapped_column(default="")
    attempts: Mapped[int] = mapped_column(default=0)
    repeats: Mapped[int] = mapped_column(default=0)
    reply: Mapped[str] = mapped_column(default="")
    planned_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    subscriber: Mapped[Subscriber] = relationship()
    edition: Mapped[EditionRow] = relationship()


class CountedUntil(Base):
    """One row: every delivery with an id up to `delivery_id` is in the counts. See `delivery.counts`."""

    __tablename__ = "counted_until"

    id: Mapped[int] = mapped_column(primary_key=True)
    delivery_id: Mapped[int]


class EditionCount(Base):
    """How many counted deliveries of an edition are in a state, by slot. All welcomes are one slot; letters have none."""

    __tablename__ = "edition_counts"

    edition_id: Mapped[int] = mapped_column(ForeignKey("editions.id"), primary_key=True)
    slot: Mapped[str] = mapped_column(primary_key=True, index=True)
    state: Mapped[DeliveryState] = mapped_column(primary_key=True)
    count: Mapped[int]


class MonthlyCount(Base):
    """How many mails, bounce mails or runs there were in a month. It stays when their rows are pruned.

    - Of a mail, `kind` is the kind of its edition, and `state` is the delivery's.
    - Of a bounce mail, `kind` is what it was, and `state` is what was done about it.
    - Of a run, `kind` is what it did. What does not apply is empty.
    """

    __tablename__ = "monthly_counts"

    month: Mapped[date] = mapped_column(primary_key=True)  # its first day
    subject: Mapped[CountedSubject] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    language: Mapped[str] = mapped_column(primary_key=True)
    frequency: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)


class DomainPause(Base):
    """A mail domain that asked us to slow down gets one mail every `interval` seconds, the next at `next_at`."""

    __tablename__ = "domain_pauses"

    domain: Mapped[str] = mapped_column(primary_key=True)
    interval: Mapped[float] = mapped_column(Double)
    next_at: Mapped[datetime]


class Resend(Base):
    """An operator's request to send something again: what, to whom, why, and who asked.

    The slot of its deliveries contains its id. `key` is a hash of the request: the same request is one row.
    """

    __tablename__ = "resends"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    request: Mapped[dict[str, Any]]
    reason: Mapped[str]
    asked_by: Mapped[str]
    asked_at: Mapped[datetime]


class BounceMail(Base):
    """A mail that came to the bounce address: what kind it was, and what was done about it.

    `content_hash` (SHA-256 of its bytes) recognises a mail that was read before. `raw` is kept only of mails that
    nobody understood. `reason` is the server's reason in its own words.
    """

    __tablename__ = "bounce_mails"

    id: Mapped[int] = mapped_column(primary_key=True)
    content_hash: Mapped[str] = mapped_column(unique=True)
    received_at: Mapped[datetime] = mapped_column(index=True)
    kind: Mapped[str]
    status: Mapped[str] = mapped_column(default="")
    action: Mapped[str]
    reason: Mapped[str] = mapped_column(default="")
    raw: Mapped[bytes | None]
    subscriber_id: Mapped[int | None] = mapped_column(ForeignKey("subscribers.id"), index=True)
    delivery_id: Mapped[int | None] = mapped_column(ForeignKey("deliveries.id"), index=True)


class SentAlarm(Base):
    """An alarm that was sent to the operator: each cause at most once a day."""

    __tablename__ = "sent_alarms"

    cause: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    sent_at: Mapped[datetime]
