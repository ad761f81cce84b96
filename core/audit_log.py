"""The audit log: what operators did by hand, who did it and when. No address of a subscriber is in it."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.database import Base


class Action(StrEnum):
    """What an operator did."""

    SIGN_IN = "signed in"
    SIGN_OUT = "signed out"
    RELEASE = "released"
    MAIL_ARCHIVED = "mailed from the archive"
    ACCEPT_WEEK = "gave a week"
    DISMISS = "left alone"
    CALL_OFF = "called off"
    NOTE = "wrote a note"
    RESEND = "sent again"
    EDIT = "edited"
    PAUSE = "paused"
    RESUME = "resumed"
    END = "ended"
    SUPPRESS = "suppressed"
    FORGET = "forgot"
    UNSUPPRESS = "lifted a suppression"


class OperatorAction(Base):
    """One action. `target` is what it was done to: `issue 9613`, `subscriber 12`, `resend 3`, or empty."""

    __tablename__ = "operator_actions"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    operator: Mapped[str]
    action: Mapped[Action]
    target: Mapped[str] = mapped_column(default="", index=True)
    detail: Mapped[dict[str, Any]]


def record_action(
    session: Session, operator: str, action: Action, target: str, now: datetime, **detail: object
) -> None:
    """Record an action in the transaction that does it. Details that are empty are left out."""
    kept = {name: str(value) for name, value in detail.items() if value not in (None, "")}
    session.add(OperatorAction(at=now, operator=operator, action=action, target=target, detail=kept))


def latest_actions(
    session: Session, count: int, target: str = "", *, since: datetime | None = None
) -> Sequence[OperatorAction]:
    """The last actions, the newest first; with a `target` only what was done to it, `since` a time if one is given."""
    rows = select(OperatorAction).order_by(OperatorAction.id.desc()).limit(count)
    if target:
        rows = rows.where(OperatorAction.target == target)
    if since:
        rows = rows.where(OperatorAction.at >= since)
    return session.scalars(rows).all()
