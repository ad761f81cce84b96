"""Checks the mail servers: connection, TLS, login, and whether they accept the sender. No mail is sent."""

import asyncio
import ipaddress
import ssl
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from delivery.transport.smtp.connection import SmtpConnection, connect
from delivery.transport.smtp.replies import SmtpError
from delivery.transport.smtp.server import SmtpServer
from monitoring.findings import Finding, failed, ok, warning
from paperboy.doctor.checks import Check

TIMEOUT_SECONDS = 6  # for the whole conversation with one server
CERTIFICATE_WARNING_PERIOD = timedelta(days=14)
_REMEDIES = {  # by the phase of the SMTP conversation that failed
    "connect": "check that the server runs, its host name and port, and the firewall",
    "ehlo": "ask the administrator of the server",
    "tls": "correct the server's certificate, or name its authority with ca=FILE in PAPERBOY_SMTP_URL",
    "login": "correct the user name and password in PAPERBOY_SMTP_URL",
    "mail": "allow this login to send from the domain of PAPERBOY_SENDER on the server",
}


def checks(servers: Sequence[SmtpServer], envelope_from: str, now: datetime) -> Iterator[Check]:
    """One check for each server, which also tries `envelope_from` as the sender."""
    for server in servers:
        name = f"mail server {server.host}:{server.port}"
        yield Check(name, partial(_check, name, server, envelope_from, now))


def _check(name: str, server: SmtpServer, envelope_from: str, now: datetime) -> Iterator[Finding]:
    try:
        expiry = asyncio.run(_try_sender(server, envelope_from))
    except TimeoutError:
        yield failed(name, f"no answer within {TIMEOUT_SECONDS} seconds", _REMEDIES["connect"])
    except SmtpError as error:
        remedy = _REMEDIES.get(error.phase, _REMEDIES["ehlo"])
        yield failed(name, f"failed at {error.anonymous}", remedy)
    else:
        yield _server_finding(name, server, expiry, now)


async def _try_sender(server: SmtpServer, envelope_from: str) -> datetime | None:
    """Go as far as MAIL FROM and reset it. Returns when the certificate expires, or None without TLS."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        connection = await connect(server)
        try:
            # Some servers, such as Postfix, refuse a sender only together with a recipient. They pass here.
            await connection.try_sender(envelope_from)
            return _certificate_expiry(connection)
        finally:
            await connection.close()


def _certificate_expiry(connection: SmtpConnection) -> datetime | None:
    not_after = connection.certificate.get("notAfter")
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(not_after), UTC) if not_after else None


def _server_finding(name: str, server: SmtpServer, expiry: datetime | None, now: datetime) -> Finding:
    accepted = "login and sender accepted" if server.user else "sender accepted"
    if expiry is None:
        if _is_loopback(server.host):
            return ok(name, f"{accepted}; without TLS, which is fine on the same machine")
        remedy = "use starttls=required or smtps:// in PAPERBOY_SMTP_URL"
        return warning(name, f"{accepted}, but mails go there unencrypted", remedy)
    if expiry - now < CERTIFICATE_WARNING_PERIOD:
        problem = f"{accepted}, but the certificate expires on {expiry:%Y-%m-%d}"
        return warning(name, problem, "renew the server's certificate")
    return ok(name, f"{accepted}; TLS with a certificate valid until {expiry:%Y-%m-%d}")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
