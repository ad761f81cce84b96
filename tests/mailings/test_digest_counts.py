"""The report of a digest counts every candidate once, whatever happens to them and whoever else runs."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from core.database import Database
from core.frequencies import Frequency
from core.languages import Language
from delivery.models import Delivery
from delivery.report import DigestReport
from emails.edition import Edition
from emails.rendering.render import Rendered, render
from mailings import account_mails, digest_plan, next_mail
from mailings.digest_run import preview_digest, run_digest, send_retries
from mailings.intake import read_news
from subscribers.accounts import find, pause, sign_up, unsubscribe
from subscribers.models import Subscriber
from tests.support.account_actions import cursor_of, publish, subscribe
from tests.support.digests import digest, stopped_digest
from tests.support.factories import IDENTITY, INTAKE_RULES, NOW, RULES, add_subscriber, sending_context_at
from tests.support.outbox import recipients, states
from tests.support.servers.smtp import DROP, RESET, Reply, ScriptedServer, in_order


def test_every_candidate_is_counted_whatever_the_server_replies(database: Database) -> None:
    publish(database)
    subscribe(database, *(f"{name}@example.com" for name in "abcde"))
    replies = in_order(None, "451 4.7.1 Later", "550 5.1.1 No such user", "552 5.2.2 Full")
    with ScriptedServer(on_rcpt=replies) as unreliable:
        report = digest(database, unreliable)
    assert (report.candidates, report.sent, report.deferred, report.failed) == (5, 2, 1, 2)
    assert report.fault == ""


def test_only_active_subscribers_get_a_digest_and_the_others_are_counted_by_reason(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    subscribe(database, "active@example.com", "paused@example.com", "gone@example.com")
    with database.sessions.begin() as session:
        for subscriber in session.scalars(select(Subscriber)):
            if subscriber.email == "paused@example.com":
                pause(subscriber, NOW)
            if subscriber.email == "gone@example.com":
                unsubscribe(subscriber, NOW)
        sign_up(session, "pending@example.com", language=Language.KO, frequency=Frequency.WEEKLY, now=NOW)
    report = digest(database, server)
    assert recipients(server) == ["active@example.com"]
    assert (report.candidates, report.reasons) == (3, {"paused": 1, "unsubscribed": 1})


def test_a_subscriber_who_is_forgotten_during_the_run_is_counted(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    subscribe(database, "minji@example.com", "bob@example.com")

    def forget_minji(_slot: str) -> None:
        with database.sessions.begin() as session:
            subscriber = find(session, "minji@example.com")
            assert subscriber
            account_mails.forget(session, subscriber, IDENTITY, NOW)

    with sending_context_at(database, server) as context:
        report = run_digest(
            context, Frequency.WEEKLY, local_now=NOW, rules=RULES, start_more_senders=forget_minji
        )
    assert (report.balances, report.sent, report.reasons) == (True, 1, {"forgotten": 1})
    assert recipients(server) == ["bob@example.com"]


def test_a_subscriber_who_was_forgotten_before_the_slot_runs_again_is_counted_once(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    subscribe(database, "minji@example.com", "bob@example.com")
    digest(database, server)
    with database.sessions.begin() as session:
        subscriber = find(session, "minji@example.com")
        assert subscriber
        account_mails.forget(session, subscriber, IDENTITY, NOW)
    report = digest(database, server)
    assert (report.fault, report.candidates, report.skipped) == ("", 2, 2)


def test_a_subscriber_who_leaves_while_the_digest_is_planned_is_counted(
    database: Database, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(database)
    subscribe(database, "stays@example.com", "leaves@example.org")
    plan_mails = digest_plan._plan_mails

    def leave_first(*arguments: Any) -> Counter[int]:
        with database.sessions.begin() as session:
            subscriber = find(session, "leaves@example.org")
            assert subscriber
            unsubscribe(subscriber, NOW)
        return plan_mails(*arguments)

    monkeypatch.setattr(digest_plan, "_plan_mails", leave_first)
    report = digest(database, server)
    assert recipients(server) == ["stays@example.com"]
    assert (report.candidates, report.sent) == (2, 1)
    assert report.reasons == {"changed while planning": 1}


def test_a_digest_goes_out_though_the_feed_could_not_be_read_and_its_report_says_so(
    sqlite_database: Database, server: ScriptedServer
) -> None:
    publish(sqlite_database)
    subscribe(sqlite_database, "minji@example.com")
    rules, sessions = INTAKE_RULES, sqlite_database.sessions
    unread = read_news(sessions, "http://127.0.0.1:1/feed.rss", rules, NOW).fault
    assert unread.startswith("http://127.0.0.1:1/feed.rss could not be read: ")
    with sending_context_at(sqlite_database, server) as context:
        report = run_digest(context, Frequency.WEEKLY, local_now=NOW, rules=RULES, feed=unread)
    assert (report.sent, report.feed) == (1, unread)


def test_a_mail_that_cannot_be_rendered_costs_only_its_own_readers_their_mail(
    database: Database, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(database)
    with database.sessions.begin() as session:
        add_subscriber(session, "minji@example.com", language="ko")
        add_subscriber(session, "bob@example.com", language="en")

    def fail_in_english(edition: Edition, *arguments: Any, **options: Any) -> Rendered:
        if edition.spec.language == Language.EN:
            raise ZeroDivisionError("a template\nwith a fault")
        return render(edition, *arguments, **options)

    monkeypatch.setattr(next_mail, "render", fail_in_english)
    report = digest(database, server)
    assert recipients(server) == ["minji@example.com"]
    assert (report.balances, report.reasons) == (True, {"their mail cannot be rendered": 1})
    [fault] = report.unrendered
    assert fault.startswith(
        "weekly:2025-W32: the mail in en with papers of https://forum.example/t/9001 cannot"
    )
    assert fault.endswith("be rendered: a template")
    monkeypatch.undo()
    assert digest(database, server).sent == 1, "the next run makes up for it"


@pytest.mark.parametrize("hook", ["on_connect", "on_mail", "on_rcpt", "on_data", "on_body"])
@pytest.mark.parametrize("fault", ["451 4.3.0 Not now", "554 5.3.0 Never", "550 5.7.1 Blocked", DROP, RESET])
def test_the_report_has_the_counts_of_the_outbox_whatever_fault_a_server_has(
    database: Database, hook: str, fault: Reply
) -> None:
    publish(database)
    subscribe(database, *(f"reader{number}@example{number}.com" for number in range(4)))
    with ScriptedServer(**{hook: in_order(None, fault)}) as server:  # type: ignore[arg-type]
        report = digest(database, server)
    in_outbox = states(database)
    in_report = {
        state: getattr(report, state) for state in ("sent", "deferred", "failed", "uncertain", "planned")
    }
    assert {state: count for state, count in in_report.items() if count} == in_outbox
    assert report.candidates == 4
    assert bool(report.stopped) == (in_outbox["planned"] > 0)


def test_an_uncertain_mail_that_upkeep_repeats_is_counted_once(database: Database) -> None:
    publish(database)
    subscribe(database, "a@example.com")
    stopped_digest(database)
    with (
        ScriptedServer(on_body=in_order(DROP)) as unreliable,
        sending_context_at(database, unreliable) as context,
    ):
        report = send_retries(context, rules=RULES)
    assert report.balances
    assert (report.candidates, report.sent, report.uncertain) == (1, 1, 0)
    assert len(unreliable.messages) == 1


def test_a_preview_counts_the_mails_of_a_digest_and_plans_none(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    subscribe(database, "a@example.com", "b@example.com")
    preview = preview_digest(
        database.sessions, Frequency.WEEKLY, identity=IDENTITY, local_now=NOW, rules=RULES
    )
    assert (preview.candidates, preview.planned, preview.balances) == (2, 2, True)
    with database.sessions() as session:
        assert session.scalars(select(Delivery)).all() == []
    assert cursor_of(database, "a@example.com") == 0
    assert digest(database, server).editions == preview.editions


# --- several runs at once -----------------------------------------------------------


def run_at_once(database: Database, server: ScriptedServer, count: int) -> list[DigestReport]:
    """Run the digest of one slot several times at once."""
    start = threading.Barrier(count, timeout=30)

    def run(_number: int) -> DigestReport:
        start.wait()
        return digest(database, server)

    with ThreadPoolExecutor(count) as runs:
        return list(runs.map(run, range(count)))


def test_two_digests_of_a_slot_at_once_send_it_once_and_count_everyone(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    addresses = [f"reader{number}@example{number}.com" for number in range(20)]
    subscribe(database, *addresses[:10], language="ko")
    subscribe(database, *addresses[10:], language="both")
    reports = run_at_once(database, server, 2)
    assert sorted(recipients(server)) == sorted(addresses)
    for report in reports:
        assert report.fault == ""
        assert report.candidates == 20
        assert report.sent + report.skipped == 20


@pytest.mark.parametrize("count", [1, 6])
def test_a_digest_that_another_run_overtakes_counts_everyone_once(
    database: Database, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """After this run has read its audience, another run plans and sends the whole slot."""
    publish(database)
    subscribe(database, *(f"reader{number}@example{number}.com" for number in range(count)))
    plan_mails = digest_plan._plan_mails
    others: list[DigestReport] = []

    def run_other_first(*arguments: Any) -> Counter[int]:
        monkeypatch.setattr(digest_plan, "_plan_mails", plan_mails)
        others.append(digest(database, server))
        return plan_mails(*arguments)

    monkeypatch.setattr(digest_plan, "_plan_mails", run_other_first)
    report = digest(database, server)
    assert len(server.messages) == count
    for each in (report, *others):
        assert (each.fault, each.candidates, each.sent) == ("", count, count)
    assert (report.skipped, report.planned) == (0, 0)
