"""A stranger's view: servers that are not ours, and strict, take every kind of mail without a complaint."""

import socket

import pytest
from aiosmtpd.controller import Controller

from core.database import Database
from delivery import planner
from delivery.context import SendingContext
from delivery.models import EditionRow
from delivery.rate_limit import SendingLimits
from delivery.sender import SendResult, send_due
from delivery.transport.pool import SmtpPool
from delivery.transport.smtp.server import SmtpServer
from tests.support.factories import IDENTITY, NOW, add_subscriber, content_of_edition, edition_of, issue_of
from tests.support.mail_reader import LANGUAGES
from tests.support.servers.postfix import IS_AT_HAND, postfix

NAMES = ("", "김민지", 'A "quoted" name', "😀" * 10)
EACH = 20  # readers of a language


def planned(database: Database) -> list[str]:
    """Plan an edition of each language for readers of every kind of name; their addresses."""
    addresses = []
    with database.sessions.begin() as session:
        for language in LANGUAGES:
            content = content_of_edition(edition_of(issue_of(3), language=language))
            row = EditionRow(
                slot=content.slot,
                language=language,
                frequency=content.frequency,
                after=0,
                papers=[1, 2, 3],
                subject=content.subject,
                html=content.html,
                text=content.text,
                nonce=content.nonce,
                created_at=NOW,
            )
            session.add(row)
            session.flush()
            for number in range(EACH):
                domain = "예시.한국" if number % 5 == 0 else "example.com"
                address = f"minji+{language}{number}@{domain}"
                name = NAMES[number % len(NAMES)]
                addresses.append(add_subscriber(session, address, language=language, name=name).email)
            planner.plan(session, row, cursor=3, domain=IDENTITY.domain, now=NOW)
    return addresses


def send(database: Database, host: str, port: int) -> SendResult:
    transport = SmtpPool([SmtpServer(host, port, "none")])
    return send_due(
        SendingContext(database, transport, IDENTITY, lambda: NOW, SendingLimits(connections=3)),
        None,
        repeat_uncertain=True,
    )


@pytest.mark.skipif(not IS_AT_HAND, reason="Postfix is not installed, or the tests do not run as root")
def test_a_strict_postfix_takes_every_mail_and_has_nothing_to_say(database: Database) -> None:
    addresses = planned(database)
    with postfix() as server:
        result = send(database, server.host, server.port)
        assert (result.stopped, result.states) == ("", {"sent": len(addresses)})
        assert sorted(server.wait_for(len(addresses))) == sorted(addresses)
        assert server.complaints() == []


class Keeper:
    """Keeps the recipients of what aiosmtpd takes."""

    def __init__(self) -> None:
        self.recipients: list[str] = []

    async def handle_DATA(self, _server: object, _session: object, envelope: object) -> str:  # noqa: N802
        self.recipients += envelope.rcpt_tos  # type: ignore[attr-defined]
        return "250 OK"


def test_aiosmtpd_takes_every_mail(database: Database) -> None:
    addresses = planned(database)
    keeper = Keeper()
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = int(found.getsockname()[1])
    controller = Controller(keeper, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        result = send(database, "127.0.0.1", port)
    finally:
        controller.stop()
    assert (result.stopped, result.states) == ("", {"sent": len(addresses)})
    assert sorted(keeper.recipients) == sorted(addresses)
