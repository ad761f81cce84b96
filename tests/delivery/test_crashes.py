"""A sender that crashes loses no mail, and repeats at most the one that it was sending."""

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
from delivery.transport.base import Client, Transport
from emails.message import Message
from subscribers.models import AccountEvent, Subscriber
from tests.support.factories import IDENTITY, NOW
from tests.support.outbox import SLOT, deliveries, message_ids, plan_mails, recipients, send, states
from tests.support.servers.smtp import TAKE_AND_DROP, ScriptedServer, in_order


class CrashError(BaseException):
    """The process crashes here."""


# --- uncertain ----------------------------------------------------------------------


def test_an_unanswered_mail_is_repeated_once_with_the_same_message_id(database: Database) -> None:
    plan_mails(database, 1)
    with ScriptedServer(on_body=TAKE_AND_DROP) as server:
        for _ in range(3):
            send(database, server)
    assert states(database) == {"uncertain": 1}
    assert len(server.messages) == 2
    assert len(set(message_ids(server))) == 1


def test_an_unanswered_mail_is_not_repeated_if_the_operator_says_so(database: Database) -> None:
    plan_mails(database, 2)
    with ScriptedServer(on_body=in_order(TAKE_AND_DROP)) as server:
        for _ in range(3):
            send(database, server, repeat_uncertain=False)
    assert [delivery.state for delivery in deliveries(database)] == ["uncertain", "sent"]
    assert len(server.messages) == 2


# --- crashes ------------------------------------------------------------------------


class CrashingClient:
    """Accepts every message, and crashes before or after the `crash_at`-th one."""

    def __init__(self, transport: "CrashingTransport") -> None:
        self.transport = transport

    async def send(self, message: Message, following: Message | None = None) -> str:  # noqa: ARG002  a protocol
        is_last = len(self.transport.accepted) + 1 == self.transport.crash_at
        if is_last and self.transport.before:
            raise CrashError
        self.transport.accepted.append(message)
        if is_last:
            raise CrashError
        return "250 2.0.0 Queued"

    async def close(self) -> None:
        return


class CrashingTransport:
    """A transport whose client crashes before or after the `crash_at`-th message."""

    def __init__(self, crash_at: int, *, before: bool) -> None:
        self.crash_at, self.before = crash_at, before
        self.accepted: list[Message] = []

    def client(self) -> Client:
        return CrashingClient(self)


def crashing_clock(at: int) -> Callable[[], datetime]:
    """A clock that crashes the process when it is read for the `at`-th time."""
    reads = iter(range(1, 1000))

    def read() -> datetime:
        if next(reads) == at:
            raise CrashError
        return NOW

    return read


def send_over(
    database: Database, transport: Transport, clock: Callable[[], datetime], *, repeat: bool = False
) -> None:
    context = SendingContext(database, transport, IDENTITY, clock, lease=timedelta(0))
    send_due(context, None, repeat_uncertain=repeat)


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("crash_at", [1, 2, 3])
def test_a_crash_while_a_mail_is_sent_leaves_exactly_that_one_uncertain(
    database: Database, server: ScriptedServer, crash_at: int, before: bool
) -> None:
    addresses = plan_mails(database, 3)
    crashing = CrashingTransport(crash_at, before=before)
    with pytest.raises(CrashError):
        send_over(database, crashing, lambda: NOW)
    send(database, server, repeat_uncertain=False, lease=timedelta(0))
    expected = ["sent", "sent", "sent"]
    expected[crash_at - 1] = "uncertain"
    assert [delivery.state for delivery in deliveries(database)] == expected
    assert recipients(server) == addresses[crash_at:]
    assert [message.envelope_to for message in crashing.accepted] == addresses[: crash_at - before]


def test_a_crash_at_any_step_loses_no_mail_and_repeats_at_most_one(database: Database) -> None:
    """The clock is read before every step: taking over, claiming, building, marking and settling."""
    for at in range(1, 20):
        with database.sessions.begin() as session:
            session.query(Delivery).delete()
            session.query(EditionRow).delete()
            session.query(AccountEvent).delete()
            session.query(Subscriber).delete()
        addresses = plan_mails(database, 3)
        first, second = CrashingTransport(0, before=True), CrashingTransport(0, before=True)
        crashed = False
        try:
            send_over(database, first, crashing_clock(at))
        except CrashError:
            crashed = True
        send_over(database, second, lambda: NOW, repeat=True)
        assert states(database) == {"sent": 3}
        counts = Counter(message.envelope_to for message in (*first.accepted, *second.accepted))
        assert set(counts) == set(addresses), at
        assert sum(counts.values()) <= 3 + crashed, at
        ids = {message_id_of(message) for message in (*first.accepted, *second.accepted)}
        assert len(ids) == 3


def message_id_of(message: Message) -> str:
    return str(message_from_bytes(message.data)["Message-ID"])


def test_mails_that_were_only_claimed_before_a_crash_are_sent_by_the_next_run(
    database: Database, server: ScriptedServer
) -> None:
    addresses = plan_mails(database, 3)
    with database.sessions.begin() as session:
        dead = Lease("a dead sender", NOW)
        assert len(outbox.claim(session, SLOT, dead, now=NOW, repeat_uncertain=True, limit=2)) == 2
    assert states(database) == {"claimed": 2, "planned": 1}
    send(database, server, repeat_uncertain=False)
    assert sorted(recipients(server)) == addresses
