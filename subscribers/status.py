"""The states of a subscription."""

from enum import StrEnum


class SubscriberStatus(StrEnum):
    """Where a subscription stands.

    `pending` waits for the confirmation; `bounced` has an address that must not be mailed; `forgotten` is an
    emptied row that will be deleted once nothing in the outbox refers to it.
    """

    PENDING = "pending"
    ACTIVE = "active"
    PAUSED = "paused"
    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"
    FORGOTTEN = "forgotten"


SUBSCRIBED = (SubscriberStatus.ACTIVE, SubscriberStatus.PAUSED)  # those who confirmed and have not left
