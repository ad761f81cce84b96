"""The mail servers: each connects, encrypts, lets us in and takes our sender; no mail is sent."""

import asyncio
import ipaddress
import ssl
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from delivery.transport.smtp.connection import Connection, SmtpAddress, connect
from delivery.transport.smtp.replies import Refusal
from paperboy.doctor.findings import Check, Finding, failed, ok, warning

PATIENCE = 6  # seconds with one server
EXPIRES_SOON = timedelta(days=14)
_REMEDIES = {
    "connect": "see that the server runs, and host, port and firewall",
    "ehlo": "ask whoever runs the server",
    "tls": "mend the server's certificate, or name its authority with ca=FILE in PAPERBOY_SMTP_URL",
    "login": "correct name and password in PAPERBOY_SMTP_URL",
    "mail": "let the server take PAPERBOY_SENDER's domain from this login",
}


def checks(servers: Sequence[SmtpAddress], envelope_from: str, now: datetime) -> Iterator[Check]:
    """A check for each server, with a sender's address to try."""
    for server in servers:
        name = f"mail server {server.host}:{server.port}"
        yield Check(name, partial(_check, name, server, envelope_from, now))


def _check(name: str, server: SmtpAddress, envelope_from: str, now: datetime) -> Iterator[Finding]:
    try:
        expires = asyncio.run(_talk(server, envelope_from))
    except TimeoutError:
        yield failed(name, f"no answer within {PATIENCE} seconds", _REMEDIES["connect"])
    except Refusal as refusal:
        yield failed(
            name, f"refused at {refusal.unaddressed}", _REMEDIES.get(refusal.phase, _REMEDIES["ehlo"])
        )
    else:
        yield _judge(name, server, expires, now)


async def _talk(server: SmtpAddress, envelope_from: str) -> datetime | None:
    """Go as far as MAIL FROM and take it back; when the certificate expires, if there is one."""
    async with asyncio.timeout(PATIENCE):
        connection = await connect(server)
        try:
            await connection.try_sender(envelope_from)
            return _expiry(connection)
        finally:
            await connection.close()


def _expiry(connection: Connection) -> datetime | None:
    until = connection.certificate.get("notAfter")
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(until), UTC) if until else None


def _judge(name: str, server: SmtpAddress, expires: datetime | None, now: datetime) -> Finding:
    who = "login and sender" if server.user else "sender"
    if expires is None:
        if _is_loopback(server.host):
            return ok(name, f"{who} accepted, on this machine without TLS")
        remedy = "use starttls=required or smtps:// in PAPERBOY_SMTP_URL"
        return warning(name, f"{who} accepted, but mails go there unencrypted", remedy)
    if expires - now < EXPIRES_SOON:
        said = f"{who} accepted, but the certificate expires on {expires:%Y-%m-%d}"
        return warning(name, said, "renew the server's certificate")
    return ok(name, f"{who} accepted, TLS with a certificate until {expires:%Y-%m-%d}")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
