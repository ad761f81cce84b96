"""What sending needs: a database, a transport, an identity, a clock and limits."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from core.database import Database
from delivery.transport.base import Transport
from delivery.warm_up import WarmUp
from emails.identity import MailIdentity

Clock = Callable[[], datetime]

LEASE = timedelta(seconds=60)


@dataclass(frozen=True)
class SendingLimits:
    """How many connections a sender opens, and how many mails it sends at most (0: no limit).

    `per_second` is for each sender, `per_hour` for all senders together, and so are the daily caps of a `warm_up`.
    """

    connections: int = 1
    per_second: int = 0
    per_hour: int = 0
    warm_up: WarmUp | None = None


@dataclass(frozen=True)
class SendingContext:
    """What sending needs. A sender that is silent for longer than its `lease` loses its claims to other senders."""

    database: Database
    transport: Transport
    identity: MailIdentity
    clock: Clock
    limits: SendingLimits = field(default_factory=SendingLimits)
    lease: timedelta = LEASE
