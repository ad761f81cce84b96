"""How long the plan of a resend takes, by group and the number of readers; run it with `PYTHONPATH=.:bench:tests`.

One mail in a thousand has failed, expired or is uncertain; a paper was corrected after all mails were sent.
"""

import sys
import time
from datetime import timedelta

from mailings.resend.plan_resend import plan_resend
from sqlalchemy import func, text, update

from bench.stage import NOW, add_readers, each_size, plan_all
from core.database import Database
from delivery.models import Delivery
from delivery.retry import MAX_ATTEMPTS
from issues.models import Paper
from mailings.resend.request import ResendGroup, ResendRequest
from tests.support.factories import IDENTITY, add_issue, issue_of

LATER = NOW + timedelta(days=1)
MAX_FAILURE_RATE = 1_000  # of the mails, one has failed, one expired, one is uncertain


def send_all(database: Database) -> None:
    """As if all mails had been sent."""
    with database.sessions.begin() as session:
        session.execute(update(Delivery).values(state="sent", due_at=None))
        for place, state in enumerate(("failed", "failed", "uncertain")):
            chosen = update(Delivery).where(func.mod(Delivery.id, MAX_FAILURE_RATE) == place)
            session.execute(chosen.values(state=state, attempts=MAX_ATTEMPTS if place == 1 else 1))
        session.execute(update(Paper).where(Paper.number == 1).values(corrected_at=LATER))
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


def main() -> None:
    """Measure each database at each size."""
    for kind, _url, size, database in each_size(__doc__):
        with database.sessions.begin() as session:
            add_issue(session, issue_of(2), now=NOW)
        add_readers(database, size)
        plan_all(database)
        send_all(database)
        for group in ResendGroup:
            begin = time.perf_counter()
            with database.sessions() as session:
                made = plan_resend(
                    session, ResendRequest(issue="2025-07-28", groups=(group,)), IDENTITY, LATER
                )
            seconds = time.perf_counter() - begin
            sys.stdout.write(f"{kind:11} {size:9,} readers  {group:9} {made.copies:9,} in {seconds:6.2f} s\n")
            sys.stdout.flush()
        database.engine.dispose()


if __name__ == "__main__":
    main()
