"""A change of address is confirmed at the new address, and nobody else gets a mail."""

import re

import pytest
from sqlalchemy.orm import Session

from core.database import Database
from core.frequencies import Frequency
from mailings.account_mails import MAX_MOVE_LETTERS_PER_DAY
from mailings.digest_run import run_digest
from subscribers import accounts
from subscribers.models import Subscriber
from subscribers.suppression import is_suppressed, suppress
from subscribers.tokens import LinkPurpose, TokenError, read_token
from tests.support.account_actions import (
    DAY,
    WEEK,
    act,
    bodies,
    handle_of,
    links,
    outbox,
    publish,
    request_address_change,
    send,
    subscribe,
)
from tests.support.digests import digest
from tests.support.factories import IDENTITY, NOW, RULES, sending_context_at
from tests.support.outbox import recipients
from tests.support.servers.smtp import ScriptedServer, once


def test_a_change_of_address_is_confirmed_at_the_new_one(database: Database, server: ScriptedServer) -> None:
    subscribe(database)
    request_address_change(database, "New@example.com")
    send(database, server)
    assert recipients(server) == ["New@example.com"]
    assert "minji" not in bodies(server, 0)[0]
    assert links(server, 0) == {("move", handle_of(database))}
    act(database, lambda session, subscriber: accounts.change_address(session, subscriber, NOW))
    publish(database)
    with sending_context_at(database, server) as context:
        run_digest(context, Frequency.WEEKLY, local_now=NOW, rules=RULES)
    assert recipients(server) == ["New@example.com", "New@example.com"]


def test_a_dead_new_address_is_suppressed_and_the_old_one_stays(
    database: Database,
) -> None:
    subscribe(database)
    request_address_change(database, "New@example.com")
    with ScriptedServer(on_rcpt="550 5.1.1 No such user") as refusing:
        send(database, refusing)
    with database.sessions() as session:
        assert is_suppressed(session, "new@example.com")
        assert not is_suppressed(session, "minji@example.com")


@pytest.mark.parametrize(
    ("suppressed", "reached"), [("minji@example.com", ["new@example.com"]), ("new@example.com", [])]
)
def test_only_a_suppression_of_the_new_address_keeps_the_letter_of_moving_back(
    database: Database, server: ScriptedServer, suppressed: str, reached: list[str]
) -> None:
    subscribe(database)
    request_address_change(database, "new@example.com")
    with database.sessions.begin() as session:
        suppress(session, suppressed, "returned", NOW)
    send(database, server)
    assert recipients(server) == reached


def test_a_digest_that_is_on_its_way_to_the_old_address_goes_to_the_new_one_instead(
    database: Database,
) -> None:
    publish(database)
    subscribe(database, "first@example.com", "minji@example.com")

    def move(session: Session, subscriber: Subscriber) -> None:
        accounts.request_address_change(session, subscriber, "new@example.com", NOW)
        accounts.change_address(session, subscriber, NOW)

    with ScriptedServer(on_body=once(lambda: act(database, move))) as server:
        assert digest(database, server).reasons == {"the address was changed already": 1}
        digest(database, server, after=WEEK)
    assert recipients(server) == ["first@example.com", "new@example.com"]


@pytest.mark.parametrize("new", ["taken@example.com", "Bounced@example.com", "Minji@example.com"])
def test_no_mail_is_sent_to_an_address_that_cannot_be_the_new_one(database: Database, new: str) -> None:
    subscribe(database)
    subscribe(database, "taken@example.com")
    with database.sessions.begin() as session:
        suppress(session, "bounced@example.com", "returned", NOW)
    request_address_change(database, new)
    assert outbox(database) == []


def test_the_link_to_one_address_does_not_confirm_another(database: Database, server: ScriptedServer) -> None:
    """Otherwise somebody could subscribe any address by asking for one of their own first."""
    subscribe(database)
    request_address_change(database, "mine@example.com")
    send(database, server)
    request_address_change(database, "victim@example.com")
    token = re.search(r"/m/([\w-]+)", bodies(server, 0)[0])
    assert token
    read_token(IDENTITY.key, LinkPurpose.MOVE, token[1], NOW.date(), lambda _: "mine@example.com")
    with pytest.raises(TokenError):
        read_token(IDENTITY.key, LinkPurpose.MOVE, token[1], NOW.date(), lambda _: "victim@example.com")


def test_a_mistyped_address_can_be_corrected_at_once_but_only_a_few_times_a_day(
    database: Database, server: ScriptedServer
) -> None:
    subscribe(database)
    addresses = [f"new{number}@example.com" for number in range(5)]
    for address in addresses:
        request_address_change(database, address)
        send(database, server)
    assert recipients(server) == addresses[:MAX_MOVE_LETTERS_PER_DAY]
    request_address_change(database, "tomorrow@example.com", after=DAY)
    send(database, server, after=DAY)
    assert recipients(server)[MAX_MOVE_LETTERS_PER_DAY:] == ["tomorrow@example.com"]
