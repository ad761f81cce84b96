"""A resend that is requested twice is sent once, and each copy has what its recipient lacks."""

import re
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage

from sqlalchemy import select, update

from core.database import Database
from core.frequencies import Frequency
from delivery.models import Delivery, Resend
from delivery.states import DeliveryState
from mailings.digest_run import send_retries
from mailings.resend.eligibility import SENT_BEFORE
from mailings.resend.execute import execute
from mailings.resend.request import ResendGroup, ResendRequest
from subscribers.accounts import find
from tests.support.account_actions import subscribe
from tests.support.factories import NOW, add_subscriber, sending_context_at
from tests.support.resends import (
    CORRECTION,
    HOLD_UNCERTAIN,
    ISSUE,
    LATER,
    MONDAY,
    correct_paper,
    deliver_to_each_group,
    digest,
    mails_by_recipient,
    papers_of,
    planned,
    resend,
)
from tests.support.servers.smtp import ScriptedServer

# --- once ---------------------------------------------------------------------------


def test_the_same_request_sends_nothing_the_second_time(issue: Database, server: ScriptedServer) -> None:
    subscribe(issue, "one@a.example", "two@b.example")
    request = replace(ISSUE, groups=(ResendGroup.EVERYONE,))
    assert resend(issue, server, request).sent == 2
    again = planned(issue, request)
    assert (again.copies, again.is_empty) == (0, True)
    assert again.eligible.left_out[SENT_BEFORE] == 2
    assert resend(issue, server, request).sent == 0
    assert len(server.messages) == 2


def test_two_operators_who_approve_the_same_plan_send_it_once(
    issue: Database, server: ScriptedServer
) -> None:
    subscribe(issue, "one@a.example")
    request = replace(ISSUE, groups=(ResendGroup.EVERYONE,))
    plans = [planned(issue, request), planned(issue, request)]
    with sending_context_at(issue, server, LATER) as context:
        reports = [execute(context, plan, asked_by="x", rules=HOLD_UNCERTAIN, now=LATER) for plan in plans]
    assert [report.sent for report in reports] == [1, 0]
    assert all(report.balances for report in reports)
    assert len(server.messages) == 1


def test_two_requests_that_are_approved_at_once_reach_each_subscriber_once(
    issue: Database, server: ScriptedServer
) -> None:
    deliver_to_each_group(issue)
    requests = [
        replace(ISSUE, groups=(ResendGroup.FAILED,), reason=reason) for reason in ("a trial", "another")
    ]
    plans = [planned(issue, request) for request in requests]
    with sending_context_at(issue, server, LATER) as context:
        reports = [execute(context, plan, asked_by="x", rules=HOLD_UNCERTAIN, now=LATER) for plan in plans]
    assert [report.sent for report in reports] == [1, 0]


def test_the_same_copies_can_be_sent_again_for_another_reason(
    issue: Database, server: ScriptedServer
) -> None:
    subscribe(issue, "one@a.example")
    for reason in ("a trial", "another trial"):
        assert resend(issue, server, replace(ISSUE, to="one@a.example", reason=reason)).sent == 1
    (_, first), (_, second) = mails_by_recipient(server)
    assert first["Message-ID"] != second["Message-ID"]
    with issue.sessions() as session:
        stored = [(row.reason, row.asked_by, row.asked_at) for row in session.scalars(select(Resend))]
    assert stored == [("a trial", "a test", LATER), ("another trial", "a test", LATER)]


def test_the_same_request_sends_the_copies_that_a_stopped_run_left(
    issue: Database, server: ScriptedServer
) -> None:
    subscribe(issue, "one@a.example", "two@b.example")
    request = replace(ISSUE, groups=(ResendGroup.EVERYONE,))
    with ScriptedServer(on_mail="550 5.7.1 Sender refused") as refusing:
        assert resend(issue, refusing, request).planned == 2
    plan = planned(issue, request)
    assert (plan.copies, plan.waiting, plan.is_empty) == (0, 2, False)
    assert resend(issue, server, request).sent == 2


# --- the content of a copy ----------------------------------------------------------


def texts_of(mail: EmailMessage) -> list[str]:
    """Both bodies, without the links that say on which day they were plan."""
    bodies = [mail.get_body((kind,)) for kind in ("plain", "html")]
    return [re.sub(r"https://paperboy\.example/\S+", "", body.get_content()) for body in bodies if body]


def test_a_daily_subscriber_whose_portion_failed_gets_only_that_portion(
    issue: Database, server: ScriptedServer
) -> None:
    subscribe(issue, "daily@a.example", frequency="daily")
    with ScriptedServer(on_rcpt="550 5.1.0 no") as refusing:
        digest(issue, refusing, Frequency.DAILY, MONDAY)
    with issue.sessions.begin() as session:
        session.execute(update(Delivery).values(state=DeliveryState.FAILED, due_at=None))
    assert digest(issue, server, Frequency.DAILY, MONDAY + timedelta(days=1)).sent == 1
    assert resend(issue, server, replace(ISSUE, groups=(ResendGroup.FAILED,))).sent == 1
    assert [papers_of(mail) for _, mail in mails_by_recipient(server)] == [[3, 4], [1, 2]]


def test_a_delivery_is_sent_again_unchanged_with_a_new_message_id(
    issue: Database, server: ScriptedServer
) -> None:
    subscribe(issue, "minji@a.example")
    digest(issue, server)
    correct_paper(issue, 1, NOW)
    with issue.sessions() as session:
        (id_,) = session.scalars(select(Delivery.id))
    request = ResendRequest(delivery=id_, reason="lost")
    assert resend(issue, server, request).sent == 1
    (_, first), (_, second) = mails_by_recipient(server)
    assert texts_of(first) == texts_of(second)
    assert CORRECTION not in str(texts_of(second))
    assert first["Message-ID"] != second["Message-ID"]
    assert planned(issue, request).is_empty


def test_a_copy_moves_no_cursor(issue: Database, server: ScriptedServer) -> None:
    subscribe(issue, "daily@a.example", frequency="daily")
    assert resend(issue, server, replace(ISSUE, to="Daily@a.example")).sent == 1
    with issue.sessions() as session:
        subscriber = find(session, "daily@a.example")
        assert subscriber
        assert subscriber.cursor == 0


# --- corrections --------------------------------------------------------------------


def test_a_correction_is_a_reply_to_the_mail_with_the_old_text(
    issue: Database, server: ScriptedServer
) -> None:
    subscribe(issue, "weekly@a.example", "english@b.example")
    subscribe(issue, "daily@c.example", frequency="daily")
    digest(issue, server, Frequency.WEEKLY)
    digest(issue, server, Frequency.DAILY)  # papers 1 and 2
    originals = {address: mail["Message-ID"] for address, mail in mails_by_recipient(server)}
    correct_paper(issue, 2, NOW + timedelta(days=1))
    correct_paper(issue, 4, NOW + timedelta(days=1))
    subscribe(issue, "late@d.example")
    digest(issue, server, Frequency.WEEKLY, NOW + timedelta(days=2))  # this one has the corrected text
    server.messages.clear()
    request = ResendRequest(issue="2025-07-28", is_correction=True, reason="wrong figures")
    assert resend(issue, server, request).sent == 3
    corrections = {
        address: (papers_of(mail), mail["In-Reply-To"]) for address, mail in mails_by_recipient(server)
    }
    assert corrections == {
        "daily@c.example": ([2], originals["daily@c.example"]),
        "english@b.example": ([2, 4], originals["english@b.example"]),
        "weekly@a.example": ([2, 4], originals["weekly@a.example"]),
    }
    assert all(mail["References"] == originals[address] for address, mail in mails_by_recipient(server)), (
        "some mail programs find the thread by this field alone"
    )
    assert all(str(mail["Subject"]).startswith("정정") for _, mail in mails_by_recipient(server))
    assert [str(texts_of(mail)).count(CORRECTION) for _, mail in mails_by_recipient(server)] == [2, 4, 4], (
        "in the text and in the HTML"
    )
    assert planned(issue, replace(request, reason="once more")).copies == 0, (
        "everybody has the corrected text now"
    )


def test_a_paper_corrected_twice_is_sent_twice_by_the_same_request(
    issue: Database, server: ScriptedServer
) -> None:
    subscribe(issue, "minji@a.example")
    digest(issue, server)
    request = ResendRequest(issue="2025-07-28", is_correction=True, reason="wrong figures")
    for day in (1, 2):
        correct_paper(issue, 2, NOW + timedelta(days=day))
        assert resend(issue, server, request, NOW + timedelta(days=day, hours=1)).sent == 1
        assert planned(issue, request, LATER).copies == 0


def test_a_correction_replies_to_the_mail_that_brought_the_paper(
    issue: Database, server: ScriptedServer
) -> None:
    subscribe(issue, "daily@a.example", frequency="daily")
    for day in (0, 1):
        digest(issue, server, Frequency.DAILY, MONDAY + timedelta(days=day))
    first, second = (mail["Message-ID"] for _, mail in mails_by_recipient(server))
    for number in (1, 4):
        correct_paper(issue, number, LATER)
        request = ResendRequest(issue="2025-07-28", is_correction=True, reason=f"paper {number}")
        resend(issue, server, request, LATER + timedelta(hours=number))
    *_, reply_to_first, reply_to_second = (mail["In-Reply-To"] for _, mail in mails_by_recipient(server))
    assert (reply_to_first, reply_to_second) == (first, second)


def test_a_correction_replies_to_a_mail_that_arrived_and_not_to_one_that_failed(
    issue: Database, server: ScriptedServer
) -> None:
    subscribe(issue, "minji@a.example")
    with ScriptedServer(on_rcpt="552 5.2.2 Mailbox full") as refusing:
        assert digest(issue, refusing).failed == 1
    assert resend(issue, server, replace(ISSUE, groups=(ResendGroup.FAILED,))).sent == 1
    correct_paper(issue, 2, LATER + timedelta(hours=1))
    request = ResendRequest(issue="2025-07-28", is_correction=True, reason="wrong figures")
    assert resend(issue, server, request, LATER + timedelta(hours=2)).sent == 1
    (_, copy), (_, correction) = mails_by_recipient(server)
    assert correction["In-Reply-To"] == copy["Message-ID"]


def test_a_waiting_copy_with_the_old_text_is_superseded_by_one_with_the_new_text(
    issue: Database, server: ScriptedServer
) -> None:
    subscribe(issue, "one@a.example")
    request = replace(ISSUE, groups=(ResendGroup.EVERYONE,))
    with ScriptedServer(on_mail="550 5.7.1 Sender refused") as refusing:
        assert resend(issue, refusing, request).planned == 1
    correct_paper(issue, 2, LATER + timedelta(minutes=1))
    assert resend(issue, server, request, LATER + timedelta(hours=1)).sent == 1
    with sending_context_at(issue, server, LATER + timedelta(hours=2)) as context:
        assert send_retries(context, rules=HOLD_UNCERTAIN).sent == 0
    assert len(server.messages) == 1


def test_a_correction_of_one_paper_does_not_take_the_place_of_a_waiting_copy_with_others(
    issue: Database, server: ScriptedServer
) -> None:
    with issue.sessions.begin() as session:
        add_subscriber(session, "missed@a.example").cursor = 4
    with ScriptedServer(on_mail="550 5.7.1 Sender refused") as refusing:
        assert resend(issue, refusing, replace(ISSUE, groups=(ResendGroup.MISSED,))).planned == 1
    correct_paper(issue, 2, LATER + timedelta(minutes=1))
    everyone = replace(ISSUE, is_correction=True, groups=(ResendGroup.EVERYONE,))
    assert resend(issue, server, everyone, LATER + timedelta(hours=1)).sent == 1
    with sending_context_at(issue, server, LATER + timedelta(hours=2)) as context:
        send_retries(context, rules=HOLD_UNCERTAIN)
    brought = [number for _, mail in mails_by_recipient(server) for number in papers_of(mail)]
    assert set(brought) == {1, 2, 3, 4}
