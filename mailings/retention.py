"""Retention: what was settled is counted, and what is older than the setting is pruned. Upkeep does some of it each time.

What readers can do with old mails does not depend on the rows: links name a subscriber or an issue. Who has had a paper
is read from deliveries, so they stay as long as that matters; see `issues.paper_rows.papers_that_may_arrive_again`.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from core.database import Database, Sessions, retry_while_away, transact
from core.disk_space import database_size, give_back_free_pages
from core.locks import advisory_lock
from delivery.counts import count_settled
from delivery.pruning import (
    PrunedDeliveries,
    prune_bounces,
    prune_deliveries,
    prune_editions,
    prune_resends,
    prune_runs,
)
from issues.paper_rows import note_pruned, papers_that_may_arrive_again
from mailings.context import MailingRules
from subscribers.first_papers import cursor_before_latest_issue
from subscribers.models import Subscriber
from subscribers.status import SUBSCRIBED

MEGABYTE = 1_000_000
MAX_SECONDS = 5.0  # of one upkeep; the next one goes on
PAUSE_SECONDS = 0.02  # between two transactions, in which a sender commits


@dataclass
class RetentionReport:
    """How many deliveries were counted, how many rows of each table were pruned, and the database's size afterwards."""

    counted: int = 0
    pruned: Counter[str] = field(default_factory=Counter)
    megabytes: int = 0

    def as_json(self) -> dict[str, object]:
        """The report as JSON values, without the tables of which nothing was pruned."""
        return {"counted": self.counted, "pruned": dict(+self.pruned), "megabytes": self.megabytes}


class _Turns:
    """Transactions one after the other for a bounded time, with pauses in which senders commit."""

    def __init__(self, sessions: Sessions, max_seconds: float) -> None:
        self._sessions, self._end = sessions, time.monotonic() + max_seconds

    def is_over(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() >= self._end

    def pause(self) -> None:
        """Let others write."""
        time.sleep(PAUSE_SECONDS)

    def repeat(self, work: Callable[[Session], int]) -> int:
        """Repeat some work until it has nothing to do, and return the sum of what it returns."""
        total = 0
        while not self.is_over() and (count := transact(self._sessions, work)):
            total += count
            self.pause()
        return total


def run_retention(
    database: Database, now: datetime, rules: MailingRules, *, max_seconds: float = MAX_SECONDS
) -> RetentionReport:
    """Count what is settled, prune what is older than the rules say, and give the space back, for up to `max_seconds`."""
    turns = _Turns(database.sessions, max_seconds)
    before, pruned = now - rules.retention, Counter[str]()
    counted = turns.repeat(lambda session: count_settled(session, now))
    pruned["resends"] = turns.repeat(partial(prune_resends, before=before))  # before their copies go
    pruned["deliveries"] = _prune_deliveries(turns, database.sessions, before, now)
    pruned["editions"] = turns.repeat(partial(prune_editions, before=before))
    pruned["bounce mails"] = turns.repeat(partial(prune_bounces, before=before))
    pruned["runs"] = turns.repeat(partial(prune_runs, before=before))
    retry_while_away(partial(give_back_free_pages, database.engine, turns.is_over, turns.pause))
    size = transact(database.sessions, database_size)
    return RetentionReport(counted, pruned, round(size.total / MEGABYTE))


def _prune_deliveries(turns: _Turns, sessions: Sessions, before: datetime, now: datetime) -> int:
    pruned, last_id = 0, 0
    while not turns.is_over():
        done = transact(sessions, partial(_prune_some, before=before, now=now, after_id=last_id))
        pruned += done.count
        if done.last_id is None:
            break
        last_id = done.last_id
        turns.pause()
    return pruned


def _prune_some(session: Session, *, before: datetime, now: datetime, after_id: int) -> PrunedDeliveries:
    """Prune some deliveries, and note of their papers that nobody can tell any more who has had them."""
    # Meanwhile no paper is restored, and no digest asks who has had one. The order is that of an intake.
    advisory_lock(session, "papers")
    advisory_lock(session, "planning")
    kept = papers_that_may_arrive_again(session, partial(_first_cursor, session, before), now)
    done = prune_deliveries(session, before, kept, after_id)
    note_pruned(session, done.papers, now)
    return done


def _first_cursor(session: Session, before: datetime) -> int:
    """The place from which somebody may still get papers: of those who are subscribed, left lately, or will join."""
    may_read = or_(Subscriber.status.in_(SUBSCRIBED), Subscriber.ended_at > before)
    first = session.scalar(select(func.min(Subscriber.cursor)).where(may_read))
    latest = cursor_before_latest_issue(session)
    return latest if first is None else min(first, latest)
