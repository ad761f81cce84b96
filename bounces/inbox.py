"""Where returned mail is read from: an IMAP mailbox or a Maildir. Each mail is marked once it is dealt with."""

import imaplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

from bounces.mime_parser import MOST_BYTES

MOST_MAILS = 2_000  # of one reading; the rest waits for the next
_TIMEOUT = 60  # seconds for each answer of an IMAP server
_EXAMPLE = "imaps://user:pass@host/INBOX or maildir:///var/mail/paperboy"


class InboxError(Exception):
    """PAPERBOY_INBOX_URL cannot be used, or the inbox not be read; one line that says what is wrong."""


@dataclass(frozen=True)
class Mail:
    """A mail (its first MOST_BYTES), and what takes it out of the inbox."""

    raw: bytes
    done: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class ImapAddress:
    """A mailbox on an IMAP server; always over TLS, from the first byte or by STARTTLS."""

    host: str
    port: int
    is_tls: bool
    user: str
    password: str
    mailbox: str
    ca_file: str = ""

    def __repr__(self) -> str:
        return f"ImapAddress({self.host}:{self.port}/{self.mailbox})"  # no password in a log


def parse_inbox(url: str) -> ImapAddress | Path:
    """A mailbox from its URL: `imaps://user:pass@host[:993]/INBOX`, `imap://…?starttls=required` or
    `maildir:///folder`; `ca=FILE` trusts a private certificate authority.

    Raises:
        InboxError: the URL is not of this form.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InboxError(f"PAPERBOY_INBOX_URL is no address: write {_EXAMPLE}") from None
    if parts.scheme == "maildir" and parts.path and not parts.netloc:
        return Path(unquote(parts.path))
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    ca_file = options.pop("ca", "")
    if options.pop("starttls", "required") != "required":
        raise InboxError("PAPERBOY_INBOX_URL: a password needs starttls=required or imaps://")
    if parts.scheme not in {"imap", "imaps"} or not parts.hostname or not parts.username or options:
        raise InboxError(f"PAPERBOY_INBOX_URL must look like {_EXAMPLE}")
    if ca_file and not Path(ca_file).is_file():
        raise InboxError(f"PAPERBOY_INBOX_URL: there is no file {ca_file}")
    is_tls = parts.scheme == "imaps"
    mailbox = unquote(parts.path.strip("/")) or "INBOX"
    user, password = unquote(parts.username), unquote(parts.password or "")
    if not (user + password + mailbox).isascii() or any(sign in mailbox for sign in '"\\\r\n'):
        raise InboxError("PAPERBOY_INBOX_URL: name, password and mailbox can only hold plain letters")
    return ImapAddress(
        parts.hostname, port or (993 if is_tls else 143), is_tls, user, password, mailbox, ca_file
    )


def maildir_url(folder: Path) -> str:
    """The URL of a Maildir."""
    return f"maildir://{quote(str(folder.absolute()))}"


@contextmanager
def open_inbox(url: str) -> Iterator[Iterator[Mail]]:
    """The mails in an inbox that were not read yet, oldest first.

    Raises:
        InboxError: it cannot be opened or read.
    """
    place = parse_inbox(url)
    if isinstance(place, Path):
        yield _maildir_mails(place)
        return
    try:
        server = _connect(place)
        try:
            yield _imap_mails(server, place)
        finally:
            with suppress(imaplib.IMAP4.error, OSError):
                server.logout()
    except (imaplib.IMAP4.error, ssl.SSLError) as error:
        raise InboxError(f"{place.host} does not let its mail be read: {_line(error)}") from None
    except OSError as error:
        if error.filename:  # a file of ours, not the server's
            raise
        raise InboxError(f"{place.host} cannot be reached for returned mail: {_line(error)}") from None


def _maildir_mails(folder: Path) -> Iterator[Mail]:
    """The new mails of a Maildir; one that is dealt with moves from `new/` to `cur/`, as seen.

    Raises:
        InboxError: the folder is no Maildir.
    """
    if not (folder / "new").is_dir() or not (folder / "cur").is_dir():
        raise InboxError(f"{folder} is no Maildir: it needs the folders new and cur")
    for path in sorted((folder / "new").iterdir())[:MOST_MAILS]:
        try:
            raw = read_bounded(path)
        except FileNotFoundError:  # another reader of the Maildir was faster
            continue
        yield Mail(raw, lambda path=path: _mark_seen(path))  # type: ignore[misc]  # the default binds it


def read_bounded(path: Path) -> bytes:
    """The first MOST_BYTES of a file."""
    with path.open("rb") as file:
        return file.read(MOST_BYTES)


def _mark_seen(path: Path) -> None:
    with suppress(FileNotFoundError):
        path.rename(path.parent.parent / "cur" / f"{path.name}:2,S")


def _connect(place: ImapAddress) -> imaplib.IMAP4:
    context = ssl.create_default_context(cafile=place.ca_file or None)
    if place.is_tls:
        server: imaplib.IMAP4 = imaplib.IMAP4_SSL(
            place.host, place.port, ssl_context=context, timeout=_TIMEOUT
        )
    else:
        server = imaplib.IMAP4(place.host, place.port, timeout=_TIMEOUT)
        server.starttls(context)
    server.login(place.user, place.password)
    return server


def _imap_mails(server: imaplib.IMAP4, place: ImapAddress) -> Iterator[Mail]:
    _expect(server.select(f'"{place.mailbox}"'), f"there is no mailbox {place.mailbox}")
    found = _expect(server.uid("SEARCH", "UNSEEN"), "it does not search")
    for uid in (found[0] or b"").split()[:MOST_MAILS]:
        number = uid.decode("ascii", "replace")
        parts = _expect(server.uid("FETCH", number, f"(BODY.PEEK[]<0.{MOST_BYTES}>)"), "it gives no mail")
        raw = next((part[1] for part in parts if isinstance(part, tuple)), None)
        if raw is not None:  # a mail may have been deleted since
            yield Mail(raw, lambda number=number: _flag_seen(server, number))  # type: ignore[misc]  # likewise


def _flag_seen(server: imaplib.IMAP4, number: str) -> None:
    _expect(server.uid("STORE", number, "+FLAGS.SILENT", r"(\Seen)"), "it does not mark mails as seen")


def _expect(answer: tuple[str, list], reason: str) -> list:  # type: ignore[type-arg]  # imaplib's own
    kind, data = answer
    if kind != "OK":
        raise imaplib.IMAP4.error(reason)
    return data


def _line(error: Exception) -> str:
    """An error in one line; imaplib wraps what a server says in bytes."""
    first = error.args[0] if error.args and isinstance(error.args[0], bytes) else None
    text = first.decode("utf-8", "replace") if first else str(getattr(error, "strerror", "") or error)
    return " ".join(text.split())[:200] or type(error).__name__
