"""Group commit: what happens to a commit whose run ends, and to what stands in line behind it."""

import asyncio
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from core.database import Database
from delivery import outbox, settlement
from delivery.group_commit import GroupCommit
from delivery.outbox import Lease
from delivery.retry import Claim
from tests.support.factories import NOW
from tests.support.outbox import SLOT, plan_mails, states

MINUTE = timedelta(minutes=1)


def claimed(database: Database, count: int) -> list[Claim]:
    """As many claims of one sender."""
    plan_mails(database, count)
    with database.sessions.begin() as session:
        lease = Lease("sender", NOW + MINUTE)
        return outbox.claim(session, SLOT, lease, now=NOW, repeat_uncertain=True, limit=count)


def test_a_run_that_ends_while_the_database_is_away_marks_nothing_more_as_sending(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = claimed(database, 4)
    commit_fast, failures = settlement.commit_fast, iter([True])

    async def fail_once(*arguments: Any) -> bool:
        if next(failures, False):
            raise OperationalError("UPDATE", {}, psycopg.OperationalError("connection refused"))
        return await commit_fast(*arguments)

    async def end_while_away() -> None:
        commits = GroupCommit(database, "sender", lambda: NOW, MINUTE)
        workers = [asyncio.create_task(commits.commit([], claim)) for claim in claims[:2]]
        await asyncio.sleep(0.05)  # the first commit has failed, and waits for the database
        workers += [asyncio.create_task(commits.commit([], claim)) for claim in claims[2:]]
        await asyncio.sleep(0)
        for worker in workers:
            worker.cancel()
        await commits.close()
        await asyncio.sleep(0.05)

    monkeypatch.setattr(settlement, "commit_fast", fail_once)
    asyncio.run(end_while_away())
    assert next(failures, None) is None, "the database was away"
    assert states(database) == {"claimed": 4}


@pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)
def test_a_statement_that_is_cancelled_under_way_does_not_break_the_next_commit(database: Database) -> None:
    claims = claimed(database, 2)

    async def cancel_and_go_on() -> None:
        commits = GroupCommit(database, "sender", lambda: NOW, MINUTE)
        worker = asyncio.create_task(commits.commit([], claims[0]))
        while commits._connection is None:
            await asyncio.sleep(0)
        await commits.close()
        worker.cancel()
        assert (await commits.commit([], claims[1])).name == "SEND"
        await commits.close()

    asyncio.run(cancel_and_go_on())
    assert states(database)["sending"] >= 1
