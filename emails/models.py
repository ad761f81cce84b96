"""The tables of what readers get: editions and the ledger of deliveries."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from core.database import Base
from subscribers.models import Subscriber


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

    `state` is planned, claimed, sending (its final dot may be out), sent, deferred (try again at
    `next_attempt_at`), failed, uncertain (nobody knows) or skipped.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("subscriber_id", "slot"),
        Index("deliveries_by_state", "state", "slot"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscribers.id"))
    edition_id: Mapped[int] = mapped_column(ForeignKey("editions.id"))
    slot: Mapped[str]
    kind: Mapped[str]
    state: Mapped[str]
    message_id: Mapped[str] = mapped_column(unique=True)
    attempts: Mapped[int] = mapped_column(default=0)
    repeats: Mapped[int] = mapped_column(default=0)
    reply: Mapped[str] = mapped_column(default="")
    planned_at: Mapped[datetime]
    next_attempt_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    subscriber: Mapped[Subscriber] = relationship()
    edition: Mapped[EditionRow] = relationship()
