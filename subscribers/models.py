"""The tables of who reads."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base

LANGUAGES = ("ko", "en", "both")
FREQUENCIES = ("weekly", "daily")


class Subscriber(Base):
    """A person who asked for mails.

    `status` is pending (not confirmed), active, paused, unsubscribed or bounced. `cursor` is the
    number of the last paper planned for them: what lies above it is unread. `handle` is a random
    name that their links carry in place of anything readable.
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


class Suppression(Base):
    """An address that must not be mailed, and why: bounced, complained, forgotten."""

    __tablename__ = "suppressions"

    email: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str]
    created_at: Mapped[datetime]
