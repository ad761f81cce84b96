"""The embedded mailbox: a transport for trials, which delivers over real SMTP into a Maildir on disk."""

import asyncio
import itertools
import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern_policy
from pathlib import Path
from typing import TYPE_CHECKING

from delivery.transport.base import Transport
from delivery.transport.pool import SmtpPool
from delivery.transport.smtp.server import SmtpServer

if TYPE_CHECKING:
    from aiosmtpd.smtp import SMTP, Envelope, Session

MAX_MESSAGE_BYTES = 20 * 1024 * 1024
# What the mailbox answers for addresses of these domains, so that failures can be looked at without a real server.
REFUSALS = {"refused.example": "550 5.2.1 Mailbox is off", "later.example": "451 4.2.0 Try again later"}
MAX_TRACE_BYTES = 1_000  # of the lines that the mailbox writes above a mail

_sequence = itertools.count()


@dataclass(frozen=True)
class StoredMail:
    """A mail as the mailbox keeps it. `to` is the envelope's recipient, `size` that of the message as it was sent."""

    key: str
    to: str
    from_: str
    subject: str
    date: datetime
    size: int
    message: EmailMessage


# --- reading ------------------------------------------------------------------------


def read(folder: Path) -> list[StoredMail]:
    """All mails of the mailbox, the newest last."""
    return [_stored_mail(key, path) for key, path in sorted(_paths(folder).items())]


def keys(folder: Path) -> list[str]:
    """The keys of all mails, the newest last, without opening any."""
    return sorted(_paths(folder))


def read_one(folder: Path, key: str) -> StoredMail:
    """The mail with a key.

    Raises:
        KeyError: the mailbox has none.
    """
    return _stored_mail(key, _paths(folder)[key])


def _stored_mail(key: str, path: Path) -> StoredMail:
    content = path.read_bytes()
    message = message_from_bytes(content, policy=modern_policy)
    return StoredMail(
        key=key,
        to=_recipient_of(content),
        from_=str(message["From"] or ""),
        subject=str(message["Subject"] or ""),
        date=_date_of(message, path),
        size=len(_without_trace_lines(content)),
        message=message,
    )


def recipients(folder: Path) -> dict[str, str]:
    """The recipient of each mail by its key, the newest last, without reading whole mails."""
    found = {}
    for key, path in sorted(_paths(folder).items()):
        with path.open("rb") as file:
            found[key] = _recipient_of(file.read(MAX_TRACE_BYTES))
    return found


def delete_mails_to(folder: Path, address: str) -> None:
    """Delete the mails to an address, for somebody who is forgotten."""
    for path in _paths(folder).values():
        if _recipient_of(path.read_bytes()).lower() == address.lower():
            path.unlink(missing_ok=True)


def source(folder: Path, key: str) -> bytes:
    """The message exactly as it was sent, without the two lines that the mailbox wrote above it."""
    return _without_trace_lines(_paths(folder)[key].read_bytes())


def _without_trace_lines(content: bytes) -> bytes:
    return content.split(b"\r\n", 2)[2]


def _recipient_of(content: bytes) -> str:
    # From the bytes: the parser takes a header for ASCII, and would lose an international address.
    return content.split(b"\r\n", 2)[1].removeprefix(b"Delivered-To: ").decode("utf-8", "replace")


def _paths(folder: Path) -> dict[str, Path]:
    # A mail program moves what it has shown to cur/, and appends flags after a colon.
    return {
        path.name.partition(":")[0]: path for part in ("new", "cur") for path in (folder / part).glob("*")
    }


def _date_of(message: EmailMessage, path: Path) -> datetime:
    header = message["Date"]
    sent: datetime | None = header.datetime if header is not None else None
    if sent is None:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return sent if sent.tzinfo else sent.replace(tzinfo=UTC)


# --- receiving ----------------------------------------------------------------------


@contextmanager
def embedded_mailbox(folder: Path) -> Iterator[Transport]:
    """A transport that stores mails in `folder`, while the context lasts."""
    with mailbox_server(folder) as port:
        yield SmtpPool([SmtpServer("127.0.0.1", port, "none")])


@contextmanager
def mailbox_server(folder: Path) -> Iterator[int]:
    """Accept mails into `folder` over SMTP on loopback, while the context lasts. Yields the port."""
    for part in ("tmp", "new", "cur"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    # The socket listens before the thread starts, so that the port works from its first moment.
    listener = socket.create_server(("127.0.0.1", 0))
    port: int = listener.getsockname()[1]
    end: Future[None] = Future()
    server = threading.Thread(
        target=lambda: asyncio.run(_accept_mail(folder, listener, end)), name="mailbox", daemon=True
    )
    server.start()
    try:
        yield port
    finally:
        end.set_result(None)
        server.join()


class _Handler:
    """What aiosmtpd calls when a mail has arrived."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def handle_RCPT(  # noqa: N802  aiosmtpd's name
        self, _server: "SMTP", _session: "Session", envelope: "Envelope", address: str, options: list[str]
    ) -> str:
        if refusal := REFUSALS.get(address.rpartition("@")[2].lower()):
            return refusal
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: "SMTP", _session: "Session", envelope: "Envelope") -> str:  # noqa: N802  aiosmtpd's name
        content = envelope.original_content or b""
        try:
            for recipient in envelope.rcpt_tos:
                trace = _trace_lines(envelope.mail_from or "", recipient)
                await asyncio.to_thread(_store, self._folder, trace + content)
        except OSError as error:
            return f"451 4.3.0 Not stored: {error.strerror}"
        return "250 2.0.0 Stored"


async def _accept_mail(folder: Path, listener: socket.socket, end: Future[None]) -> None:
    from aiosmtpd.smtp import SMTP  # noqa: PLC0415  only trials need the mailbox's server

    loop = asyncio.get_running_loop()
    sessions: list[SMTP] = []

    def open_session() -> SMTP:
        session = SMTP(
            _Handler(folder),
            data_size_limit=MAX_MESSAGE_BYTES,
            enable_SMTPUTF8=True,
            decode_data=False,
            hostname="mailbox.localhost",
            ident="Paperboy mailbox",
            loop=loop,
        )
        sessions[:] = [known for known in sessions if known.transport is not None]
        sessions.append(session)
        return session

    server = await loop.create_server(open_session, sock=listener)
    await asyncio.wrap_future(end)
    server.close()
    for session in sessions:
        if session.transport is not None:
            session.transport.close()


def _trace_lines(sender: str, recipient: str) -> bytes:
    # A quoted local part may contain a bare CR, which must not begin a header of its own.
    sender, recipient = (" ".join(address.split()) for address in (sender, recipient))
    lines = f"Return-Path: <{sender}>\r\nDelivered-To: {recipient}\r\n"
    return lines.encode("utf-8", "surrogateescape")


def _store(folder: Path, content: bytes) -> None:
    # mailbox.Maildir.add rewrites line ends on some systems, makes keys that do not sort by time, and does not sync
    # the folder.
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    key = f"{seconds}.M{nanoseconds // 1000:06}P{os.getpid()}Q{next(_sequence):06}.localhost"
    temporary = folder / "tmp" / key
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(folder / "new" / key)
    _sync_folder(folder / "new")


def _sync_folder(folder: Path) -> None:
    # A rename survives a power cut only when the folder itself has been written to disk.
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
