"""A transport that is not SMTP: the sender handles each category of its errors without knowing any protocol."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from core.database import Database
from delivery.context import SendingContext
from delivery.models import DomainPause
from delivery.rate_limit import INITIAL_INTERVAL_SECONDS
from delivery.sender import SendResult, send_due
from delivery.status_codes import FailureKind
from delivery.transport.base import Client, FaultCategory, SendError
from emails.message import Message
from subscribers.suppression import is_suppressed
from tests.support.factories import IDENTITY, NOW
from tests.support.outbox import deliveries, plan_mails, states


class HttpTransport:
    """A transport whose clients answer with these errors in turn, and then accept every message."""

    def __init__(self, *errors: SendError) -> None:
        self.accepted: list[Message] = []
        self.errors = list(errors)
        self.closed = 0

    def client(self) -> Client:
        return HttpClient(self)


class HttpClient:
    """A client of the transport. It needs no connection and prepares no message."""

    def __init__(self, transport: HttpTransport) -> None:
        self._transport = transport

    async def send(self, message: Message, following: Message | None = None) -> str:  # noqa: ARG002  a protocol
        error = self._transport.errors.pop(0) if self._transport.errors else None
        if error:
            raise error
        self._transport.accepted.append(message)
        return "202 Accepted"

    async def close(self) -> None:
        self._transport.closed += 1


def send_over(database: Database, transport: HttpTransport, after: timedelta = timedelta()) -> SendResult:
    context = SendingContext(database, transport, IDENTITY, lambda: NOW + after)
    return send_due(context, None, repeat_uncertain=False)


def states_in_order(database: Database) -> Sequence[str]:
    return [delivery.state.value for delivery in deliveries(database)]


def test_a_transport_without_smtp_sends_every_mail_once(database: Database) -> None:
    addresses = plan_mails(database, 5)
    transport = HttpTransport()
    assert send_over(database, transport).stopped == ""
    assert [message.envelope_to for message in transport.accepted] == addresses
    assert {delivery.reply for delivery in deliveries(database)} == {"202 Accepted"}
    assert transport.closed == 1


@pytest.mark.parametrize(
    ("category", "expected"),
    [
        (FaultCategory.RECIPIENT, ["failed", "sent", "sent"]),
        (FaultCategory.LATER, ["deferred", "sent", "sent"]),
        (FaultCategory.OURS, ["planned", "planned", "planned"]),
        (FaultCategory.UNKNOWN, ["uncertain", "sent", "sent"]),
    ],
)
def test_the_category_of_an_error_decides_what_happens(
    database: Database, category: FaultCategory, expected: list[str]
) -> None:
    plan_mails(database, 3)
    result = send_over(database, HttpTransport(SendError("the interface refused the message", category)))
    assert states_in_order(database) == expected
    assert bool(result.stopped) == (category == FaultCategory.OURS)
    send_over(database, HttpTransport(), after=timedelta(hours=1))
    lasting = {"failed", "uncertain"}
    assert states_in_order(database) == [state if state in lasting else "sent" for state in expected]


def test_a_dead_address_of_any_transport_is_suppressed(database: Database) -> None:
    dead, alive = plan_mails(database, 2)
    send_over(
        database,
        HttpTransport(
            SendError("404 Not Found", FaultCategory.RECIPIENT, failure=FailureKind.NO_SUCH_ADDRESS)
        ),
    )
    assert states(database) == {"failed": 1, "sent": 1}
    with database.sessions() as session:
        assert is_suppressed(session, dead)
        assert not is_suppressed(session, alive)


def test_a_busy_server_of_any_transport_throttles_its_domain(database: Database) -> None:
    plan_mails(database, 1, domain="slow.example")
    send_over(database, HttpTransport(SendError("429 Too Many Requests", FaultCategory.LATER, is_busy=True)))
    with database.sessions() as session:
        assert session.get_one(DomainPause, "slow.example").interval == INITIAL_INTERVAL_SECONDS
