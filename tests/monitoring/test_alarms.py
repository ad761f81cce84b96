"""The operator gets one mail a day about each alarm, which is sent again if the mail server did not accept it."""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from email import message_from_bytes, policy

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.database import Database
from core.languages import TextLanguage
from delivery.models import BounceMail, Delivery
from delivery.states import DeliveryState
from emails.letters import OperatorNotice
from issues import store
from monitoring import notices
from monitoring.alarms import MIN_BOUNCES, failed_run_alarm, issue_alarms, mail_alarms
from monitoring.attention import attention_items
from monitoring.notices import Alarm, OperatorContact, send_alarms
from subscribers.models import Subscriber
from tests.support.factories import NOW, add_issue, issue_of, sending_context_at
from tests.support.outbox import SLOT, plan_mails, send
from tests.support.servers.smtp import ScriptedServer

OPERATOR = "op@paperboy.example"
STOPPED = failed_run_alarm("digest", "weekly:2025-W32 stopped: no connection; 1204 deliveries stay planned")
DAY = timedelta(days=1)


def raise_alarms(
    database: Database,
    server: ScriptedServer,
    *alarms: Alarm,
    at: datetime = NOW,
    operator: str = OPERATOR,
) -> None:
    with sending_context_at(database, server) as context:
        send_alarms(context, OperatorContact(operator, TextLanguage.EN), alarms, at)


def subjects(server: ScriptedServer) -> list[str]:
    return [message_from_bytes(mail.data, policy=policy.default)["Subject"] for mail in server.messages]


def causes(found: Iterator[Alarm]) -> list[str]:
    return [alarm.cause for alarm in found]


def test_the_operator_gets_one_mail_for_each_cause_and_local_day(database: Database) -> None:
    other = failed_run_alarm("ingest", "the feed is gone")
    with ScriptedServer() as server:
        for _ in range(3):
            raise_alarms(database, server, STOPPED, other)
        assert subjects(server) == [
            "Paperboy needs you: a run of digest failed",
            "Paperboy needs you: a run of ingest failed",
        ]
        assert server.messages[0].rcpt == [OPERATOR]
        assert b"docs/operating.md#alarms" in server.messages[0].data
        raise_alarms(database, server, STOPPED, at=NOW + DAY)
        assert len(server.messages) == 3


def test_another_reason_is_another_cause_and_other_numbers_are_not() -> None:
    other_number = failed_run_alarm(
        "digest", "weekly:2025-W32 stopped: no connection; 7 deliveries stay planned"
    )
    other_reason = failed_run_alarm("digest", "weekly:2025-W32 does not balance: 3 candidates")
    assert STOPPED.cause == other_number.cause != other_reason.cause
    assert failed_run_alarm("drain", "x").cause != failed_run_alarm("digest", "x").cause


def test_a_notice_that_the_server_refuses_is_logged_and_sent_again(
    sqlite_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with ScriptedServer(on_rcpt="451 4.3.0 <op@paperboy.example> later") as server:
        raise_alarms(sqlite_database, server, STOPPED)
        assert server.messages == []
        server.on_rcpt = None
        raise_alarms(sqlite_database, server, STOPPED)
        assert len(server.messages) == 1
    assert "the operator could not be told" in caplog.text
    assert OPERATOR not in caplog.text


def test_a_notice_that_cannot_be_written_keeps_no_other_from_the_operator_and_is_tried_again(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    other = failed_run_alarm("ingest", "the feed is gone")
    with ScriptedServer() as server:
        with monkeypatch.context() as broken:
            broken.setattr(notices, "translated", lambda notice, _language: _unless_stopped(notice))
            raise_alarms(sqlite_database, server, STOPPED, other)
        assert subjects(server) == ["Paperboy needs you: a run of ingest failed"]
        raise_alarms(sqlite_database, server, STOPPED, other)
        assert subjects(server)[1:] == ["Paperboy needs you: a run of digest failed"]
    assert "the operator could not be told: KeyError" in caplog.text


def _unless_stopped(notice: OperatorNotice) -> OperatorNotice:
    if notice == STOPPED.notice:
        raise KeyError("slot")
    return notice


def test_without_an_operator_an_alarm_is_only_logged(
    sqlite_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with ScriptedServer() as server:
        raise_alarms(sqlite_database, server, STOPPED, operator="")
        assert server.messages == []
    assert "1204 deliveries stay planned" in caplog.text
    assert caplog.records[0].levelno == logging.WARNING


# --- what is wrong ------------------------------------------------------------------


def test_a_held_issue_raises_an_alarm_with_its_reason_until_it_is_released_or_old(
    sqlite_database: Database,
) -> None:
    with sqlite_database.sessions.begin() as session:
        issue = add_issue(session, issue_of(2))
        assert causes(issue_alarms(session, NOW)) == []
        issue.revisions[0].problems, issue.held_revision = ["paper 2 has no abstract"], 1
        session.flush()
        (held,) = issue_alarms(session, NOW)
        assert held.cause == "topic 9001 is held"
        assert held.notice.what == "the issue of 2025-07-28 is held"
        assert "paper 2 has no abstract" in held.notice.cause
        assert "paperboy issues release 9001" in held.notice.remedy
        assert "topic 9001 is held" not in causes(issue_alarms(session, NOW + 11 * DAY))
        issue.held_revision = None
        session.flush()
        assert causes(issue_alarms(session, NOW)) == []


@pytest.mark.parametrize(
    "title",
    ["이번 주 논문 모음", "[2025/08/03 ~ 07/28] 이번 주 논문 모음", "[2024/07/29 ~ 08/04] 이번 주 논문 모음"],
)
def test_the_alarm_of_an_issue_without_a_plausible_week_names_the_command_that_gives_it_one(
    sqlite_database: Database, title: str
) -> None:
    with sqlite_database.sessions.begin() as session:
        issue = add_issue(session)
        issue.revisions[0].title, issue.held_revision, issue.revision = title, 1, 0
        session.flush()
        (held,) = issue_alarms(session, NOW)
        assert held.notice.what == "the weekly post of 2025-08-04 is held"
        assert "paperboy issues accept 9001 --week YYYY-MM-DD" in held.notice.remedy
        issue.accepted_week = issue.week_start
        (held,) = issue_alarms(session, NOW)
        assert "paperboy issues release 9001" in held.notice.remedy, "its week is known by now"


def test_a_deleted_post_raises_an_alarm_for_ten_days(sqlite_database: Database) -> None:
    with sqlite_database.sessions.begin() as session:
        issue = add_issue(session)
        store.delete(session, issue, NOW)
        (gone,) = issue_alarms(session, NOW)
        assert gone.notice.what == "the post of the issue of 2025-07-28 is gone"
        assert "Its papers are not mailed any further" in gone.notice.cause
        assert "returns within 8 weeks" in gone.notice.remedy
        for held_for in (10 * DAY, 1000 * DAY):
            assert "topic 9001 is gone" not in causes(issue_alarms(session, NOW + 11 * DAY, held_for))


def test_a_held_post_that_is_deleted_raises_only_the_alarm_that_it_is_gone(sqlite_database: Database) -> None:
    with sqlite_database.sessions.begin() as session:
        issue = add_issue(session)
        issue.held_revision, issue.revision = 1, 0
        store.delete(session, issue, NOW)
        (gone,) = issue_alarms(session, NOW)
        assert gone.cause == "topic 9001 is gone"
        assert "held and never mailed" in gone.notice.cause


@pytest.mark.parametrize(("days", "expected"), [(9, []), (11, ["no new issue"])])
def test_a_forum_that_is_silent_for_ten_days_raises_an_alarm(
    sqlite_database: Database, days: int, expected: list[str]
) -> None:
    with sqlite_database.sessions.begin() as session:
        assert causes(issue_alarms(session, NOW)) == [], "nothing has been published yet"
        add_issue(session)
        assert causes(issue_alarms(session, NOW + days * DAY)) == expected


@pytest.mark.parametrize(
    ("bounced", "max_percent", "age_days", "raises_alarm"),
    [
        (MIN_BOUNCES, 5, 1, True),
        (MIN_BOUNCES, 60, 1, False),
        (MIN_BOUNCES - 1, 5, 1, False),
        (MIN_BOUNCES, 5, 8, False),
    ],
)
def test_many_recent_bounces_of_a_digest_raise_an_alarm_and_few_or_old_ones_do_not(
    database: Database, bounced: int, max_percent: int, age_days: int, raises_alarm: bool
) -> None:
    with ScriptedServer() as server:
        plan_mails(database, 40)
        send(database, server)
    now: datetime = NOW + age_days * DAY
    with database.sessions.begin() as session:
        return_mails(session, "bounce", bounced, now)
        found = list(mail_alarms(session, now, max_percent))
        assert causes(iter(found)) == ([f"bounces of {SLOT}"] if raises_alarm else [])
        if found:
            assert f"{bounced} of the 40 mails" in found[0].notice.cause


def return_mails(session: Session, kind: str, count: int, now: datetime) -> None:
    """Let so many of the mails come back."""
    ids = session.scalars(select(Delivery.id).order_by(Delivery.id).limit(count)).all()
    session.add_all(
        BounceMail(content_hash=f"{kind} {id_}", received_at=now, kind=kind, action="", delivery_id=id_)
        for id_ in ids
    )
    session.flush()


@pytest.mark.parametrize(
    ("mails", "complaints", "alarm", "note"),
    [
        (400, 3, True, False),
        (400, 2, False, False),
        (1100, 3, False, True),
        (3100, 3, False, False),
    ],
)
def test_complaints_are_noted_from_one_in_a_thousand_and_raise_an_alarm_from_three(
    sqlite_database: Database, mails: int, complaints: int, alarm: bool, note: bool
) -> None:
    plan_mails(sqlite_database, mails)
    with sqlite_database.sessions.begin() as session:
        session.execute(update(Delivery).values(state=DeliveryState.SENT, due_at=None))
        return_mails(session, "complaint", complaints, NOW)
        assert causes(mail_alarms(session, NOW, 5)) == ([f"complaints of {SLOT}"] if alarm else [])
        lines = [item.line for item in attention_items(session, NOW, 5)]
    reported = [line for line in lines if "report our mails as spam" in line]
    assert len(reported) == alarm + note
    assert any(line.startswith("some subscribers") for line in reported) == note


def test_a_large_provider_that_sends_many_mails_back_is_named(sqlite_database: Database) -> None:
    plan_mails(sqlite_database, 40)
    with sqlite_database.sessions.begin() as session:
        session.execute(update(Delivery).values(state=DeliveryState.SENT, due_at=None))
        for subscriber in session.scalars(select(Subscriber).order_by(Subscriber.id).limit(12)):
            subscriber.email = f"reader{subscriber.id}@Naver.com"
        return_mails(session, "bounce", 10, NOW)
        (alarm,) = mail_alarms(session, NOW, 30)
    assert alarm.cause == f"bounces of {SLOT} at Naver"
    assert "10 of the 12 mails" in alarm.notice.cause
    assert alarm.page == f"bounces?slot={SLOT}"
