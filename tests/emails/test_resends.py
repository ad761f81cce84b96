"""Copies by hand: exactly those get one who should, the plan says so before, and asking twice sends once."""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern_policy
from typing import Any, cast

import pytest
from making import HOUSE, NOW, RULES, issue_of, office_at, paper, reader, stored_issue
from smtp_server import TAKE_AND_DROP, ScriptedServer
from sqlalchemy import select, update

from core.database import Database
from emails.copies import carry_out
from emails.digests import retry, run_digest
from emails.edition import EmptyIssueError
from emails.engine.outcomes import MOST_ATTEMPTS
from emails.models import Delivery, Resend
from emails.needs import COMES_YET, OLD_TEXT_UNDER_WAY, SENT_BEFORE, RequestError
from emails.report import DigestReport
from emails.resends import Plan, Request, plan
from issues.contents import paper_to_json
from issues.models import Paper
from subscribers.accounts import AccountError, find, pause, suppress, unsubscribe

MONDAY = NOW
LATER = NOW + timedelta(days=3)
ISSUE = Request(issue="2025-07-28", reason="a trial")
HOLD = replace(RULES, repeat_uncertain=False)


def sign_up(database: Database, *addresses: str, frequency: str = "weekly", language: str = "ko") -> None:
    with database.sessions.begin() as session:
        for address in addresses:
            reader(session, address, language=language, frequency=frequency)


@pytest.fixture
def issue(database: Database) -> Database:
    """A database with an issue of four papers, half an hour old."""
    with database.sessions.begin() as session:
        stored_issue(session, issue_of(4), now=NOW - timedelta(hours=1))
    return database


def digest(
    database: Database, server: ScriptedServer, frequency: str = "weekly", now: datetime = MONDAY
) -> DigestReport:
    with office_at(database, server, now) as office:
        return run_digest(office, frequency, local_now=now, rules=HOLD)


def planned(database: Database, request: Request, now: datetime = LATER) -> Plan:
    with database.sessions() as session:
        return plan(session, request, HOUSE, now)


def resend(
    database: Database, server: ScriptedServer, request: Request, now: datetime = LATER
) -> DigestReport:
    made = planned(database, request, now)
    with office_at(database, server, now) as office:
        return carry_out(office, made, asked_by="a test", rules=HOLD, now=now)


def copies(server: ScriptedServer) -> list[tuple[str, EmailMessage]]:
    """All mails by reader, in the order of addresses."""
    mails = [
        (message.rcpt[0], cast(EmailMessage, message_from_bytes(message.data, policy=modern_policy)))
        for message in server.messages
    ]
    return sorted(mails, key=lambda mail: mail[0])


def papers_of(mail: EmailMessage) -> list[int]:
    body = mail.get_body(("plain",))
    assert body
    return [number for number in range(1, 9) if f"{number}번째 논문의 초록" in body.get_content()]


def texts_of(mail: EmailMessage) -> list[str]:
    """Both bodies, without the links that say on which day they were made."""
    bodies = [mail.get_body((kind,)) for kind in ("plain", "html")]
    return [re.sub(r"https://paperboy\.example/\S+", "", body.get_content()) for body in bodies if body]


def change_delivery(database: Database, address: str, **values: Any) -> None:
    with database.sessions.begin() as session:
        known = find(session, address)
        assert known
        session.execute(update(Delivery).where(Delivery.subscriber_id == known.id).values(**values))


def correct(database: Database, number: int, now: datetime) -> None:
    """The forum corrects a paper's Korean abstract."""
    with database.sessions.begin() as session:
        row = session.scalars(select(Paper).where(Paper.number == number)).one()
        row.content, row.corrected_at = paper_to_json(paper(number)), now
        row.issue.revision += 1


def deliver_to_each_group(database: Database) -> None:
    """A weekly digest after which one reader is in each group, and one in none."""
    sign_up(database, "fine@a.example", "failed@b.example", "expired@c.example", "uncertain@d.example")
    refused = {"failed@b.example": "550 5.7.1 Not wanted here", "expired@c.example": "450 4.2.0 Later"}
    with ScriptedServer(
        on_rcpt=refused.get,
        on_body=lambda message: TAKE_AND_DROP if message.rcpt == ["uncertain@d.example"] else None,
    ) as server:
        digest(database, server)
    change_delivery(database, "failed@b.example", state="failed", due_at=None)
    change_delivery(database, "expired@c.example", state="failed", due_at=None, attempts=MOST_ATTEMPTS)
    change_delivery(database, "uncertain@d.example", state="uncertain", due_at=None)
    with database.sessions.begin() as session:
        reader(session, "missed@e.example").cursor = 4  # as one who joined when a later issue was there


@pytest.mark.parametrize("group", ["failed", "expired", "uncertain", "missed"])
def test_each_group_is_exactly_those_who_are_in_it(
    issue: Database, server: ScriptedServer, group: Any
) -> None:
    deliver_to_each_group(issue)
    request = replace(ISSUE, groups=(group,))
    made = planned(issue, request)
    assert dict(made.found.reasons) == {group: 1}
    report = resend(issue, server, request)
    assert (report.sent, report.candidates, report.balances) == (made.copies, 1, True)
    ((address, mail),) = copies(server)
    assert address.startswith(f"{group}@")
    assert papers_of(mail) == [1, 2, 3, 4]


def test_groups_together_reach_each_reader_once(issue: Database, server: ScriptedServer) -> None:
    deliver_to_each_group(issue)
    request = replace(ISSUE, groups=("failed", "expired", "uncertain", "missed"))
    assert resend(issue, server, request).sent == 4
    assert [address.partition("@")[0] for address, _ in copies(server)] == [
        "expired",
        "failed",
        "missed",
        "uncertain",
    ]


def test_the_same_request_sends_nothing_the_second_time(issue: Database, server: ScriptedServer) -> None:
    sign_up(issue, "one@a.example", "two@b.example")
    request = replace(ISSUE, groups=("everyone",))
    assert resend(issue, server, request).sent == 2
    again = planned(issue, request)
    assert (again.copies, again.is_empty) == (0, True)
    assert again.found.left_out[SENT_BEFORE] == 2
    assert resend(issue, server, request).sent == 0
    assert len(server.messages) == 2


def test_two_who_approve_the_same_plan_at_once_send_it_once(issue: Database, server: ScriptedServer) -> None:
    sign_up(issue, "one@a.example")
    request = replace(ISSUE, groups=("everyone",))
    plans = [planned(issue, request), planned(issue, request)]
    with office_at(issue, server, LATER) as office:
        reports = [carry_out(office, made, asked_by="x", rules=HOLD, now=LATER) for made in plans]
    assert [report.sent for report in reports] == [1, 0]
    assert all(report.balances for report in reports)
    assert len(server.messages) == 1


def test_two_requests_for_different_reasons_that_are_approved_at_once_reach_each_reader_once(
    issue: Database, server: ScriptedServer
) -> None:
    deliver_to_each_group(issue)
    asked = [replace(ISSUE, groups=("failed",), reason=reason) for reason in ("a trial", "another")]
    plans = [planned(issue, request) for request in asked]
    with office_at(issue, server, LATER) as office:
        reports = [carry_out(office, made, asked_by="x", rules=HOLD, now=LATER) for made in plans]
    assert [report.sent for report in reports] == [1, 0]


def test_the_same_readers_can_be_sent_it_again_for_another_reason(
    issue: Database, server: ScriptedServer
) -> None:
    sign_up(issue, "one@a.example")
    for reason in ("a trial", "another trial"):
        assert resend(issue, server, replace(ISSUE, to="one@a.example", reason=reason)).sent == 1
    (_, first), (_, second) = copies(server)
    assert first["Message-ID"] != second["Message-ID"]
    with issue.sessions() as session:
        kept = [(row.reason, row.asked_by, row.asked_at) for row in session.scalars(select(Resend))]
    assert kept == [("a trial", "a test", LATER), ("another trial", "a test", LATER)]


def test_nobody_suppressed_or_gone_is_sent_a_copy_and_the_plan_counts_them(
    issue: Database, server: ScriptedServer
) -> None:
    sign_up(issue, "fine@a.example", "gone@b.example", "dead@c.example", "resting@d.example")
    with issue.sessions.begin() as session:
        unsubscribe(cast(Any, find(session, "gone@b.example")), NOW)
        suppress(session, "dead@c.example", "returned: 5.1.1", NOW)
        pause(cast(Any, find(session, "resting@d.example")), NOW)
    made = planned(issue, replace(ISSUE, groups=("everyone",)))
    assert dict(made.found.left_out) == {"unsubscribed": 1, "bounced": 1, "paused": 1}
    assert resend(issue, server, replace(ISSUE, groups=("everyone",))).sent == 1
    assert [address for address, _ in copies(server)] == ["fine@a.example"]


def test_a_segment_is_the_readers_of_a_language_and_a_frequency(
    issue: Database, server: ScriptedServer
) -> None:
    sign_up(issue, "ko-weekly@a.example", "ko-weekly@b.example")
    sign_up(issue, "ko-daily@a.example", frequency="daily")
    sign_up(issue, "en-daily@a.example", frequency="daily", language="en")
    assert resend(issue, server, replace(ISSUE, language="ko", frequency="daily")).sent == 1
    assert resend(issue, server, replace(ISSUE, language="en")).sent == 1
    assert [address for address, _ in copies(server)] == ["en-daily@a.example", "ko-daily@a.example"]


def test_a_daily_reader_whose_portion_failed_gets_that_portion_only(
    issue: Database, server: ScriptedServer
) -> None:
    sign_up(issue, "daily@a.example", frequency="daily")
    with ScriptedServer(on_rcpt="550 5.1.0 no") as refusing:
        digest(issue, refusing, "daily", MONDAY)
    with issue.sessions.begin() as session:
        session.execute(update(Delivery).values(state="failed", due_at=None))
    assert digest(issue, server, "daily", MONDAY + timedelta(days=1)).sent == 1
    assert resend(issue, server, replace(ISSUE, groups=("failed",))).sent == 1
    assert [papers_of(mail) for _, mail in copies(server)] == [[3, 4], [1, 2]]


def test_readers_whom_the_next_digest_brings_the_papers_are_not_missed(
    issue: Database, server: ScriptedServer
) -> None:
    sign_up(issue, "new@a.example")
    made = planned(issue, replace(ISSUE, groups=("missed",)))
    assert (made.copies, made.found.left_out[COMES_YET]) == (0, 1)
    assert digest(issue, server).sent == 1
    assert planned(issue, replace(ISSUE, groups=("missed",))).copies == 0


def test_a_correction_goes_to_those_who_got_the_old_text_as_a_reply_to_that_mail(
    issue: Database, server: ScriptedServer
) -> None:
    sign_up(issue, "weekly@a.example", "english@b.example")
    sign_up(issue, "daily@c.example", frequency="daily")
    digest(issue, server, "weekly")
    digest(issue, server, "daily")  # papers 1 and 2
    originals = {address: mail["Message-ID"] for address, mail in copies(server)}
    correct(issue, 2, NOW + timedelta(days=1))
    correct(issue, 4, NOW + timedelta(days=1))
    sign_up(issue, "late@d.example")
    digest(issue, server, "weekly", NOW + timedelta(days=2))  # "late" gets the text in force
    server.messages.clear()
    request = Request(issue="2025-07-28", is_correction=True, reason="wrong figures")
    assert resend(issue, server, request).sent == 3
    got = {address: (papers_of(mail), mail["In-Reply-To"]) for address, mail in copies(server)}
    assert got == {
        "daily@c.example": ([2], originals["daily@c.example"]),
        "english@b.example": ([2, 4], originals["english@b.example"]),
        "weekly@a.example": ([2, 4], originals["weekly@a.example"]),
    }
    assert all(str(mail["Subject"]).startswith("정정") for _, mail in copies(server))
    assert planned(issue, replace(request, reason="once more")).copies == 0, "they have the new text now"


def test_a_paper_corrected_twice_is_sent_twice_by_the_same_request(
    issue: Database, server: ScriptedServer
) -> None:
    sign_up(issue, "minji@a.example")
    digest(issue, server)
    request = Request(issue="2025-07-28", is_correction=True, reason="wrong figures")
    for day in (1, 2):
        correct(issue, 2, NOW + timedelta(days=day))
        assert resend(issue, server, request, NOW + timedelta(days=day, hours=1)).sent == 1
        assert planned(issue, request, LATER).copies == 0


def test_a_correction_replies_to_the_mail_that_brought_that_paper(
    issue: Database, server: ScriptedServer
) -> None:
    sign_up(issue, "daily@a.example", frequency="daily")
    for day in (0, 1):
        digest(issue, server, "daily", MONDAY + timedelta(days=day))
    first, second = (mail["Message-ID"] for _, mail in copies(server))
    for number in (1, 4):
        correct(issue, number, LATER)
        request = Request(issue="2025-07-28", is_correction=True, reason=f"paper {number}")
        resend(issue, server, request, LATER + timedelta(hours=number))
    *_, of_first, of_fourth = (mail["In-Reply-To"] for _, mail in copies(server))
    assert (of_first, of_fourth) == (first, second)


def test_a_copy_that_waits_with_an_old_text_gives_way_to_one_with_the_new(
    issue: Database, server: ScriptedServer
) -> None:
    sign_up(issue, "one@a.example")
    request = replace(ISSUE, groups=("everyone",))
    with ScriptedServer(on_mail="550 5.7.1 Sender refused") as refusing:
        assert resend(issue, refusing, request).planned == 1
    correct(issue, 2, LATER + timedelta(minutes=1))
    assert resend(issue, server, request, LATER + timedelta(hours=1)).sent == 1
    with office_at(issue, server, LATER + timedelta(hours=2)) as office:
        assert retry(office, rules=HOLD).sent == 0
    assert len(server.messages) == 1


def test_whom_the_old_text_is_still_on_its_way_to_is_named_as_left_out(issue: Database) -> None:
    sign_up(issue, "slow@a.example")
    with ScriptedServer(on_rcpt="450 4.2.0 later") as deferring:
        assert digest(issue, deferring).deferred == 1
    correct(issue, 2, LATER)
    request = Request(issue="2025-07-28", is_correction=True, reason="wrong figures")
    assert planned(issue, request, LATER).found.left_out[OLD_TEXT_UNDER_WAY] == 1
    with issue.sessions() as session:
        (id_,) = session.scalars(select(Delivery.id))
    with pytest.raises(RequestError, match="deferred: there is nothing to send again yet"):
        planned(issue, Request(delivery=id_))


def test_a_delivery_is_sent_again_as_it_was_under_a_new_message_id(
    issue: Database, server: ScriptedServer
) -> None:
    sign_up(issue, "minji@a.example")
    digest(issue, server)
    correct(issue, 1, NOW)
    with issue.sessions() as session:
        (id_,) = session.scalars(select(Delivery.id))
    request = Request(delivery=id_, reason="lost")
    assert resend(issue, server, request).sent == 1
    (_, first), (_, second) = copies(server)
    assert texts_of(first) == texts_of(second)
    assert first["Message-ID"] != second["Message-ID"]
    assert planned(issue, request).is_empty


def test_copies_that_a_stopped_run_left_are_sent_by_the_same_request(
    issue: Database, server: ScriptedServer
) -> None:
    sign_up(issue, "one@a.example", "two@b.example")
    request = replace(ISSUE, groups=("everyone",))
    with ScriptedServer(on_mail="550 5.7.1 Sender refused") as refusing:
        assert resend(issue, refusing, request).planned == 2
    made = planned(issue, request)
    assert (made.copies, made.waiting, made.is_empty) == (0, 2, False)
    assert resend(issue, server, request).sent == 2


def test_a_copy_moves_no_cursor(issue: Database, server: ScriptedServer) -> None:
    sign_up(issue, "daily@a.example", frequency="daily")
    assert resend(issue, server, replace(ISSUE, to="Daily@a.example")).sent == 1
    with issue.sessions() as session:
        known = find(session, "daily@a.example")
        assert known
        assert known.cursor == 0


def test_a_plan_stores_nothing_names_no_whole_address_and_changes_its_fingerprint_with_the_readers(
    issue: Database,
) -> None:
    sign_up(issue, "minji@a.example")
    made = planned(issue, replace(ISSUE, groups=("everyone",)))
    assert "minji@a.example" not in str(made.as_json())
    with issue.sessions() as session:
        assert not session.scalars(select(Resend)).all()
        assert not session.scalars(select(Delivery)).all()
    sign_up(issue, "bob@b.example")
    assert planned(issue, replace(ISSUE, groups=("everyone",))).fingerprint != made.fingerprint


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (Request(reason="x"), "name an issue or a delivery"),
        (Request(issue="2025-07-28", delivery=1), "one of them"),
        (ISSUE, "say to whom"),
        (Request(delivery=1, to="minji@a.example"), "leave out all else"),
        (Request(delivery=77), "no digest with the delivery id 77"),
        (replace(ISSUE, to="minji@a.example", groups=("failed",)), "needs no group"),
        (replace(ISSUE, groups=cast(Any, ("lucky",))), "there is no group 'lucky'"),
        (replace(ISSUE, is_correction=True), "no paper .* was corrected"),
    ],
)
def test_a_request_that_is_not_clear_is_refused_with_a_reason(
    issue: Database, request_: Request, says: str
) -> None:
    with pytest.raises(RequestError, match=says):
        planned(issue, request_)


@pytest.mark.parametrize("address", ["stranger@a.example", "paused@a.example"])
def test_nobody_but_an_active_reader_is_named_by_address(issue: Database, address: str) -> None:
    sign_up(issue, "paused@a.example")
    with issue.sessions.begin() as session:
        pause(cast(Any, find(session, "paused@a.example")), NOW)
    with pytest.raises(AccountError, match="only active readers are mailed"):
        planned(issue, replace(ISSUE, to=address))


def test_an_issue_without_papers_cannot_be_sent_by_hand(issue: Database) -> None:
    with issue.sessions.begin() as session:
        session.execute(update(Paper).values(withdrawn_at=NOW))
    with pytest.raises(EmptyIssueError, match="no paper in force"):
        planned(issue, replace(ISSUE, groups=("everyone",)))
