"""A sender that dies loses no mail, and repeats at most the one in flight, with the same Message-ID."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from email import message_from_bytes

import pytest

from core.database import Database
from delivery import outbox
from delivery.context import SendingContext
from delivery.models import Delivery, EditionRow
from delivery.outbox import Lease
from delivery.sender import send_due
from delivery.transport.pool import SmtpClient, SmtpPool
from emails.message import Message
from subscribers.models import AccountEvent, Subscriber
from tests.support.factories import IDENTITY, NOW
from tests.support.outbox import SLOT, deliveries, message_ids, plan_mails, recipients, send, states
from tests.support.servers.smtp import TAKE_AND_DROP, ScriptedServer, in_turn


class Crash(BaseException):
    """The process dies here."""


# --- uncertain ----------------------------------------------------------------------


def test_a_mail_taken_without_a_reply_is_repeated_once_with_the_same_message_id(database: Database) -> None:
    plan_mails(database, 1)
    with ScriptedServer(on_body=TAKE_AND_DROP) as server:
        for _ in range(3):
            send(database, server)
    assert states(database) == {"uncertain": 1}
    assert len(server.messages) == 2
    assert len(set(message_ids(server))) == 1


def test_a_mail_taken_without_a_reply_is_held_where_the_operator_wants_so(database: Database) -> None:
    plan_mails(database, 2)
    with ScriptedServer(on_body=in_turn(TAKE_AND_DROP)) as server:
        for _ in range(3):
            send(database, server, repeat_uncertain=False)
    assert [delivery.state for delivery in deliveries(database)] == ["uncertain", "sent"]
    assert len(server.messages) == 2


# --- crashes ------------------------------------------------------------------------


class FakeLine(SmtpClient):
    """Takes every message, and dies before or after the one that is the `crash_at`-th."""

    def __init__(self, transport: "FakeTransport") -> None:
        self.transport = transport

    async def send(self, message: Message, _following: Message | None = None) -> str:
        is_last = len(self.transport.taken) + 1 == self.transport.crash_at
        if is_last and self.transport.before:
            raise Crash
        self.transport.taken.append(message)
        if is_last:
            raise Crash
        return "250 2.0.0 Queued"

    async def close(self) -> None:
        return


class FakeTransport(SmtpPool):
    """Its line dies before or after the `crash_at`-th message."""

    def __init__(self, crash_at: int, *, before: bool) -> None:
        self.crash_at, self.before = crash_at, before
        self.taken: list[Message] = []

    def line(self) -> SmtpClient:
        return FakeLine(self)


def crashing_clock(at: int) -> Callable[[], datetime]:
    """A clock at which the process dies when it is read for the `at`-th time."""
    reads = iter(range(1, 1000))

    def read() -> datetime:
        if next(reads) == at:
            raise Crash
        return NOW

    return read


def drain_with(
    database: Database, transport: SmtpPool, clock: Callable[[], datetime], *, repeat: bool = False
) -> None:
    context = SendingContext(database, transport, IDENTITY, clock, lease=timedelta(0))
    send_due(context, None, repeat_uncertain=repeat)


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("crash_at", [1, 2, 3])
def test_a_crash_in_the_middle_of_a_mail_leaves_exactly_that_one_uncertain(
    database: Database, server: ScriptedServer, crash_at: int, before: bool
) -> None:
    addresses = plan_mails(database, 3)
    crashing = FakeTransport(crash_at, before=before)
    with pytest.raises(Crash):
        drain_with(database, crashing, lambda: NOW)
    send(database, server, repeat_uncertain=False, lease=timedelta(0))
    expected = ["sent", "sent", "sent"]
    expected[crash_at - 1] = "uncertain"
    assert [delivery.state for delivery in deliveries(database)] == expected
    assert recipients(server) == addresses[crash_at:]
    assert [message.envelope_to for message in crashing.taken] == addresses[: crash_at - before]


def test_a_crash_at_any_step_loses_no_mail_and_repeats_at_most_the_one_in_flight(database: Database) -> None:
    """The clock is read before every step: to take over, claim, build, announce and settle."""
    for at in range(1, 20):
        with database.sessions.begin() as session:
            session.query(Delivery).delete()
            session.query(EditionRow).delete()
            session.query(AccountEvent).delete()
            session.query(Subscriber).delete()
        addresses = plan_mails(database, 3)
        first, second = FakeTransport(0, before=True), FakeTransport(0, before=True)
        crashed = False
        try:
            drain_with(database, first, crashing_clock(at))
        except Crash:
            crashed = True
        drain_with(database, second, lambda: NOW, repeat=True)
        assert states(database) == {"sent": 3}
        counts = Counter(message.envelope_to for message in (*first.taken, *second.taken))
        assert set(counts) == set(addresses), at
        assert sum(counts.values()) <= 3 + crashed, at
        ids = {re_id(message) for message in (*first.taken, *second.taken)}
        assert len(ids) == 3


def re_id(message: Message) -> str:
    return str(message_from_bytes(message.data)["Message-ID"])


def test_what_was_only_claimed_when_the_sender_died_is_sent_by_the_next(
    database: Database, server: ScriptedServer
) -> None:
    addresses = plan_mails(database, 3)
    with database.sessions.begin() as session:
        dead = Lease("a dead sender", NOW)
        assert len(outbox.claim(session, SLOT, dead, now=NOW, repeat_uncertain=True, limit=2)) == 2
    assert states(database) == {"claimed": 2, "planned": 1}
    send(database, server, repeat_uncertain=False)
    assert sorted(recipients(server)) == addresses
