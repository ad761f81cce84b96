"""Letters are sent before digests, and not at all once they are out of date."""

import pytest
from sqlalchemy import select

from core.database import Database
from core.frequencies import Frequency
from delivery.models import Delivery
from delivery.planner import PRIORITY_QUEUE
from emails.kinds import MailKind
from mailings import account_mails
from mailings.digest_run import run_digest
from subscribers import accounts
from subscribers.suppression import suppress
from tests.support.account_actions import (
    MINJI,
    act,
    confirm,
    fill_in_form,
    outbox,
    publish,
    request_address_change,
    send,
    subscribe,
    unsubscribe,
)
from tests.support.factories import IDENTITY, NOW, RULES, sending_context_at
from tests.support.outbox import recipients
from tests.support.servers.smtp import ScriptedServer

# --- letters that are out of date ---------------------------------------------------


@pytest.mark.parametrize(
    ("change", "kind", "reason"),
    [
        ("confirmed already", MailKind.CONFIRMATION, "active"),
        ("left before confirming", MailKind.CONFIRMATION, "unsubscribed"),
        ("left at once", MailKind.WELCOME, "unsubscribed"),
        ("came back", MailKind.FAREWELL, "active"),
        ("moved already", MailKind.MOVE, "the address was changed already"),
        ("bounced", MailKind.REMINDER, "suppressed"),
    ],
)
def test_a_letter_that_is_out_of_date_is_not_sent(
    database: Database, server: ScriptedServer, change: str, kind: MailKind, reason: str
) -> None:
    if kind == MailKind.CONFIRMATION:
        fill_in_form(database)
        act(
            database,
            lambda session, subscriber: (
                accounts.confirm(session, subscriber, NOW)
                if change == "confirmed already"
                else accounts.unsubscribe(subscriber, NOW)
            ),
        )
    else:
        subscribe(database)
        if kind == MailKind.WELCOME:
            act(
                database,
                lambda session, subscriber: account_mails.plan_letter(
                    session, subscriber, kind, IDENTITY, NOW
                ),
            )
            act(database, lambda _, subscriber: accounts.unsubscribe(subscriber, NOW))
        elif kind == MailKind.FAREWELL:
            unsubscribe(database)
            act(database, lambda session, subscriber: accounts.undo_unsubscribe(session, subscriber, NOW))
        elif kind == MailKind.MOVE:
            request_address_change(database, "new@example.com")
            act(database, lambda session, subscriber: accounts.change_address(session, subscriber, NOW))
        else:
            fill_in_form(database)
            act(database, lambda session, subscriber: suppress(session, subscriber.email, "returned", NOW))
    send(database, server)
    assert server.messages == []
    assert [(stream, state) for _, stream, state in outbox(database)] == [(kind, "skipped")]
    with database.sessions() as session:
        assert session.scalars(select(Delivery.reply)).all() == [reason]


# --- when letters are sent ----------------------------------------------------------


def test_letters_and_welcomes_are_sent_before_a_digest_that_was_planned_first(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    for number in range(3):
        subscribe(database, f"reader{number}@example.com")
    with (
        ScriptedServer(on_connect="421 4.3.2 Closing") as closed,
        sending_context_at(database, closed) as context,
    ):
        run_digest(context, Frequency.WEEKLY, local_now=NOW, rules=RULES)
    fill_in_form(database)
    fill_in_form(database, "new@example.com")
    confirm(database, "new@example.com")
    with sending_context_at(database, server) as context:
        report = run_digest(context, Frequency.WEEKLY, local_now=NOW, rules=RULES)
    assert report.balances
    sent_to = recipients(server)
    assert sent_to[:2] == [MINJI, "new@example.com"]
    assert sorted(sent_to[2:]) == [f"reader{number}@example.com" for number in range(3)]
    assert report.sent == 3, "the report of a digest counts only its own mails"


def test_a_letter_does_not_wait_for_other_slots(database: Database, server: ScriptedServer) -> None:
    publish(database)
    subscribe(database, "reader@example.com")
    with (
        ScriptedServer(on_connect="421 4.3.2 Closing") as closed,
        sending_context_at(database, closed) as context,
    ):
        run_digest(context, Frequency.WEEKLY, local_now=NOW, rules=RULES)
    fill_in_form(database)
    send(database, server, PRIORITY_QUEUE)
    assert recipients(server) == [MINJI]
    fill_in_form(database, "jihoon@example.com")
    send(database, server, "daily:2025-08-04")
    assert recipients(server) == [MINJI, "jihoon@example.com"]
    assert [state for to, _, state in outbox(database) if to == "reader@example.com"] == ["planned"]
