"""Where a subscriber's reading begins: at the latest issue for who is new, and at what they missed for who comes back."""

from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from issues.models import Issue, Paper
from subscribers.models import Subscriber

MAX_CATCH_UP = timedelta(days=30)  # of absence, after which a returning subscriber gets only the latest issue


def cursor_before_latest_issue(session: Session) -> int:
    """The cursor of a new subscriber, for whom the latest week is unread and nothing before it."""
    is_mailed = (Issue.revision > 0, Paper.withdrawn_at.is_(None), ~Paper.archived)
    newest_week = select(func.max(Issue.week_start)).join(Paper).where(*is_mailed)
    of_newest = select(func.min(Paper.arrival_order)).join(Issue)
    first = session.scalar(of_newest.where(Issue.week_start == newest_week.scalar_subquery(), *is_mailed))
    return first - 1 if first else 0


def begin_at_latest_issue(session: Session, subscriber: Subscriber) -> None:
    """Move a subscriber's cursor to before the latest issue, unless it is further.

    The database compares, because a digest may move the cursor at the same time.
    """
    session.flush()
    latest = cursor_before_latest_issue(session)
    is_behind = (Subscriber.id == subscriber.id, Subscriber.cursor < latest)
    moved = update(Subscriber).where(*is_behind).values(cursor=latest)
    session.execute(moved.execution_options(synchronize_session=False))
    session.refresh(subscriber, ["cursor"])


def catch_up(session: Session, subscriber: Subscriber, now: datetime) -> None:
    """Let a subscriber who comes back get what they missed; after MAX_CATCH_UP, only the latest issue."""
    if subscriber.ended_at and subscriber.ended_at + MAX_CATCH_UP < now:
        begin_at_latest_issue(session, subscriber)
