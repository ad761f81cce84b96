"""The embedded mailbox: a real SMTP server on loopback that keeps every mail in a Maildir on disk."""

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

from aiosmtpd.smtp import SMTP, Envelope, Session

MAX_MESSAGE_BYTES = 20 * 1024 * 1024

_sequence = itertools.count()


@dataclass(frozen=True)
class StoredMail:
    """One mail as it lies in the mailbox; `to` is the envelope's reader and `size` that of the mail sent."""

    key: str
    to: str
    from_: str
    subject: str
    date: datetime
    size: int
    message: EmailMessage


@contextmanager
def embedded_mailbox(folder: Path) -> Iterator[str]:
    """Accept mail into `folder` while the context lasts; yields the URL to send to."""
    for part in ("tmp", "new", "cur"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    # Bound and listening before the thread starts, so the URL works from its first moment.
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    end: Future[None] = Future()
    server = threading.Thread(
        target=lambda: asyncio.run(_accept_mail(folder, listener, end)), name="mailbox", daemon=True
    )
    server.start()
    try:
        yield f"smtp://127.0.0.1:{port}"
    finally:
        end.set_result(None)
        server.join()


def read(folder: Path) -> list[StoredMail]:
    """All mails of the mailbox, the newest last."""
    return [read_one(folder, key) for key in keys(folder)]


def keys(folder: Path) -> list[str]:
    """The keys of all mails, the newest last, without opening any."""
    return sorted(_paths(folder))


def read_one(folder: Path, key: str) -> StoredMail:
    """The mail with this key; KeyError when the mailbox has none."""
    path = _paths(folder)[key]
    content = path.read_bytes()
    message = message_from_bytes(content, policy=modern_policy)
    return StoredMail(
        key=key,
        to=_reader_of(content),
        from_=str(message["From"] or ""),
        subject=str(message["Subject"] or ""),
        date=_date_of(message, path),
        size=len(_without_trace_lines(content)),
        message=message,
    )


def source(folder: Path, key: str) -> bytes:
    """The mail exactly as it was sent, without the two lines the mailbox wrote above it."""
    return _without_trace_lines(_paths(folder)[key].read_bytes())


class _Delivery:
    """What aiosmtpd calls when a mail has arrived."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 (aiosmtpd's name)
        content = envelope.original_content or b""
        try:
            for reader in envelope.rcpt_tos:
                trace = _trace_lines(envelope.mail_from or "", reader)
                await asyncio.to_thread(_store, self._folder, trace + content)
        except OSError as error:
            return f"451 4.3.0 Not stored: {error.strerror}"
        return "250 2.0.0 Stored"


async def _accept_mail(folder: Path, listener: socket.socket, end: Future[None]) -> None:
    loop = asyncio.get_running_loop()
    sessions: list[SMTP] = []

    def open_session() -> SMTP:
        session = SMTP(
            _Delivery(folder),
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


def _trace_lines(sender: str, reader: str) -> bytes:
    # A quoted local part may hold a bare CR, which must not begin a header of its own.
    sender, reader = (" ".join(address.split()) for address in (sender, reader))
    lines = f"Return-Path: <{sender}>\r\nDelivered-To: {reader}\r\n"
    return lines.encode("utf-8", "surrogateescape")


def _without_trace_lines(content: bytes) -> bytes:
    return content.split(b"\r\n", 2)[2]


def _reader_of(content: bytes) -> str:
    # From the bytes, as the parser takes a header for ASCII and would lose an international address.
    return content.split(b"\r\n", 2)[1].removeprefix(b"Delivered-To: ").decode("utf-8", "replace")


def _store(folder: Path, content: bytes) -> None:
    # Not mailbox.Maildir.add: it rewrites line ends on some systems, its keys do not sort by time, and it
    # leaves the folder's own entry unsynced.
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    key = f"{seconds}.M{nanoseconds // 1000:06}P{os.getpid()}Q{next(_sequence):06}.localhost"
    temporary = folder / "tmp" / key
    with temporary.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(folder / "new" / key)
    _sync_folder(folder / "new")


def _sync_folder(folder: Path) -> None:
    # The rename survives a power cut only once the folder itself is on disk.
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _paths(folder: Path) -> dict[str, Path]:
    # A mail reader moves what it has shown to cur/ and adds its flags after a colon.
    return {
        path.name.partition(":")[0]: path for part in ("new", "cur") for path in (folder / part).glob("*")
    }


def _date_of(message: EmailMessage, path: Path) -> datetime:
    header = message["Date"]
    sent: datetime | None = header.datetime if header is not None else None
    if sent is None:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return sent if sent.tzinfo else sent.replace(tzinfo=UTC)
