"""Reads new bounce mails from an IMAP mailbox or a Maildir. A mail stays new until the caller marks it as read."""

import imaplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from email.parser import BytesHeaderParser
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

from bounces.mime_parser import MAX_MAIL_BYTES
from core.errors import PaperboyError

MAX_MAILS_PER_READING = 2_000  # the rest waits for the next reading
IMAP_TIMEOUT_SECONDS = 60  # for each response of the server
IMAPS_PORT, IMAP_PORT = 993, 143
_EXAMPLE = "imaps://user:pass@host/INBOX or maildir:///var/mail/paperboy"


class InboxError(PaperboyError):
    """PAPERBOY_INBOX_URL cannot be used, or the inbox cannot be read. The message is one line without the password."""


@dataclass(frozen=True)
class InboxMail:
    """A new mail: its first MAX_MAIL_BYTES, and the function that marks it as read in its inbox."""

    raw: bytes
    mark_as_read: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class ImapAddress:
    """A mailbox on an IMAP server.

    The connection is always encrypted: with implicit TLS (RFC 8314), or else with STARTTLS.
    """

    host: str
    port: int
    has_implicit_tls: bool
    user: str
    password: str
    mailbox: str
    ca_file: str = ""

    def __repr__(self) -> str:
        return f"ImapAddress({self.host}:{self.port}/{self.mailbox})"  # keeps the password out of logs


def parse_inbox_url(url: str) -> ImapAddress | Path:
    """Parse the URL of an inbox into an IMAP address, or the folder of a Maildir.

    The forms are `imaps://user:pass@host[:993]/INBOX`, `imap://…?starttls=required` and `maildir:///folder`.
    The option `ca=FILE` trusts a private certificate authority.

    Raises:
        InboxError: the URL has another form.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InboxError(f"PAPERBOY_INBOX_URL is not a URL: write {_EXAMPLE}") from None
    if parts.scheme == "maildir" and parts.path and not parts.netloc:
        return Path(unquote(parts.path))
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    ca_file = options.pop("ca", "")
    if options.pop("starttls", "required") != "required":
        raise InboxError("PAPERBOY_INBOX_URL must be encrypted: use imaps:// or starttls=required")
    if parts.scheme not in {"imap", "imaps"} or not parts.hostname or not parts.username or options:
        raise InboxError(f"PAPERBOY_INBOX_URL must look like {_EXAMPLE}")
    if ca_file and not Path(ca_file).is_file():
        raise InboxError(f"PAPERBOY_INBOX_URL names the CA file {ca_file}, which does not exist")
    has_implicit_tls = parts.scheme == "imaps"
    mailbox = unquote(parts.path.strip("/")) or "INBOX"
    user, password = unquote(parts.username), unquote(parts.password or "")
    # imaplib sends these as they are: other characters would need an encoding, or end the command early.
    if not (user + password + mailbox).isascii() or any(char in mailbox for char in '"\\\r\n'):
        raise InboxError(
            "PAPERBOY_INBOX_URL may only have ASCII letters, digits and signs in user, password and mailbox"
        )
    port = port or (IMAPS_PORT if has_implicit_tls else IMAP_PORT)
    return ImapAddress(parts.hostname, port, has_implicit_tls, user, password, mailbox, ca_file)


def maildir_url(folder: Path) -> str:
    """The inbox URL of a Maildir."""
    return f"maildir://{quote(str(folder.absolute()))}"


@contextmanager
def open_inbox(url: str) -> Iterator[Iterator[InboxMail]]:
    """Open an inbox and yield its new mails, oldest first and at most MAX_MAILS_PER_READING.

    Raises:
        InboxError: the inbox cannot be opened or read.
    """
    address = parse_inbox_url(url)
    if isinstance(address, Path):
        yield _maildir_mails(address)
        return
    with _imap_session(address) as server:
        yield _imap_mails(server, address)


def find_mail(url: str, field: str, value: str, since: datetime) -> bytes | None:
    """A mail of an inbox, new or read, that came since a time and whose header has a field with a value.

    Nothing is marked as read.

    Raises:
        InboxError: the inbox cannot be opened or read.
    """
    address = parse_inbox_url(url)
    if isinstance(address, Path):
        return _find_in_maildir(address, field, value, since)
    with _imap_session(address) as server:
        _expect_ok(
            server.select(f'"{address.mailbox}"', readonly=True), f"there is no mailbox {address.mailbox}"
        )
        found = _expect_ok(
            server.uid("SEARCH", "HEADER", field, value), "the server refuses to search for a mail"
        )
        numbers = (found[0] or b"").split()
        return _fetch(server, numbers[-1].decode("ascii", "replace")) if numbers else None


@contextmanager
def _imap_session(address: ImapAddress) -> Iterator[imaplib.IMAP4]:
    """A connection with a login, whose errors are one line each."""
    try:
        server = _connect(address)
        try:
            yield server
        finally:
            with suppress(imaplib.IMAP4.error, OSError):
                server.logout()
    except (imaplib.IMAP4.error, ssl.SSLError) as error:
        reason = _error_text(error)
        raise InboxError(f"the mails on {address.host} cannot be read: {reason}") from None
    except OSError as error:
        if error.filename:  # an error of a local file, not of the server
            raise
        reason = _error_text(error)
        raise InboxError(f"the inbox on {address.host} cannot be reached: {reason}") from None


def read_mail_file(path: Path) -> bytes:
    """The first MAX_MAIL_BYTES of a file."""
    with path.open("rb") as file:
        return file.read(MAX_MAIL_BYTES)


def _maildir_mails(folder: Path) -> Iterator[InboxMail]:
    """The new mails of a Maildir. Marking one as read moves it from `new/` to `cur/` with the flag S (seen)."""
    _check_maildir(folder)
    for path in sorted((folder / "new").iterdir())[:MAX_MAILS_PER_READING]:
        try:
            raw = read_mail_file(path)
        except FileNotFoundError:  # another program has read this mail in the meantime
            continue
        yield InboxMail(raw, lambda path=path: _move_to_cur(path))  # type: ignore[misc]  # the default binds path


def _check_maildir(folder: Path) -> None:
    if not (folder / "new").is_dir() or not (folder / "cur").is_dir():
        raise InboxError(f"{folder} is not a Maildir: it has no folders new and cur")


def _find_in_maildir(folder: Path, field: str, value: str, since: datetime) -> bytes | None:
    _check_maildir(folder)
    for path in [*(folder / "new").iterdir(), *(folder / "cur").iterdir()]:
        with suppress(FileNotFoundError):  # another program has moved this mail in the meantime
            if path.stat().st_mtime >= since.timestamp():
                raw = read_mail_file(path)
                if value in BytesHeaderParser().parsebytes(raw).get_all(field, []):
                    return raw
    return None


def _move_to_cur(path: Path) -> None:
    with suppress(FileNotFoundError):
        path.rename(path.parent.parent / "cur" / f"{path.name}:2,S")


def _connect(address: ImapAddress) -> imaplib.IMAP4:
    context = ssl.create_default_context(cafile=address.ca_file or None)
    if address.has_implicit_tls:
        server: imaplib.IMAP4 = imaplib.IMAP4_SSL(
            address.host, address.port, ssl_context=context, timeout=IMAP_TIMEOUT_SECONDS
        )
    else:
        server = imaplib.IMAP4(address.host, address.port, timeout=IMAP_TIMEOUT_SECONDS)
        server.starttls(context)
    server.login(address.user, address.password)
    return server


def _imap_mails(server: imaplib.IMAP4, address: ImapAddress) -> Iterator[InboxMail]:
    """The unseen mails of an IMAP mailbox. Marking one as read sets its flag `\\Seen`."""
    _expect_ok(server.select(f'"{address.mailbox}"'), f"there is no mailbox {address.mailbox}")
    found = _expect_ok(server.uid("SEARCH", "UNSEEN"), "the server refuses to search for unseen mails")
    for uid in (found[0] or b"").split()[:MAX_MAILS_PER_READING]:
        number = uid.decode("ascii", "replace")
        raw = _fetch(server, number)
        if raw is not None:  # None means that the mail was deleted after the search
            yield InboxMail(raw, lambda number=number: _flag_seen(server, number))  # type: ignore[misc]  # as above


def _fetch(server: imaplib.IMAP4, number: str) -> bytes | None:
    """The first MAX_MAIL_BYTES of a mail, or None if it is not there any more."""
    # BODY.PEEK leaves the mail unseen, so that a crash before its commit does not lose it.
    response = server.uid("FETCH", number, f"(BODY.PEEK[]<0.{MAX_MAIL_BYTES}>)")
    parts = _expect_ok(response, "the server refuses to send a mail")
    return next((part[1] for part in parts if isinstance(part, tuple)), None)


def _flag_seen(server: imaplib.IMAP4, number: str) -> None:
    response = server.uid("STORE", number, "+FLAGS.SILENT", r"(\Seen)")
    _expect_ok(response, "the server refuses to mark mails as seen")


def _expect_ok(response: tuple[str, list], reason: str) -> list:  # type: ignore[type-arg]  # imaplib's own type
    status, data = response
    if status != "OK":
        raise imaplib.IMAP4.error(reason)
    return data


def _error_text(error: Exception) -> str:
    """The message of an error in one line. imaplib passes on what a server said as bytes."""
    first = error.args[0] if error.args and isinstance(error.args[0], bytes) else None
    text = first.decode("utf-8", "replace") if first else str(getattr(error, "strerror", "") or error)
    return " ".join(text.split())[:200] or type(error).__name__
