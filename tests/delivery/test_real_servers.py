"""Strict servers that others wrote accept every kind of mail without a complaint."""

import socket

import pytest
from aiosmtpd.controller import Controller

from core.database import Database
from core.languages import Language
from delivery.context import SendingContext, SendingLimits
from delivery.editions import edition_row
from delivery.sender import SendResult, send_due
from delivery.transport.pool import SmtpPool
from delivery.transport.smtp.server import SmtpServer
from tests.support.factories import IDENTITY, NOW, add_subscriber, edition_of, issue_of, rendered
from tests.support.outbox import plan_edition
from tests.support.servers.postfix import IS_AVAILABLE, postfix

NAMES = ("", "김민지", 'A "quoted" name', "😀" * 10)
SUBSCRIBERS = 20  # of each language


def planned(database: Database) -> list[str]:
    """Plan an edition in each language for subscribers with every kind of name. Returns their addresses."""
    addresses = []
    with database.sessions.begin() as session:
        for language in Language:
            edition = edition_of(issue_of(3), language=language)
            row = edition_row(edition.spec, rendered(edition).content, NOW, edition=edition)
            session.add(row)
            session.flush()
            for number in range(SUBSCRIBERS):
                domain = "예시.한국" if number % 5 == 0 else "example.com"
                address = f"minji+{language}{number}@{domain}"
                name = NAMES[number % len(NAMES)]
                addresses.append(add_subscriber(session, address, language=language, name=name).email)
            plan_edition(session, row)
    return addresses


def send(database: Database, host: str, port: int) -> SendResult:
    transport = SmtpPool([SmtpServer(host, port, "none")])
    return send_due(
        SendingContext(database, transport, IDENTITY, lambda: NOW, SendingLimits(connections=3)),
        None,
        repeat_uncertain=True,
    )


@pytest.mark.skipif(not IS_AVAILABLE, reason="Postfix is not installed, or the tests do not run as root")
def test_a_strict_postfix_accepts_every_mail_without_a_complaint(database: Database) -> None:
    addresses = planned(database)
    with postfix() as server:
        result = send(database, server.host, server.port)
        assert (result.stopped, result.states) == ("", {"sent": len(addresses)})
        assert sorted(server.wait_for(len(addresses))) == sorted(addresses)
        assert server.protocol_errors() == []


class RecordingHandler:
    """Records the recipients of the mails that aiosmtpd accepts."""

    def __init__(self) -> None:
        self.recipients: list[str] = []

    async def handle_DATA(self, _server: object, _session: object, envelope: object) -> str:  # noqa: N802
        self.recipients += envelope.rcpt_tos  # type: ignore[attr-defined]
        return "250 OK"


def test_aiosmtpd_accepts_every_mail(database: Database) -> None:
    addresses = planned(database)
    handler = RecordingHandler()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        result = send(database, "127.0.0.1", port)
    finally:
        controller.stop()
    assert (result.stopped, result.states) == ("", {"sent": len(addresses)})
    assert sorted(handler.recipients) == sorted(addresses)
