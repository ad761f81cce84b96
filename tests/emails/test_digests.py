"""Digests from plan to account: everyone gets what is due, once, and every candidate is accounted for."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from email import message_from_bytes
from email.policy import default as modern_policy
from typing import Any

import pytest
from making import HOUSE, NOW, RULES, blocks, issue_of, office_at, paper, reader, stored_issue
from sendings import states
from smtp_server import DROP, RESET, Reply, ScriptedServer, in_turn
from sqlalchemy import select

from core.database import Database
from emails import correspondence, digests
from emails.digests import preview_digest, retry, run_digest
from emails.models import Delivery, EditionRow
from emails.report import DigestReport
from emails.upkeep import upkeep
from issues.post import Link
from subscribers.accounts import change, find, pause, sign_up, unsubscribe
from subscribers.models import Subscriber

PUBLISHED = NOW - timedelta(days=1)
DAY = timedelta(days=1)
WEEK = timedelta(days=7)


def publish(database: Database, papers: int = 3, *, topic_id: int = 9001, days: int = 0) -> None:
    with database.sessions.begin() as session:
        issue = issue_of(papers, start=date(2025, 7, 28) + timedelta(days=days))
        stored_issue(session, issue, topic_id=topic_id, now=PUBLISHED + timedelta(days=days))


def subscribe(database: Database, *addresses: str, language: str = "ko", frequency: str = "weekly") -> None:
    with database.sessions.begin() as session:
        for address in addresses:
            reader(session, address, language=language, frequency=frequency)


def digest(
    database: Database, server: ScriptedServer, frequency: str = "weekly", *, after: timedelta = timedelta()
) -> DigestReport:
    now = NOW + after
    with office_at(database, server, now) as office:
        report = run_digest(office, frequency, local_now=now, rules=RULES)
    assert report.balances
    return report


def got(server: ScriptedServer) -> list[str]:
    """The readers of all mails taken, in order."""
    return [message.rcpt[0] for message in server.messages]


def test_a_reader_who_is_forgotten_during_the_run_is_accounted_for(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    subscribe(database, "minji@example.com", "bob@example.com")

    def forget_minji(_slot: str) -> None:
        with database.sessions.begin() as session:
            subscriber = find(session, "minji@example.com")
            assert subscriber
            correspondence.forget(session, subscriber, HOUSE, NOW)

    with office_at(database, server) as office:
        report = run_digest(office, "weekly", local_now=NOW, rules=RULES, call_others=forget_minji)
    assert (report.balances, report.sent, report.reasons) == (True, 1, {"forgotten": 1})
    assert got(server) == ["bob@example.com"]


def bodies_of(server: ScriptedServer, address: str) -> list[str]:
    """The text parts that one reader got, in order."""
    texts = []
    for message in server.messages:
        if message.rcpt == [address]:
            part = message_from_bytes(message.data, policy=modern_policy).get_body(("plain",))
            assert part
            texts.append(part.get_content())
    return texts


def cursor_of(database: Database, address: str) -> int:
    with database.sessions() as session:
        found = find(session, address)
        assert found
        return found.cursor


# --- once, and in order -------------------------------------------------------------


def test_every_reader_gets_the_digest_once_however_often_it_is_run(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    subscribe(database, "a@example.com", "b@example.com")
    first, second = digest(database, server), digest(database, server)
    assert got(server) == ["a@example.com", "b@example.com"]
    assert (first.candidates, first.sent) == (2, 2)
    assert (second.candidates, second.sent, second.reasons) == (2, 0, {"planned earlier in this slot": 2})
    assert cursor_of(database, "a@example.com") == 3


def test_each_reader_gets_their_language_and_those_who_share_one_share_an_edition(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    subscribe(database, "ko@example.com", "ko2@example.com")
    subscribe(database, "en@example.com", language="en")
    subscribe(database, "both@example.com", language="both")
    report = digest(database, server)
    assert sorted((edition["language"], edition["readers"]) for edition in report.editions) == [
        ("both", 1),
        ("en", 1),
        ("ko", 2),
    ]
    (korean,), (english,), (both,) = (
        bodies_of(server, f"{language}@example.com") for language in ("ko", "en", "both")
    )
    for text, shown in ((korean, (True, False)), (english, (False, True)), (both, (True, True))):
        assert ("초록입니다" in text, "This is the abstract" in text) == shown


def test_a_daily_reader_reads_the_issue_in_portions_and_then_gets_no_mail(
    database: Database, server: ScriptedServer
) -> None:
    publish(database, 5)
    subscribe(database, "a@example.com", frequency="daily")
    reports = [digest(database, server, "daily", after=day * DAY) for day in range(4)]
    assert [report.sent for report in reports] == [1, 1, 1, 0]
    assert reports[-1].reasons == {"nothing new": 1}
    first, second, third = bodies_of(server, "a@example.com")
    assert "이번 주의 흐름입니다." in first
    assert "이번 주의 흐름입니다." not in second + third
    for number, text in ((1, first), (2, first), (3, second), (4, second), (5, third)):
        assert f"{number}번째 논문의 초록입니다." in text


def test_a_change_of_language_and_frequency_in_mid_issue_neither_repeats_nor_loses_a_paper(
    database: Database, server: ScriptedServer
) -> None:
    publish(database, 6)
    subscribe(database, "a@example.com", frequency="daily")
    digest(database, server, "daily")
    with database.sessions.begin() as session:
        known = find(session, "a@example.com")
        assert known
        change(session, known, NOW, language="both", frequency="weekly")
    digest(database, server, "weekly", after=DAY)
    first, second = bodies_of(server, "a@example.com")
    assert [number for number in range(1, 7) if f"{number}번째 논문의 초록입니다." in first] == [1, 2]
    assert [number for number in range(1, 7) if f"{number}번째 논문의 초록입니다." in second] == [3, 4, 5, 6]


def test_only_active_readers_get_a_digest_and_the_others_are_counted_with_the_reason(
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
        sign_up(session, "pending@example.com", language="ko", frequency="weekly", now=NOW)
    report = digest(database, server)
    assert got(server) == ["active@example.com"]
    assert (report.candidates, report.reasons) == (3, {"paused": 1, "unsubscribed": 1})


@pytest.mark.parametrize("leave", [pause, unsubscribe])
def test_one_who_leaves_between_plan_and_send_gets_nothing_and_the_papers_wait(
    database: Database, server: ScriptedServer, leave: object
) -> None:
    publish(database)
    subscribe(database, "a@example.com", "b@example.com")
    assert stopped_digest(database).planned == 2
    with database.sessions.begin() as session:
        known = find(session, "a@example.com")
        assert known
        assert known.cursor == 3
        leave(known, NOW)  # type: ignore[operator]
        expected = known.status
    report = digest(database, server)
    assert got(server) == ["b@example.com"]
    assert (report.candidates, report.reasons) == (2, {expected: 1})
    assert (cursor_of(database, "a@example.com"), cursor_of(database, "b@example.com")) == (0, 3)


def test_one_who_paused_before_the_sending_gets_those_papers_in_the_next_digest(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    subscribe(database, "a@example.com")
    stopped_digest(database)
    with database.sessions.begin() as session:
        known = find(session, "a@example.com")
        assert known
        pause(known, NOW)
    digest(database, server)
    with database.sessions.begin() as session:
        known = find(session, "a@example.com")
        assert known
        known.status = "active"
    publish(database, 2, topic_id=9002, days=7)
    digest(database, server, after=WEEK)
    (text,) = bodies_of(server, "a@example.com")
    assert text.count("번째 논문의 초록입니다.") == 5


# --- faults of ours -----------------------------------------------------------------


def stopped_digest(database: Database) -> DigestReport:
    """A digest that is planned, and then stops as the server refuses the sender."""
    with ScriptedServer(on_mail="550 5.7.1 Sender refused") as refusing:
        return digest(database, refusing)


def test_a_refused_sender_stops_the_run_and_the_next_run_sends_everything(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    subscribe(database, "a@example.com", "b@example.com", "c@example.com")
    report = stopped_digest(database)
    assert (report.candidates, report.sent, report.failed, report.planned) == (3, 0, 0, 3)
    assert "5.7.1 Sender refused" in report.fault
    assert "3 deliveries stay planned" in report.fault
    again = digest(database, server)
    assert (again.candidates, again.sent, again.fault) == (3, 3, "")
    assert sorted(got(server)) == ["a@example.com", "b@example.com", "c@example.com"]


def test_an_unreachable_server_stops_the_run_and_upkeep_sends_once_it_is_back(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    subscribe(database, "a@example.com", "b@example.com")
    with ScriptedServer() as gone:
        pass
    report = digest(database, gone)
    assert (report.planned, report.sent) == (2, 0)
    assert report.fault
    with office_at(database, server) as office:
        kept = upkeep(office, local_now=NOW, rules=RULES)
    assert kept.fault == ""
    assert kept.retries.sent == 2
    assert got(server) == ["a@example.com", "b@example.com"]


def test_a_run_that_stops_midway_sends_the_rest_next_time_and_nothing_twice(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    subscribe(database, *(f"{name}@example.com" for name in "abcd"))
    with ScriptedServer(on_mail=in_turn(None, None, "530 5.7.0 Authentication required")) as fickle:
        report = digest(database, fickle)
        assert got(fickle) == ["a@example.com", "b@example.com"]
    assert (report.sent, report.planned, report.candidates) == (2, 2, 4)
    assert digest(database, server).sent == 2
    assert got(server) == ["d@example.com", "c@example.com"], "the one that stopped the run comes last"


# --- papers that settle -------------------------------------------------------------


def test_papers_still_settling_wait_and_upkeep_sends_them_later_the_same_day(
    database: Database, server: ScriptedServer
) -> None:
    subscribe(database, "a@example.com", frequency="daily")
    with database.sessions.begin() as session:
        stored_issue(session, now=NOW - timedelta(minutes=10))
    report = digest(database, server, "daily")
    assert (report.waiting, report.reasons) == (True, {"new papers still settle": 1})
    for after, sent in ((timedelta(minutes=15), 0), (timedelta(minutes=25), 1), (timedelta(minutes=40), 1)):
        with office_at(database, server, NOW + after) as office:
            upkeep(office, local_now=NOW + after, rules=RULES)
        assert len(server.messages) == sent


def test_upkeep_starts_no_digest_of_its_own(database: Database, server: ScriptedServer) -> None:
    publish(database)
    subscribe(database, "a@example.com")
    with office_at(database, server) as office:
        report = upkeep(office, local_now=NOW, rules=RULES)
    assert (report.late, server.messages) == ([], [])


# --- accounts -----------------------------------------------------------------------


def test_every_candidate_is_accounted_for_whatever_becomes_of_each(database: Database) -> None:
    publish(database)
    subscribe(database, *(f"{name}@example.com" for name in "abcde"))
    replies = in_turn(None, "451 4.7.1 Later", "550 5.1.1 No such user", "552 5.2.2 Full")
    with ScriptedServer(on_rcpt=replies) as fickle:
        report = digest(database, fickle)
    assert (report.candidates, report.sent, report.deferred, report.failed) == (5, 2, 1, 2)
    assert report.fault == ""


def test_a_deferred_mail_is_followed_by_the_next_digest_only_once_it_has_arrived(
    database: Database, server: ScriptedServer
) -> None:
    publish(database, 4)
    subscribe(database, "a@example.com", frequency="daily")
    with ScriptedServer(on_rcpt="451 4.7.1 Later") as busy:
        digest(database, busy, "daily")
    waiting = digest(database, server, "daily", after=DAY)
    assert waiting.reasons == {"an earlier mail is still under way": 1}
    with office_at(database, server, NOW + DAY) as office:
        assert retry(office, rules=RULES).sent == 1
    assert digest(database, server, "daily", after=2 * DAY).sent == 1
    first, second = bodies_of(server, "a@example.com")
    assert "1번째 논문의 초록입니다." in first
    assert "3번째 논문의 초록입니다." in second


def run_at_once(database: Database, server: ScriptedServer, count: int) -> list[DigestReport]:
    """Start the digest of one slot several times at once."""
    start = threading.Barrier(count, timeout=30)

    def run(_number: int) -> DigestReport:
        start.wait()
        return digest(database, server)

    with ThreadPoolExecutor(count) as runs:
        return list(runs.map(run, range(count)))


def test_two_digests_of_a_slot_started_at_once_send_it_once_and_account_for_everyone(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    readers = [f"reader{number}@example{number}.com" for number in range(20)]
    subscribe(database, *readers[:10], language="ko")
    subscribe(database, *readers[10:], language="both")
    reports = run_at_once(database, server, 2)
    assert sorted(got(server)) == sorted(readers)
    for report in reports:
        assert report.fault == ""
        assert report.candidates == 20
        assert report.sent + report.skipped == 20


@pytest.mark.parametrize("readers", [1, 6])
def test_a_digest_that_another_run_overtakes_while_it_plans_accounts_for_everyone_once(
    database: Database, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, readers: int
) -> None:
    """Between reading who is due and planning, a whole other run plans and sends the slot."""
    publish(database)
    subscribe(database, *(f"reader{number}@example{number}.com" for number in range(readers)))
    plan_group = digests._plan_group
    others: list[DigestReport] = []

    def be_overtaken(*arguments: Any) -> int:
        monkeypatch.setattr(digests, "_plan_group", plan_group)
        others.append(digest(database, server))
        return plan_group(*arguments)

    monkeypatch.setattr(digests, "_plan_group", be_overtaken)
    report = digest(database, server)
    assert len(server.messages) == readers
    for accounts in (report, *others):
        assert (accounts.fault, accounts.candidates, accounts.sent) == ("", readers, readers)
    assert (report.skipped, report.planned) == (0, 0)


def test_one_who_leaves_while_the_digest_is_planned_is_accounted_for(
    database: Database, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(database)
    subscribe(database, "stays@example.com", "leaves@example.org")
    plan_group = digests._plan_group

    def leave_first(*arguments: Any) -> int:
        with database.sessions.begin() as session:
            subscriber = find(session, "leaves@example.org")
            assert subscriber
            unsubscribe(subscriber, NOW)
        return plan_group(*arguments)

    monkeypatch.setattr(digests, "_plan_group", leave_first)
    report = digest(database, server)
    assert got(server) == ["stays@example.com"]
    assert (report.candidates, report.sent) == (2, 1)
    assert report.reasons == {"changed while planning": 1}


@pytest.mark.parametrize("hook", ["on_connect", "on_mail", "on_rcpt", "on_data", "on_body"])
@pytest.mark.parametrize("fault", ["451 4.3.0 Not now", "554 5.3.0 Never", "550 5.7.1 Blocked", DROP, RESET])
def test_whatever_fault_a_server_has_the_report_says_the_same_as_the_ledger(
    database: Database, hook: str, fault: Reply
) -> None:
    publish(database)
    subscribe(database, *(f"reader{number}@example{number}.com" for number in range(4)))
    with ScriptedServer(**{hook: in_turn(None, fault)}) as server:  # type: ignore[arg-type]
        report = digest(database, server)
    in_ledger = states(database)
    in_report = {
        state: getattr(report, state) for state in ("sent", "deferred", "failed", "uncertain", "planned")
    }
    assert {state: count for state, count in in_report.items() if count} == in_ledger
    assert report.candidates == 4
    assert bool(report.stopped) == (in_ledger["planned"] > 0)


def test_an_uncertain_mail_repeated_by_upkeep_is_counted_once(database: Database) -> None:
    publish(database)
    subscribe(database, "a@example.com")
    stopped_digest(database)
    with ScriptedServer(on_body=in_turn(DROP)) as fickle, office_at(database, fickle) as office:
        report = retry(office, rules=RULES)
    assert report.balances
    assert (report.candidates, report.sent, report.uncertain) == (1, 1, 0)
    assert len(fickle.messages) == 1


def test_a_preview_counts_the_mails_of_a_digest_and_plans_none(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    subscribe(database, "a@example.com", "b@example.com")
    preview = preview_digest(database.sessions, "weekly", house=HOUSE, local_now=NOW, rules=RULES)
    assert (preview.candidates, preview.planned, preview.balances) == (2, 2, True)
    with database.sessions() as session:
        assert session.scalars(select(Delivery)).all() == []
    assert cursor_of(database, "a@example.com") == 0
    assert digest(database, server).editions == preview.editions


def test_papers_that_do_not_fit_one_mail_come_in_several(database: Database, server: ScriptedServer) -> None:
    links = tuple(Link(f"https://a.example/{'x' * 450}{number}") for number in range(20))
    crowded = [paper(number, links=links) for number in range(1, 16)]
    with database.sessions.begin() as session:
        stored_issue(session, issue_of(crowded), now=PUBLISHED)
    subscribe(database, "a@example.com")
    for week in range(5):
        digest(database, server, after=week * WEEK)
    texts = bodies_of(server, "a@example.com")
    assert len(texts) > 1
    with database.sessions() as session:
        numbers = [number for row in session.scalars(select(EditionRow)) for number in row.papers]
    assert numbers == list(range(1, 16))


def test_how_long_papers_settle_and_how_many_come_a_day_are_settings(
    database: Database, server: ScriptedServer
) -> None:
    publish(database, 10)
    subscribe(database, "a@example.com", frequency="daily")
    with office_at(database, server) as office:
        report = run_digest(
            office, "daily", local_now=NOW, rules=replace(RULES, daily_papers=0, settle=timedelta(days=2))
        )
    assert report.reasons == {"new papers still settle": 1}
    with office_at(database, server) as office:
        run_digest(office, "daily", local_now=NOW, rules=replace(RULES, daily_papers=0))
    (text,) = bodies_of(server, "a@example.com")
    assert text.count("번째 논문의 초록입니다.") == 10


def test_of_more_papers_than_fit_as_many_go_out_as_can_be_opened_and_the_rest_comes_next(
    database: Database, server: ScriptedServer
) -> None:
    long = "이 논문은 긴 문장으로 스스로를 소개합니다. " * 20
    papers = [
        paper(n, intro_ko=blocks(f"N{n:02} {long}"), intro_en=blocks(f"E{n:02} " + "x y " * 200))
        for n in range(1, 36)
    ]
    with database.sessions.begin() as session:
        stored_issue(session, issue_of(papers), now=PUBLISHED)
        reader(session, "minji@example.com", language="both", frequency="weekly")
    got: list[str] = []
    for week in range(10):
        digest(database, server, after=week * WEEK)
    for message in server.messages:
        body = message_from_bytes(message.data, policy=modern_policy).get_body(("plain",))
        assert body is not None
        text = body.get_content()
        opened = re.findall(r"^N(\d\d) ", text, re.MULTILINE)
        assert opened == re.findall(r"^E(\d\d) ", text, re.MULTILINE)
        got += opened
    assert [int(number) for number in got] == list(range(1, 36))
    assert len(server.messages) > 1
