"""The tables of who reads."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Double, ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from core.database import Base

LANGUAGES = ("ko", "en", "both")
FREQUENCIES = ("weekly", "daily")


class Subscriber(Base):
    """A person who asked for mails.

    `status` is pending (not confirmed), active, paused, unsubscribed, bounced, or forgotten (an empty
    row, soon to go). `cursor` is the
    number of the last paper planned for them: what lies above it is unread. `handle` is a random
    name that their links carry in place of anything readable; a new one ends all links. `new_email`
    is an address asked for and not yet confirmed.
    """

    __tablename__ = "subscribers"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(default="")
    language: Mapped[str]
    frequency: Mapped[str]
    status: Mapped[str] = mapped_column(index=True)
    cursor: Mapped[int] = mapped_column(default=0)
    handle: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    paused_until: Mapped[date | None]
    new_email: Mapped[str] = mapped_column(default="")
    events: Mapped[list["AccountEvent"]] = relationship(
        order_by="AccountEvent.id", cascade="all, delete-orphan"
    )


Index("subscribers_by_address", func.lower(Subscriber.email), unique=True)


class Application(Base):
    """A sign-up as it came from the form, to be answered by mail; `network` is where from."""

    __tablename__ = "applications"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    language: Mapped[str]
    frequency: Mapped[str]
    network: Mapped[str]
    received_at: Mapped[datetime]


class AccountEvent(Base):
    """What happened to a subscription and when: the record of consent, and of every change."""

    __tablename__ = "account_events"

    id: Mapped[int] = mapped_column(primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscribers.id"), index=True)
    at: Mapped[datetime]
    what: Mapped[str]
    detail: Mapped[dict[str, Any]]


class Suppression(Base):
    """An address that must not be mailed, and why: bounced, complained, forgotten."""

    __tablename__ = "suppressions"

    email: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str]
    created_at: Mapped[datetime]


class Forgotten(Base):
    """An address whose owner asked to be forgotten, as a keyed hash: it is not mailed again by mistake."""

    __tablename__ = "forgotten"

    digest: Mapped[str] = mapped_column(primary_key=True)
    forgotten_at: Mapped[datetime]


class Attempt(Base):
    """How often something was tried lately: a counter of `subscribers.signup_limits`, until a time (Unix)."""

    __tablename__ = "attempts"

    key: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int]
    expires_at: Mapped[float] = mapped_column(Double)
