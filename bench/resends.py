"""Measures how long it takes to plan a resend, for each group of subscribers, as the outbox grows.

Run it with `python -m bench.resends`, or with `--sizes 1000 10000` for other numbers of subscribers. Of every
thousand mails one has failed, one has expired and one is uncertain, and a paper was corrected after all mails were
sent. Each ratio compares the time per subscriber with that of the first size.
"""

import time
from datetime import timedelta

from sqlalchemy import func, text, update

from bench.databases import add_subscribers, each_size, plan_all
from bench.processes import show
from core.database import Database
from delivery.models import Delivery
from delivery.retry import MAX_ATTEMPTS
from delivery.states import DeliveryState
from issues.models import Paper
from mailings.resend.plan import plan_resend
from mailings.resend.request import ResendGroup, ResendRequest
from tests.support.factories import IDENTITY, NOW, add_issue, edition_of, issue_of, rendered

LATER = NOW + timedelta(days=1)
MAILS_PER_FAILURE = 1_000
FAILURES = (
    {"state": DeliveryState.FAILED, "attempts": 1},
    {"state": DeliveryState.FAILED, "attempts": MAX_ATTEMPTS},  # expired
    {"state": DeliveryState.UNCERTAIN, "attempts": 1},
)


def settle_all(database: Database) -> None:
    """Mark all mails as sent or failed, and correct a paper afterwards."""
    with database.sessions.begin() as session:
        session.execute(update(Delivery).values(state=DeliveryState.SENT, due_at=None))
        for remainder, failure in enumerate(FAILURES):
            is_chosen = func.mod(Delivery.id, MAILS_PER_FAILURE) == remainder
            session.execute(update(Delivery).where(is_chosen).values(**failure))
        session.execute(update(Paper).where(Paper.number == 1).values(corrected_at=LATER))
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


def main() -> None:
    """Measure each kind of database at each size."""
    rendered(edition_of(issue_of(1)))  # the first call loads premailer and the templates
    first: dict[tuple[str, ResendGroup], float] = {}
    for kind, _url, size, database in each_size(__doc__):
        with database.sessions.begin() as session:
            issue = add_issue(session, issue_of(2)).week_start.isoformat()
        add_subscribers(database, size)
        plan_all(database)
        settle_all(database)
        for group in ResendGroup:
            start = time.perf_counter()
            with database.sessions() as session:
                plan = plan_resend(session, ResendRequest(issue=issue, groups=(group,)), IDENTITY, LATER)
            seconds = time.perf_counter() - start
            ratio = seconds / size / first.setdefault((kind, group), seconds / size)
            show(
                f"{kind:10} {size:9,} subscribers  {group:9} {plan.copies:9,} copies planned in {seconds:6.2f} s "
                f"({ratio:4.2f} per subscriber)"
            )
        database.engine.dispose()


if __name__ == "__main__":
    main()
