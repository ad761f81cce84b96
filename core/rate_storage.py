"""Where rate limits are counted: in Redis, or in a table of the database. A storage of the `limits` library."""

import time
from typing import Any

from limits.storage import Storage, storage_from_string
from sqlalchemy import Double, case, delete, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base, Database, upsert

REDIS_TIMEOUT_SECONDS = 5


class RateLimitCount(Base):
    """How often something happened in the current window, which ends at `expires_at` (Unix time)."""

    __tablename__ = "rate_limit_counts"

    key: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int]
    expires_at: Mapped[float] = mapped_column(Double)


def open_rate_storage(url: str, database: Database) -> Storage:
    """The storage at a Redis `url`; without a URL, the database.

    While Redis cannot be reached, every use of the storage raises the `StorageError` of `limits`.
    """
    if not url:
        return DatabaseStorage(database)
    from redis.backoff import NoBackoff  # noqa: PLC0415  redis takes a while to import, and few use it
    from redis.retry import Retry  # noqa: PLC0415

    # Redis may have closed an idle connection, so one retry is needed. More would keep a visitor waiting.
    options: dict[str, Any] = {
        "retry": Retry(NoBackoff(), 1),
        "socket_timeout": REDIS_TIMEOUT_SECONDS,
        "socket_connect_timeout": REDIS_TIMEOUT_SECONDS,
    }
    return storage_from_string(url, wrap_exceptions=True, **options)  # type: ignore[return-value]  # redis:// is synchronous


def reserve(storage: Storage, key: str, *, limit: int, expiry: int, wanted: int) -> int:
    """Count up to `wanted` more, but none above the `limit`. Returns how many were counted.

    They are counted first and given back then, so that no two who reserve at the same time exceed the limit.
    """
    excess = min(max(storage.incr(key, expiry, wanted) - limit, 0), wanted)
    if excess:
        storage.incr(key, expiry, -excess)
    return wanted - excess


class DatabaseStorage(Storage):
    """Counts in a table. One statement raises a count, so that no concurrent hit is lost."""

    STORAGE_SCHEME = None

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database

    @property
    def base_exceptions(self) -> type[Exception]:
        """The errors of this storage."""
        return SQLAlchemyError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Raise a count by `amount` and return it. An expired count starts again; no count falls below 0."""
        now = time.time()
        has_expired = RateLimitCount.expires_at <= now
        # A negative amount gives back what was counted before, perhaps in a window that is over.
        first, raised = max(amount, 0), RateLimitCount.count + amount
        with self._database.sessions.begin() as session:
            statement = upsert(session, RateLimitCount).values(key=key, count=first, expires_at=now + expiry)
            statement = statement.on_conflict_do_update(
                index_elements=[RateLimitCount.key],
                set_={
                    "count": case((has_expired, first), (raised < 0, 0), else_=raised),
                    "expires_at": case((has_expired, now + expiry), else_=RateLimitCount.expires_at),
                },
            )
            return int(session.scalars(statement.returning(RateLimitCount.count)).one())

    def get(self, key: str) -> int:
        """A count, or 0 when it has expired."""
        with self._database.sessions() as session:
            found = session.scalar(
                select(RateLimitCount.count).where(
                    RateLimitCount.key == key, RateLimitCount.expires_at > time.time()
                )
            )
            return found or 0

    def get_expiry(self, key: str) -> float:
        """When a count expires (Unix time)."""
        with self._database.sessions() as session:
            expires_at = session.scalar(select(RateLimitCount.expires_at).where(RateLimitCount.key == key))
            return expires_at or time.time()

    def check(self) -> bool:
        """Whether the database answers."""
        with self._database.sessions() as session:
            return bool(session.scalar(select(1)) == 1)

    def reset(self) -> int:
        """Delete all counts. Returns how many there were."""
        with self._database.sessions.begin() as session:
            return len(session.scalars(delete(RateLimitCount).returning(RateLimitCount.key)).all())

    def clear(self, key: str) -> None:
        """Delete a count."""
        with self._database.sessions.begin() as session:
            session.execute(delete(RateLimitCount).where(RateLimitCount.key == key))

    def delete_expired(self) -> None:
        """Delete the counts that have expired."""
        with self._database.sessions.begin() as session:
            session.execute(delete(RateLimitCount).where(RateLimitCount.expires_at <= time.time()))
