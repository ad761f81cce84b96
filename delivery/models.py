"""The tables of what readers get: editions, the ledger of deliveries, and the paces of sending."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Double, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from core.database import Base
from subscribers.models import Subscriber

_WAITS = text("due_at IS NOT NULL")
STATES = ("planned", "claimed", "sending", "sent", "deferred", "failed", "uncertain", "skipped")
HELD = ("claimed", "sending")  # the states of what a sender has in its hands


class EditionRow(Base):
    """A rendered edition; `after` is the cursor it begins behind, `papers` the numbers it brings."""

    __tablename__ = "editions"

    id: Mapped[int] = mapped_column(primary_key=True)
    slot: Mapped[str] = mapped_column(index=True)
    language: Mapped[str]
    frequency: Mapped[str]
    after: Mapped[int]
    papers: Mapped[list[Any]]
    subject: Mapped[str]
    html: Mapped[str]
    text: Mapped[str]
    nonce: Mapped[str]
    created_at: Mapped[datetime]


class Delivery(Base):
    """One edition to one subscriber.

    `state` is planned, claimed (by the sender named in `claim`), sending (its final dot may be out), sent,
    deferred (the server said later), failed, uncertain (nobody knows) or skipped. `due_at` is set as long
    as the delivery is under way: when it may be taken, by anyone if its sender is silent until then.
    `settled_at` is when the last outcome came; of one that is planned, when it was first refused for a fault of ours.
    `queue` is its slot, or `prompt` where somebody waits for it. `in_reply_to` is the Message-ID of the mail
    that a correction belongs to.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("subscriber_id", "slot"),
        Index("deliveries_by_slot", "slot"),
        Index("deliveries_by_edition", "edition_id"),
        Index("deliveries_due", "queue", "due_at", "id", sqlite_where=_WAITS, postgresql_where=_WAITS),
        Index("deliveries_under_way", "subscriber_id", sqlite_where=_WAITS, postgresql_where=_WAITS),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscribers.id"))
    edition_id: Mapped[int] = mapped_column(ForeignKey("editions.id"))
    slot: Mapped[str]
    queue: Mapped[str]
    kind: Mapped[str]
    state: Mapped[str]
    claim: Mapped[str] = mapped_column(default="")
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


class Pace(Base):
    """How fast mails go out to a domain that asked us to slow down: one in `interval` seconds, the next
    at `next_at`."""

    __tablename__ = "paces"

    domain: Mapped[str] = mapped_column(primary_key=True)
    interval: Mapped[float] = mapped_column(Double)
    next_at: Mapped[datetime]


class Resend(Base):
    """One request of an operator for copies: what, to whom, why, by whom. Its deliveries' slot names its id.

    `key` is the same for the same request, which is made once.
    """

    __tablename__ = "resends"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    request: Mapped[dict[str, Any]]
    reason: Mapped[str]
    asked_by: Mapped[str]
    asked_at: Mapped[datetime]


class ReturnedMail(Base):
    """A mail that came back to us: what kind it is, and what was done about it.

    `digest` (SHA-256) is that of its bytes, which are read once; `raw` is kept only of what was not
    understood. `said` is the server's reason in its own words.
    """

    __tablename__ = "returned_mails"

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(unique=True)
    received_at: Mapped[datetime] = mapped_column(index=True)
    kind: Mapped[str]
    status: Mapped[str] = mapped_column(default="")
    action: Mapped[str]
    said: Mapped[str] = mapped_column(default="")
    raw: Mapped[bytes | None]
    subscriber_id: Mapped[int | None] = mapped_column(ForeignKey("subscribers.id"), index=True)
    delivery_id: Mapped[int | None] = mapped_column(ForeignKey("deliveries.id"), index=True)


class Alarm(Base):
    """A trouble that the operator was told of: once a cause and day."""

    __tablename__ = "alarms"

    cause: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    told_at: Mapped[datetime]
