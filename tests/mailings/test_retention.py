"""Upkeep prunes what is older than retention, and nobody gets a paper twice or loses one for it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from core.database import Database
from core.frequencies import Frequency
from core.run_log import RunKind, RunRecord, record_run
from delivery import counts
from delivery.events import mark_bounced
from delivery.models import BounceMail, CountedUntil, Delivery, EditionCount, EditionRow, MonthlyCount, Resend
from delivery.states import CountedSubject, DeliveryState
from issues.models import Issue, Paper
from issues.paper_rows import restore_all, withdraw_all
from issues.queries import find as find_issue
from mailings.digest_run import run_digest
from mailings.held_issues import release_issue
from mailings.resend.execute import execute
from mailings.resend.plan import plan_resend
from mailings.resend.request import ResendError, ResendGroup, ResendRequest
from mailings.retention import RetentionReport, run_retention
from monitoring.history import mails_of_issue
from monitoring.statistics import MonthStatistics, latest_slots, mails_by_month
from subscribers import accounts
from subscribers.models import Subscriber
from tests.support.account_actions import DAY, act, publish, subscribe
from tests.support.factories import IDENTITY, NOW, RULES, sending_context_at
from tests.support.outbox import recipients
from tests.support.servers.smtp import ScriptedServer

AGED = replace(RULES, retention=timedelta(weeks=60))
LATER = NOW + timedelta(weeks=61)  # when everything of NOW is older than retention
READERS = ("a@example.com", "b@example.com", "c@example.com")


@pytest.fixture
def mailed(database: Database, server: ScriptedServer) -> Database:
    """Three subscribers who got an issue at NOW, and another one a day before LATER."""
    publish(database)
    subscribe(database, *READERS)
    digest(database, server, timedelta(0))
    publish(database, topic_id=9002, days=7 * 60)
    digest(database, server, timedelta(weeks=60))
    return database


def digest(database: Database, server: ScriptedServer, after: timedelta) -> list[str]:
    """Run the weekly digest, and return who got a mail."""
    before = len(server.messages)
    with sending_context_at(database, server, NOW + after) as context:
        report = run_digest(context, Frequency.WEEKLY, local_now=NOW + after, rules=AGED)
    assert report.fault == ""
    return sorted(recipients(server)[before:])


def prune(database: Database, after: timedelta = LATER - NOW) -> RetentionReport:
    return run_retention(database, NOW + after, AGED)


def count(database: Database, table: type) -> int:
    with database.sessions() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def states_by_query(database: Database) -> dict[str, int]:
    """How many deliveries are in each state, counted row by row."""
    with database.sessions() as session:
        rows = select(Delivery.state, func.count()).group_by(Delivery.state)
        return dict(session.execute(rows).all())


def test_what_is_older_than_retention_goes_and_its_monthly_counts_stay(mailed: Database) -> None:
    with mailed.sessions.begin() as session:
        first = session.scalars(select(Delivery).order_by(Delivery.id)).first()
        assert first
        returned = {"kind": "bounce", "action": "counted", "subscriber_id": first.subscriber_id}
        for at, delivery in ((NOW + DAY, first.id), (LATER - DAY, None)):
            session.add(BounceMail(content_hash=str(at), received_at=at, delivery_id=delivery, **returned))
        record_run(session, RunKind.UPKEEP, {}, NOW)
        record_run(session, RunKind.UPKEEP, {}, LATER)
    report = prune(mailed)
    assert +report.pruned == {"deliveries": 3, "editions": 1, "bounce mails": 1, "runs": 2}
    assert [count(mailed, table) for table in (Delivery, EditionRow, BounceMail)] == [3, 1, 1]
    with mailed.sessions() as session:
        months = mails_by_month(session)
        assert [(month.month.isoformat(), month.sent) for month in months] == [
            ("2026-09-01", 3),
            ("2025-08-01", 3),
        ]
        kept = session.scalars(select(MonthlyCount).where(MonthlyCount.subject != CountedSubject.MAIL)).all()
        assert {(row.subject, row.kind, row.count) for row in kept} == {
            ("bounce mail", "bounce", 1),
            ("run", "digest", 1),
            ("run", "upkeep", 1),
        }
    assert prune(mailed).pruned.total() == 0, "a second upkeep has nothing to do"


def test_counts_answer_as_the_rows_do_before_and_after_counting_and_after_a_bounce(mailed: Database) -> None:
    def answers() -> object:
        with mailed.sessions() as session:
            return (
                counts.count_by_state(session),
                [
                    counts.count_slot_by_state(session, slot)
                    for slot in ("weekly:2025-W32", "weekly:2026-W39")
                ],
                mails_of_issue(session, find_issue(session, "2025-07-28")),
                [(slot.slot, slot.sent, slot.failed) for slot in latest_slots(session)],
            )

    before = answers()
    run_retention(mailed, NOW + 10 * DAY, AGED)
    assert count(mailed, EditionCount) == 1, "what was planned after the time of the run is not counted yet"
    assert answers() == before
    with mailed.sessions.begin() as session:
        first, *_, last = session.scalars(select(Delivery).order_by(Delivery.id)).all()
        for delivery in (first, last):
            mark_bounced(session, delivery.id, "5.2.1 off")
            mark_bounced(session, delivery.id, "5.2.1 off")  # a second bounce of a mail changes nothing
    assert states_by_query(mailed) == {"sent": 4, "failed": 2}
    with mailed.sessions() as session:
        assert counts.count_by_state(session) == {"sent": 4, "failed": 2}
        assert counts.count_slot_by_state(session, "weekly:2025-W32") == {"sent": 2, "failed": 1}
        assert MonthStatistics(NOW.date().replace(day=1), 2, 1, 0, 0) in mails_by_month(session)


def test_nothing_behind_a_delivery_under_way_is_counted_or_pruned(mailed: Database) -> None:
    with mailed.sessions.begin() as session:
        second = session.scalars(select(Delivery.id).order_by(Delivery.id).offset(1)).first()
        waiting = update(Delivery).where(Delivery.id == second)
        session.execute(waiting.values(state=DeliveryState.DEFERRED, due_at=LATER))
    assert prune(mailed).pruned["deliveries"] == 1
    with mailed.sessions() as session:
        assert counts.counted_until(session) == session.scalars(select(CountedUntil.delivery_id)).one() == 1


def test_a_run_that_must_end_at_once_goes_on_the_next_time(mailed: Database) -> None:
    assert run_retention(mailed, LATER, AGED, max_seconds=0).pruned.total() == 0
    assert count(mailed, Delivery) == 6
    assert prune(mailed).pruned["deliveries"] == 3


# --- every paper once ----------------------------------------------------------------


def go_and_return(database: Database, at: timedelta, away: timedelta) -> None:
    """The first issue's post is deleted at a time, and returns later."""
    with database.sessions.begin() as session:
        issue = session.scalars(select(Issue).order_by(Issue.id)).first()
        assert issue
        issue.deleted_at = NOW + at
        withdraw_all(issue, NOW + at)
    prune(database, at + away - DAY)
    with database.sessions.begin() as session:
        issue = session.scalars(select(Issue).order_by(Issue.id)).first()
        assert issue
        restore_all(session, issue, NOW + at + away)


def test_a_post_that_returns_after_its_mails_were_pruned_is_mailed_to_nobody_again(
    mailed: Database, server: ScriptedServer
) -> None:
    assert prune(mailed).pruned["deliveries"] == 3
    go_and_return(mailed, timedelta(weeks=62), timedelta(weeks=2))
    assert digest(mailed, server, timedelta(weeks=65)) == []


def test_mails_of_a_post_that_may_return_are_kept_so_that_only_those_get_it_who_lack_it(
    mailed: Database, server: ScriptedServer
) -> None:
    with mailed.sessions.begin() as session:
        lacking = session.scalars(select(Subscriber.id).where(Subscriber.email == READERS[1])).one()
        theirs = update(Delivery).where(Delivery.subscriber_id == lacking, Delivery.id <= 3)
        session.execute(theirs.values(state=DeliveryState.SKIPPED))
    go_and_return(mailed, timedelta(weeks=60, days=1), timedelta(weeks=4))
    prune(mailed, timedelta(weeks=64, days=2))
    assert digest(mailed, server, timedelta(weeks=65)) == [READERS[1]]
    publish(mailed, topic_id=9003, days=7 * 66)
    with mailed.sessions.begin() as session:  # its papers arrive after those that returned
        session.execute(update(Paper).where(Paper.number > 6).values(arrival_order=Paper.number + 3))
    assert digest(mailed, server, timedelta(weeks=67)) == list(READERS)
    prune(mailed, timedelta(weeks=80))
    assert count(mailed, Delivery) == 7, "once everybody has passed it, its old mails go"


def test_whoever_paused_for_longer_than_retention_gets_all_papers_once_when_they_resume(
    mailed: Database, server: ScriptedServer
) -> None:
    subscribe(mailed, "d@example.com")
    act(mailed, lambda _, subscriber: accounts.pause(subscriber, NOW), "d@example.com")
    with mailed.sessions.begin() as session:
        session.execute(update(Subscriber).where(Subscriber.email == "d@example.com").values(cursor=0))
    prune(mailed)
    go_and_return(mailed, timedelta(weeks=62), timedelta(weeks=2))
    act(mailed, lambda _, subscriber: accounts.resume(subscriber, LATER), "d@example.com")
    assert digest(mailed, server, timedelta(weeks=65)) == ["d@example.com"]
    with mailed.sessions() as session:
        papers = session.scalars(select(EditionRow.papers).order_by(EditionRow.id.desc())).first()
        assert papers == list(session.scalars(select(Paper.number).order_by(Paper.number)))


def test_an_issue_whose_mails_were_pruned_is_resent_only_to_everyone_or_one_address(mailed: Database) -> None:
    prune(mailed)
    missed = ResendRequest(issue="2025-07-28", groups=(ResendGroup.MISSED,))
    with mailed.sessions() as session:
        with pytest.raises(ResendError, match="too old to be kept"):
            plan_resend(session, missed, IDENTITY, LATER)
        everyone = replace(missed, groups=(ResendGroup.EVERYONE,))
        assert plan_resend(session, everyone, IDENTITY, LATER).copies == 3


def test_a_request_whose_copies_were_pruned_can_be_made_again_and_reaches_everyone(
    mailed: Database, server: ScriptedServer
) -> None:
    request = ResendRequest(issue="2025-07-28", to=READERS[0], reason="asked")

    def resend(after: timedelta) -> int:
        with sending_context_at(mailed, server, NOW + after) as context:
            with mailed.sessions() as session:
                plan = plan_resend(session, request, IDENTITY, NOW + after)
            return execute(context, plan, asked_by="a test", rules=AGED, now=NOW + after).sent

    assert (resend(timedelta(weeks=61)), resend(timedelta(weeks=61) + DAY)) == (1, 0)
    with mailed.sessions.begin() as session:  # the newest request stays in any case
        session.add(Resend(key="x", request={}, reason="", asked_by="", asked_at=LATER))
    prune(mailed, timedelta(weeks=61 + 61))
    assert resend(timedelta(weeks=61 + 62)) == 1


def test_an_archived_issue_whose_mails_were_pruned_is_not_released(mailed: Database) -> None:
    prune(mailed)
    with mailed.sessions.begin() as session:
        issue = find_issue(session, "2025-07-28")
        issue.archived = True
        for paper in issue.papers:
            paper.archived = True
    with mailed.sessions() as session, pytest.raises(Exception, match="nobody can tell who has had it"):
        release_issue(session, find_issue(session, "2025-07-28"), LATER)


def test_the_last_run_of_each_kind_stays(database: Database) -> None:
    with database.sessions.begin() as session:
        for kind in (RunKind.DIGEST, RunKind.UPKEEP, RunKind.UPKEEP):
            record_run(session, kind, {}, NOW)
    prune(database)
    with database.sessions() as session:
        assert sorted(session.scalars(select(RunRecord.kind))) == ["digest", "upkeep"]
