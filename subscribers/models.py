"""The tables of who reads: subscribers, what happened to their accounts, sign-up requests, suppressions."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from core.database import Base
from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language
from subscribers.status import SubscriberStatus


class Subscriber(Base):
    """A person who asked for mails.

    - `cursor` is the place, in the papers' order of arrival, of the last paper planned for them. Papers after it are
      unread.
    - `handle` is a random name that their links carry instead of anything readable. A new handle ends all links sent
      before, but for those to unsubscribe.
    - `new_email` is an address that they asked for and have not confirmed yet.
    """

    __tablename__ = "subscribers"
    __table_args__ = (
        Index("subscribers_by_status", "status", "id"),  # see migration 0014
        {"postgresql_with": {"fillfactor": 50}},  # see migration 0013
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(default="")
    language: Mapped[Language]
    frequency: Mapped[Frequency]
    detail: Mapped[Detail] = mapped_column(default=Detail.FULL)
    status: Mapped[SubscriberStatus]
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


class PastHandle(Base):
    """A handle that links carried before its subscriber moved or revoked them. It still serves for unsubscribing."""

    __tablename__ = "past_handles"

    handle: Mapped[str] = mapped_column(primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscribers.id"), index=True)
    ended_at: Mapped[datetime]


class RequestPurpose(StrEnum):
    """What a form that anybody can send asks for, to be answered by mail."""

    SIGN_UP = "sign up"
    SETTINGS_LINK = "settings link"
    ISSUE_COPY = "issue copy"


class SignupRequest(Base):
    """What somebody asked for with an address that nobody has proved to be theirs. Only a mail answers it.

    `network` is the network it came from. `topic_id` names the issue of which a copy is asked for. The choices count
    for a sign-up only.
    """

    __tablename__ = "signup_requests"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    language: Mapped[Language]
    frequency: Mapped[Frequency]
    detail: Mapped[Detail] = mapped_column(default=Detail.FULL)
    network: Mapped[str]
    purpose: Mapped[RequestPurpose] = mapped_column(default=RequestPurpose.SIGN_UP)
    topic_id: Mapped[int | None] = mapped_column(BigInteger)
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
    """An address (in lower case) that must not be mailed, and why: it bounced, or its owner complained."""

    __tablename__ = "suppressions"

    email: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str]
    created_at: Mapped[datetime]


class ForgottenAddress(Base):
    """A keyed hash of an address whose owner asked to be forgotten, so that no import brings it back."""

    __tablename__ = "forgotten_addresses"

    address_hash: Mapped[str] = mapped_column(primary_key=True)
    forgotten_at: Mapped[datetime]
