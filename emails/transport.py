"""SMTP connections: kept open, secured, logged in; every refusal tells its phase (RFC 5321)."""

import smtplib
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from urllib.parse import parse_qs, unquote, urlsplit

from emails.message import Message
from emails.replies import Phase, Refusal

_TIMEOUTS: dict[Phase, int] = {
    "connect": 60,
    "tls": 60,
    "login": 60,
    "mail": 300,
    "rcpt": 300,
    "data": 120,
    "body": 600,
}
MESSAGES_PER_CONNECTION = 500


class AddressError(Exception):
    """PAPERBOY_SMTP_URL cannot be used; one line that says what is wrong."""


@dataclass(frozen=True)
class SmtpAddress:
    """Where and how to send: from `smtp://user:pass@host:587?starttls=required` or `smtps://…`."""

    host: str
    port: int
    security: Literal["none", "starttls", "if-offered", "tls"]
    user: str = ""
    password: str = ""
    ca_file: str = ""


def parse_address(url: str) -> SmtpAddress:
    """An SMTP address from its URL; a name and password never go over an open line.

    Raises:
        AddressError: the URL is not of the form above, or its `ca` names no file.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise AddressError(
            "PAPERBOY_SMTP_URL is no address: write smtp://user:pass@host:587?starttls=required"
        ) from None
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    starttls = options.pop("starttls", "required" if parts.username else "if-offered")
    ca_file = options.pop("ca", "")
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or options:
        raise AddressError(
            "PAPERBOY_SMTP_URL must look like smtp://user:pass@host:587?starttls=required or smtps://…"
        )
    if starttls not in {"required", "if-offered", "never"}:
        raise AddressError("PAPERBOY_SMTP_URL: starttls is required, if-offered or never")
    if parts.username and parts.scheme == "smtp" and starttls != "required":
        raise AddressError("PAPERBOY_SMTP_URL: a password needs starttls=required or smtps://")
    security: Literal["none", "starttls", "if-offered", "tls"] = "tls"
    if parts.scheme == "smtp":
        security = {"required": "starttls", "never": "none"}.get(starttls, "if-offered")  # type: ignore[assignment]
    port = port or (465 if parts.scheme == "smtps" else 587 if parts.username else 25)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not (user + password).isascii():
        raise AddressError("PAPERBOY_SMTP_URL: name and password can only hold ASCII (RFC 4954)")
    if ca_file and not Path(ca_file).is_file():
        raise AddressError(f"PAPERBOY_SMTP_URL: there is no file {ca_file}")
    return SmtpAddress(parts.hostname, port, security, user, password, ca_file)


class Transport:
    """One SMTP connection, opened at the first message and kept for the next ones."""

    def __init__(self, address: SmtpAddress) -> None:
        self._address = address
        self._connection: smtplib.SMTP | None = None
        self._sent = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, message: Message) -> str:
        """Hand a message over and return the server's reply to its final dot.

        Raises:
            Refusal: it was not taken, or nobody knows (phase `body`, code 0).
        """
        is_reused = self._connection is not None and self._sent < MESSAGES_PER_CONNECTION
        try:
            return self._send(message)
        except Refusal as refusal:
            # A server may end an idle or a long connection between two messages (RFC 5321, 3.8).
            if not (is_reused and refusal.phase == "mail" and refusal.code in {0, 421}):
                raise
        return self._send(message)

    def _send(self, message: Message) -> str:
        if self._connection is None or self._sent >= MESSAGES_PER_CONNECTION:
            self.close()
            self._connection = self._open()
        try:
            reply = _transfer(self._connection, message)
        except Refusal as refusal:
            if refusal.code in {0, 421}:
                self._drop()
            else:
                self._reset()
            raise
        self._sent += 1
        return reply

    def close(self) -> None:
        """Say goodbye, if there is anyone to say it to."""
        if self._connection:
            try:
                self._connection.quit()
            except (OSError, smtplib.SMTPException):
                self._connection.close()
        self._connection = None

    def _drop(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None

    def _reset(self) -> None:
        try:
            if self._connection:
                self._connection.rset()
        except (OSError, smtplib.SMTPException):
            self._drop()

    def _open(self) -> smtplib.SMTP:
        self._sent = 0
        address = self._address
        phase: Phase = "connect"
        connection: smtplib.SMTP | None = None
        try:
            context = ssl.create_default_context(cafile=address.ca_file or None)
            if address.security == "tls":
                connection = smtplib.SMTP_SSL(
                    address.host, address.port, timeout=_TIMEOUTS["connect"], context=context
                )
            else:
                connection = smtplib.SMTP(address.host, address.port, timeout=_TIMEOUTS["connect"])
            connection.ehlo_or_helo_if_needed()
            phase = "tls"
            self._secure(connection, context)
            phase = "login"
            if address.user:
                connection.login(address.user, address.password)
        except (OSError, ValueError, smtplib.SMTPException) as error:  # ValueError: no name of a host
            if connection:
                connection.close()
            raise _refusal(phase, error) from None
        return connection

    def _secure(self, connection: smtplib.SMTP, context: ssl.SSLContext) -> None:
        wanted = self._address.security
        if wanted == "starttls" or (wanted == "if-offered" and connection.has_extn("starttls")):
            connection.starttls(context=context)
            connection.ehlo()


def _transfer(connection: smtplib.SMTP, message: Message) -> str:
    """The dialogue of one message, phase by phase: smtplib's own tells no phase."""
    _say(connection, "mail", f"MAIL FROM:<{message.envelope_from}>", 250)
    _say(connection, "rcpt", f"RCPT TO:<{message.envelope_to}>", 250)
    _say(connection, "data", "DATA", 354)
    dotted = message.data.replace(b"\r\n.", b"\r\n..")
    dotted = b"." + dotted if dotted.startswith(b".") else dotted
    try:
        _wait(connection, "body")
        connection.send(dotted)
    except (OSError, smtplib.SMTPException) as error:
        # Without the final dot the message cannot have been taken (RFC 5321, 4.1.1.4).
        raise _refusal("data", error) from None
    try:
        connection.send(b".\r\n")
        code, reply = connection.getreply()
    except (OSError, smtplib.SMTPException) as error:
        raise _refusal("body", error) from None
    text = reply.decode("utf-8", "replace")
    if code != 250:
        raise Refusal("body", code, text)
    return f"{code} {text}"


def _say(connection: smtplib.SMTP, phase: Phase, line: str, expected: int) -> None:
    try:
        _wait(connection, phase)
        code, reply = connection.docmd(line)
    except (OSError, smtplib.SMTPException) as error:
        raise _refusal(phase, error) from None
    if code != expected and not (expected == 250 and code == 251):
        raise Refusal(phase, code, reply.decode("utf-8", "replace"))


def _wait(connection: smtplib.SMTP, phase: Phase) -> None:
    if isinstance(connection.sock, socket.socket):
        connection.sock.settimeout(_TIMEOUTS[phase])


def _refusal(phase: Phase, error: Exception) -> Refusal:
    if isinstance(error, smtplib.SMTPResponseException) and error.smtp_code > 0:
        text = error.smtp_error
        return Refusal(
            phase, error.smtp_code, text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
        )
    return Refusal(phase, 0, (str(error) or type(error).__name__).splitlines()[0])
