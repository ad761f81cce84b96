"""An address that refuses three digests in a row is suppressed, unless the fault may be ours."""

from datetime import datetime, timedelta

import pytest

from core.database import Database
from core.frequencies import Frequency
from core.languages import Language
from delivery.models import EditionRow
from subscribers.accounts import confirm, sign_up
from subscribers.suppression import is_suppressed, lift, unsuppress
from tests.support.factories import NOW
from tests.support.outbox import edition_row, plan_edition, plan_mails, send
from tests.support.servers.smtp import ScriptedServer, in_order

KO, WEEKLY = Language.KO, Frequency.WEEKLY
FULL = "552 5.2.2 Mailbox full"
UNKNOWN_TO_MICROSOFT = "550 5.4.1 Recipient address rejected: Access denied"


def week(number: int) -> datetime:
    return NOW + timedelta(weeks=number)


def send_digest(database: Database, server: ScriptedServer, number: int) -> None:
    """Plan and send the digest of a week. That of week 0 has been planned already."""
    if number:
        with database.sessions.begin() as session:
            row: EditionRow = edition_row(after_cursor=2 * number)
            row.slot, row.next_cursor = f"weekly:2025-W{32 + number}", 2 * number + 2
            session.add(row)
            session.flush()
            plan_edition(session, row, week(number))
    send(database, server, now=week(number))


def suppressed(database: Database, address: str) -> bool:
    with database.sessions() as session:
        return is_suppressed(session, address)


@pytest.mark.parametrize("reply", [FULL, UNKNOWN_TO_MICROSOFT, "550 5.4.4 Host not found", "550 5.1.351 No"])
def test_an_address_that_refuses_three_digests_in_a_row_is_suppressed(database: Database, reply: str) -> None:
    (address,) = plan_mails(database, 1)
    with ScriptedServer(on_rcpt=reply) as server:
        for number in range(3):
            assert not suppressed(database, address)
            send_digest(database, server, number)
    assert suppressed(database, address)


@pytest.mark.parametrize(
    "replies",
    [
        (FULL, FULL, None, FULL),
        ("550 5.7.1 Blocked by our policy",) * 4,
        ("550 5.0.0 No",) * 4,
        ("552 5.2.2 Too many messages this hour from your IP",) * 4,
    ],
)
def test_no_other_refusals_suppress_an_address(database: Database, replies: tuple[str | None, ...]) -> None:
    (address,) = plan_mails(database, 1)
    with ScriptedServer(on_rcpt=in_order(*replies)) as server:
        for number in range(len(replies)):
            send_digest(database, server, number)
    assert not suppressed(database, address)


@pytest.mark.parametrize("by_sign_up", [False, True])
def test_the_row_begins_anew_when_a_suppression_is_lifted(database: Database, by_sign_up: bool) -> None:
    (address,) = plan_mails(database, 1)
    with ScriptedServer(on_rcpt=FULL) as server:
        for number in range(3):
            send_digest(database, server, number)
        with database.sessions.begin() as session:
            later = week(2) + timedelta(days=1)
            if by_sign_up:
                lift(session, address)
                confirm(session, sign_up(session, address, language=KO, frequency=WEEKLY, now=later), later)
            else:
                unsuppress(session, address, later)
        for number in (3, 4):
            send_digest(database, server, number)
            assert not suppressed(database, address)
        send_digest(database, server, 5)
    assert suppressed(database, address)
