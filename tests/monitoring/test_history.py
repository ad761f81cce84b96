"""An operator can look up the mails of an issue, the history of a subscriber, and what needs attention."""

from datetime import date, timedelta

import pytest

from core.database import Database
from core.frequencies import Frequency
from core.languages import Language
from core.run_log import RunKind, record_run
from delivery.models import BounceMail
from delivery.report import DigestReport
from issues.models import Issue, Revision
from issues.queries import find as find_issue
from mailings.digest_run import run_digest
from mailings.resend.execute import execute
from mailings.resend.plan import plan_resend
from mailings.resend.request import ResendGroup, ResendRequest
from monitoring.attention import attention_items
from monitoring.history import history_of_subscriber, mails_of_issue, revision_at
from subscribers.accounts import change, find
from subscribers.suppression import suppress
from tests.support.factories import (
    IDENTITY,
    NOW,
    RULES,
    add_issue,
    add_subscriber,
    issue_of,
    sending_context_at,
)
from tests.support.servers.smtp import ScriptedServer

DAY = timedelta(days=1)


@pytest.fixture
def sent(sqlite_database: Database) -> Database:
    """A weekly digest with two mails that were sent, one of them in English, and one that was refused."""
    with sqlite_database.sessions.begin() as session:
        add_issue(session, issue_of(3), now=NOW - DAY)
        add_subscriber(session, "ko@a.example")
        add_subscriber(session, "refused@b.example")
        add_subscriber(session, "en@c.example", language="en")
    replies = {"refused@b.example": "550 5.2.1 Mailbox is off"}
    with (
        ScriptedServer(on_rcpt=replies.get) as server,
        sending_context_at(sqlite_database, server) as context,
    ):
        assert run_digest(context, Frequency.WEEKLY, local_now=NOW, rules=RULES).sent == 2
    return sqlite_database


def attention_lines(database: Database, after: timedelta = DAY) -> list[str]:
    with database.sessions() as session:
        return [item.line for item in attention_items(session, NOW + after, 5)]


def test_an_issues_mails_are_counted_by_slot_language_revision_and_state(sent: Database) -> None:
    with sent.sessions() as session:
        found = mails_of_issue(session, find_issue(session, "2025-07-28"))
    slot = {"slot": "weekly:2025-W32", "revision": 1}
    assert found == [
        slot | {"language": "en", "state": "sent", "mails": 1},
        slot | {"language": "ko", "state": "failed", "mails": 1},
        slot | {"language": "ko", "state": "sent", "mails": 1},
    ]


def test_the_revision_of_a_mail_is_the_one_in_force_when_it_was_made() -> None:
    def revision(number: int, days: int, problems: list[str], released: int | None = None) -> Revision:
        released_at = None if released is None else NOW + released * DAY
        return Revision(number=number, seen_at=NOW + days * DAY, problems=problems, released_at=released_at)

    issue = Issue(
        revisions=[revision(1, 0, []), revision(2, 2, ["odd"]), revision(3, 4, ["odd"], released=6)]
    )
    in_force = [revision_at(issue.revisions, NOW + day * DAY) for day in (-1, 0, 3, 5, 6)]
    assert in_force == [0, 1, 1, 1, 3]


def test_the_history_of_a_subscriber_has_mails_replies_bounces_and_changes(sent: Database) -> None:
    with sent.sessions.begin() as session:
        subscriber = find(session, "refused@b.example")
        assert subscriber
        change(session, subscriber, NOW, language=Language.BOTH)
        suppress(session, subscriber.email, "returned: 5.1.1", NOW)
        session.add(
            BounceMail(
                content_hash="x",
                received_at=NOW,
                kind="bounce",
                status="5.1.1",
                action="suppressed",
                reason="no user",
                subscriber_id=subscriber.id,
            )
        )
    with sent.sessions() as session:
        subscriber = find(session, "refused@b.example")
        assert subscriber
        history = history_of_subscriber(session, subscriber)
    (delivery,) = history["deliveries"]
    assert (delivery["state"], delivery["attempts"]) == ("failed", 1)
    assert "550 5.2.1 Mailbox is off" in delivery["reply"]
    assert history["suppressed"] == "returned: 5.1.1"
    assert [(mail["status"], mail["said"]) for mail in history["returned"]] == [("5.1.1", "no user")]
    assert [event["what"] for event in history["changes"]] == ["signed up", "confirmed", "changed", "bounced"]


def test_nothing_needs_attention_while_all_is_well(sqlite_database: Database) -> None:
    assert attention_lines(sqlite_database) == []


def test_failed_mails_need_attention_until_a_copy_is_sent_or_a_week_has_passed(sent: Database) -> None:
    failed_mails = "failed mails of the last 8 days: 1"
    assert attention_lines(sent) == [failed_mails]
    assert failed_mails not in attention_lines(sent, 9 * DAY)
    with ScriptedServer() as server, sending_context_at(sent, server, NOW + DAY) as context:
        with sent.sessions() as session:
            request = ResendRequest(issue="2025-07-28", groups=(ResendGroup.FAILED,))
            plan = plan_resend(session, request, IDENTITY, NOW)
        assert execute(context, plan, asked_by="a test", rules=RULES, now=NOW).sent == 1
    assert attention_lines(sent) == []


def test_the_failed_mails_of_each_issue_have_a_button_that_names_its_week(sqlite_database: Database) -> None:
    with sqlite_database.sessions.begin() as session:
        add_subscriber(session, "refused@b.example")
        add_issue(session, issue_of(1), now=NOW - DAY)
        add_issue(session, issue_of(1, start=date(2025, 8, 4)), topic_id=9002, now=NOW - DAY)
    with (
        ScriptedServer(on_rcpt="550 5.2.1 Mailbox is off") as server,
        sending_context_at(sqlite_database, server) as context,
    ):
        run_digest(context, Frequency.WEEKLY, local_now=NOW, rules=RULES)
    with sqlite_database.sessions() as session:
        (item,) = attention_items(session, NOW + DAY, 5)
    assert [(button.label, button.fields["issue"]) for button in item.buttons] == [
        ("Send those of 2025-07-28 again", "9001"),
        ("Send those of 2025-08-04 again", "9002"),
    ]


def test_a_weekly_digest_that_stopped_is_seen_beside_the_daily_one_of_that_morning(sent: Database) -> None:
    stopped = DigestReport("weekly:2025-W32", candidates=5, planned=5, stopped="login refused")
    daily = DigestReport("daily:2025-08-04")
    with sent.sessions.begin() as session:
        record_run(session, RunKind.DIGEST, stopped.as_json(), NOW, slot=stopped.slot)
        record_run(session, RunKind.DIGEST, daily.as_json(), NOW, slot=daily.slot)
    fault = "weekly:2025-W32 stopped: login refused (mails left: 5)"
    assert [line for line in attention_lines(sent) if "stopped" in line] == [fault]
    assert [line for line in attention_lines(sent, 2 * DAY) if "stopped" in line] == []


def test_a_missing_weekly_digest_is_seen_though_the_daily_one_runs(sent: Database) -> None:
    later = NOW + timedelta(days=8)
    with sent.sessions.begin() as session:
        for slot, when in (("weekly:2025-W32", NOW), ("daily:2025-08-12", later)):
            record_run(session, RunKind.DIGEST, DigestReport(slot).as_json(), when, slot=slot)
    assert "no weekly digest has run for 192 hours" in attention_lines(sent, timedelta(days=8))
    assert "no digest has run for 192 hours" not in attention_lines(sent, timedelta(days=8))


def test_runs_that_stopped_or_do_not_balance_come_first(sent: Database) -> None:
    stopped = DigestReport("daily:2025-08-05", candidates=5, planned=5, stopped="login refused")
    unbalanced = DigestReport("retries", candidates=2, sent=1)
    with sent.sessions.begin() as session:
        record_run(session, RunKind.DIGEST, stopped.as_json(), NOW, slot=stopped.slot)
        record_run(session, RunKind.UPKEEP, unbalanced.as_json(), NOW)
    first, second, *_ = attention_lines(sent)
    assert (first, second) == (
        "the counts of upkeep do not balance (mails left: 0)",
        "daily:2025-08-05 stopped: login refused (mails left: 5)",
    )


def test_held_issues_and_a_silent_forum_need_attention(sent: Database) -> None:
    with sent.sessions.begin() as session:
        issue = find_issue(session, "2025-07-28")
        issue.revisions.append(
            Revision(
                number=2,
                title=issue.title,
                raw_html="",
                content={},
                changes={},
                problems=["no paper"],
                seen_at=NOW,
            )
        )
        issue.held_revision = 2
    found = attention_lines(sent, 10 * DAY)
    assert any("the issue of 2025-07-28 is held" in line and "no paper" in line for line in found)
    assert any("no new issue for ten days" in line for line in found)


def test_mails_that_wait_for_over_an_hour_need_attention(sqlite_database: Database) -> None:
    with sqlite_database.sessions.begin() as session:
        add_issue(session, issue_of(3), now=NOW - DAY)
        add_subscriber(session)
    refusing_server = ScriptedServer(on_mail="550 5.7.1 no")
    with refusing_server as server, sending_context_at(sqlite_database, server) as context:
        run_digest(context, Frequency.WEEKLY, local_now=NOW, rules=RULES)
    assert "mails that wait for over an hour: 1" in attention_lines(sqlite_database)
