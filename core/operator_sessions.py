"""Sessions of operators that have ended before their time, so that a cookie that was copied is worth nothing."""

from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.database import Base, Database, read_only


class EndedSession(Base):
    """A session whose operator has signed out."""

    __tablename__ = "ended_sessions"

    session: Mapped[str] = mapped_column(primary_key=True)
    ended_at: Mapped[datetime]


def end_session(session: Session, name: str, now: datetime, lifetime: timedelta) -> None:
    """End a session. Those that have ended by themselves since are forgotten."""
    session.execute(delete(EndedSession).where(EndedSession.ended_at < now - lifetime))
    session.merge(EndedSession(session=name, ended_at=now))


def has_ended(database: Database, name: str) -> bool:
    """Whether the operator of a session has signed out."""
    with read_only(database) as session:
        return session.get(EndedSession, name) is not None
