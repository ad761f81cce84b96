"""Letters go out before digests, and not at all once they are out of date."""

import pytest
from sqlalchemy import select

from core.database import Database
from delivery.models import Delivery
from delivery.planner import PRIORITY_QUEUE
from mailings import account_mails
from mailings.digest_run import run_digest
from subscribers import accounts
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
        ("confirmed already", "confirmation", "active"),
        ("left before confirming", "confirmation", "unsubscribed"),
        ("left at once", "welcome", "unsubscribed"),
        ("took it back", "farewell", "active"),
        ("moved already", "move", "the address was changed already"),
        ("returned", "reminder", "suppressed"),
    ],
)
def test_a_letter_that_is_out_of_date_is_not_sent(
    database: Database, server: ScriptedServer, change: str, kind: str, reason: str
) -> None:
    if kind == "confirmation":
        fill_in_form(database)
        act(
            database,
            lambda session, known: (
                accounts.confirm(session, known, NOW)
                if change == "confirmed already"
                else accounts.unsubscribe(known, NOW)
            ),
        )
    else:
        subscribe(database)
        if kind == "welcome":
            act(database, lambda session, known: account_mails.write(session, known, kind, IDENTITY, NOW))
            act(database, lambda _, known: accounts.unsubscribe(known, NOW))
        elif kind == "farewell":
            unsubscribe(database)
            act(database, lambda session, known: accounts.undo_unsubscribe(session, known, NOW))
        elif kind == "move":
            request_address_change(database, "new@example.com")
            act(database, lambda session, known: accounts.move(session, known, NOW))
        else:
            fill_in_form(database)
            act(database, lambda session, known: accounts.suppress(session, known.email, "returned", NOW))
    send(database, server)
    assert server.messages == []
    assert [(each, state) for _, each, state in outbox(database)] == [(kind, "skipped")]
    with database.sessions() as session:
        assert session.scalars(select(Delivery.reply)).all() == [reason]


# --- when they go out ---------------------------------------------------------------


def test_letters_and_welcomes_go_out_before_a_digest_that_was_planned_first(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    for number in range(3):
        subscribe(database, f"reader{number}@example.com")
    with (
        ScriptedServer(on_connect="421 4.3.2 Closing") as closed,
        sending_context_at(database, closed) as context,
    ):
        run_digest(context, "weekly", local_now=NOW, rules=RULES)
    fill_in_form(database)
    fill_in_form(database, "new@example.com")
    confirm(database, "new@example.com")
    with sending_context_at(database, server) as context:
        report = run_digest(context, "weekly", local_now=NOW, rules=RULES)
    assert report.balances
    got = recipients(server)
    assert got[:2] == [MINJI, "new@example.com"]
    assert sorted(got[2:]) == [f"reader{number}@example.com" for number in range(3)]
    assert report.sent == 3, "a digest's report counts its own mails only"


def test_whoever_waits_for_a_letter_does_not_wait_for_other_slots(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    subscribe(database, "reader@example.com")
    with (
        ScriptedServer(on_connect="421 4.3.2 Closing") as closed,
        sending_context_at(database, closed) as context,
    ):
        run_digest(context, "weekly", local_now=NOW, rules=RULES)
    fill_in_form(database)
    send(database, server, PRIORITY_QUEUE)
    assert recipients(server) == [MINJI]
    fill_in_form(database, "jihoon@example.com")
    send(database, server, "daily:2025-08-04")
    assert recipients(server) == [MINJI, "jihoon@example.com"]
    assert [state for to, _, state in outbox(database) if to == "reader@example.com"] == ["planned"]
