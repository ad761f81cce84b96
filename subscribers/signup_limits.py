"""How many sign-ups are taken: per network, per mail domain and in all; counted in the database or Redis."""

import ipaddress
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from limits import RateLimitItem, parse_many
from limits.storage import Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import case, delete, select
from sqlalchemy.exc import SQLAlchemyError

from core.database import Database, upsert
from subscribers.models import Attempt

REDIS_ANSWERS = 5  # seconds that it may take to


@dataclass(frozen=True)
class Allowances:
    """How many sign-ups are taken, each in the notation of `limits`: `10 per hour; 30 per day`."""

    network: str
    domain: str
    total: str


class SignUpLimits:
    """Counts sign-ups and says when there are too many."""

    def __init__(self, storage: Storage, allowances: Allowances) -> None:
        self._limiter = FixedWindowRateLimiter(storage)
        self._network = parse_many(allowances.network)
        self._domain = parse_many(allowances.domain)
        self._total = parse_many(allowances.total)

    def take(self, network: str, domain: str) -> str:
        """Count a sign-up; the name of the limit that it exceeds, or nothing."""
        counted: list[tuple[str, Sequence[RateLimitItem], str]] = [
            ("network", self._network, network),
            ("domain", self._domain, domain),
            ("total", self._total, "all"),
        ]
        for name, allowed, key in counted:
            for item in allowed:
                if not self._limiter.hit(item, "sign-up", name, key):
                    return name
        return ""

    def is_first_today(self, what: str) -> bool:
        """Whether this has not happened within a day; counts it."""
        (once,) = parse_many("1 per day")
        return self._limiter.hit(once, "once", what)


class Tries:
    """Counts what somebody of a network tries, and says when it is too often."""

    def __init__(self, storage: Storage, what: str, allowed: str) -> None:
        self._limiter = FixedWindowRateLimiter(storage)
        self._what, self._allowed = what, parse_many(allowed)

    def take(self, network: str) -> bool:
        """Count a try; whether it is allowed."""
        return all(self._limiter.hit(item, self._what, network) for item in self._allowed)


def open_storage(url: str, database: Database) -> Storage:
    """Where counts are kept: at `url` (Redis), or in the database when there is none.

    Redis away raises the `StorageError` of `limits`, where counts are asked for.
    """
    if url:
        # One retry is for a connection that Redis has ended meanwhile; a reader does not wait for more.
        options: dict[str, Any] = {
            "retry": Retry(NoBackoff(), 1),
            "socket_timeout": REDIS_ANSWERS,
            "socket_connect_timeout": REDIS_ANSWERS,
        }
        return storage_from_string(url, wrap_exceptions=True, **options)  # type: ignore[return-value]  # synchronous by its scheme
    return DatabaseStorage(database)


class DatabaseStorage(Storage):
    """Counts in a table, each raised by one statement, so that no two are lost."""

    STORAGE_SCHEME = None

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database

    @property
    def base_exceptions(self) -> type[Exception]:
        """What a fault of the storage raises."""
        return SQLAlchemyError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Raise a count and return it; one that has expired begins anew."""
        now = time.time()
        is_over = Attempt.expires_at <= now
        first, raised = max(amount, 0), Attempt.count + amount  # what is given back may be of a window before
        with self._database.sessions.begin() as session:
            statement = upsert(session, Attempt).values(key=key, count=first, expires_at=now + expiry)
            statement = statement.on_conflict_do_update(
                index_elements=[Attempt.key],
                set_={
                    "count": case((is_over, first), (raised < 0, 0), else_=raised),
                    "expires_at": case((is_over, now + expiry), else_=Attempt.expires_at),
                },
            )
            return int(session.scalars(statement.returning(Attempt.count)).one())

    def get(self, key: str) -> int:
        """A count, 0 when it has expired."""
        with self._database.sessions() as session:
            found = session.scalar(
                select(Attempt.count).where(Attempt.key == key, Attempt.expires_at > time.time())
            )
            return found or 0

    def get_expiry(self, key: str) -> float:
        """When a count expires."""
        with self._database.sessions() as session:
            return session.scalar(select(Attempt.expires_at).where(Attempt.key == key)) or time.time()

    def check(self) -> bool:
        """Whether the database answers."""
        with self._database.sessions() as session:
            return bool(session.scalar(select(1)) == 1)

    def reset(self) -> int:
        """Drop all counts; how many there were."""
        with self._database.sessions.begin() as session:
            return len(session.scalars(delete(Attempt).returning(Attempt.key)).all())

    def clear(self, key: str) -> None:
        """Drop a count."""
        with self._database.sessions.begin() as session:
            session.execute(delete(Attempt).where(Attempt.key == key))

    def drop_expired(self) -> None:
        """Drop the counts that have expired."""
        with self._database.sessions.begin() as session:
            session.execute(delete(Attempt).where(Attempt.expires_at <= time.time()))


def network_of(address: str) -> str:
    """The network that an address stands for: IPv4 /24, IPv6 /64; `unknown` for anything else."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    ip = mapped or ip
    return str(ipaddress.ip_network((ip, 24 if ip.version == 4 else 64), strict=False))
