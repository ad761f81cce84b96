"""What happens next to a subscriber, in plain words."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from issues.models import Paper
from subscribers.accounts import SIGNUP_LIFETIME
from subscribers.models import Subscriber
from subscribers.status import SubscriberStatus


def outlook(session: Session, subscriber: Subscriber, local_now: datetime) -> tuple[str, dict[str, object]]:
    """A sentence of the operators' language with braces, and what goes into them."""
    unread = _count_unread(session, subscriber)
    match subscriber.status:
        case SubscriberStatus.PENDING:
            expires = (subscriber.created_at + SIGNUP_LIFETIME).astimezone(local_now.tzinfo)
            return (
                "Nothing is sent until the subscription is confirmed. The sign-up expires at {time}.",
                {"time": f"{expires:%Y-%m-%d %H:%M}"},
            )
        case SubscriberStatus.PAUSED if subscriber.paused_until:
            return (
                "Mails are paused until {day}. The {count} papers that wait by now come after that.",
                {"day": subscriber.paused_until, "count": unread},
            )
        case SubscriberStatus.PAUSED:
            return (
                "Mails are paused until the subscriber resumes. {count} papers wait by now.",
                {"count": unread},
            )
        case SubscriberStatus.ACTIVE:
            due = subscriber.frequency.next_digest(local_now)
            sentence = (
                "The digest of {day} {time} comes next. {count} papers are unread by now."
                if unread
                else "The digest of {day} {time} comes next if there is something new by then."
            )
            return sentence, {"day": f"{due:%A}", "time": f"{due:%H:%M}", "count": unread}
        case SubscriberStatus.BOUNCED:
            return "Nothing is sent, because the address is suppressed.", {}
        case _:
            return "Nothing is sent, because the subscription has ended.", {}


def _count_unread(session: Session, subscriber: Subscriber) -> int:
    unread = select(func.count()).where(
        Paper.arrival_order > subscriber.cursor, Paper.withdrawn_at.is_(None), ~Paper.archived
    )
    return session.scalar(unread) or 0
