"""The account events: every change of a subscription, with where it came from. Together they record consent."""

from datetime import datetime

from subscribers.models import AccountEvent, Subscriber


def record_event(subscriber: Subscriber, what: str, now: datetime, origin: str, **detail: str) -> None:
    """Add an event. Details that are empty are left out."""
    details = {"from": origin, **detail}
    subscriber.events.append(
        AccountEvent(at=now, what=what, detail={name: value for name, value in details.items() if value})
    )
