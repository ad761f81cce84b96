"""A small IMAP server (RFC 3501) on loopback for tests: one mailbox, login, search, fetch, flags, TLS."""

import re
import socketserver
import ssl
from email import message_from_bytes

from tests.support.servers.threaded import Served

PASSWORD = "secret"
_PARTIAL_FETCH = re.compile(rb"BODY\.PEEK\[\]<0\.(\d+)>")


class ImapServer(Served):
    """Listens while its context lasts. `mails` are those in INBOX, `seen` the indexes of those that are flagged as seen."""

    def __init__(self, mails: list[bytes], *, tls: ssl.SSLContext, implicit_tls: bool = True) -> None:
        self.mails, self.seen = mails, set[int]()
        self.tls, self.implicit_tls = tls, implicit_tls
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]

    def answer(self, command: bytes) -> tuple[bytes, bytes]:
        """The untagged lines of the reply to a command, and its tagged status."""
        word = command.split(b" ")[0].upper()
        if word == b"UID":
            return self._by_uid(command)
        if word == b"CAPABILITY":
            return b"* CAPABILITY IMAP4rev1 STARTTLS\r\n", b"OK done"
        if word == b"LOGIN":
            return b"", b"OK in" if f'"{PASSWORD}"'.encode() in command else b"NO wrong name or password"
        if word in {b"SELECT", b"EXAMINE"}:
            is_inbox = command.split(b" ", 1)[1] == b'"INBOX"'
            return b"* %d EXISTS\r\n" % len(self.mails), b"OK done" if is_inbox else b"NO no such mailbox"
        if word == b"LOGOUT":
            return b"* BYE\r\n", b"OK bye"
        return b"", b"BAD unknown"

    def _by_uid(self, command: bytes) -> tuple[bytes, bytes]:
        word, *rest = command.split(b" ")[1:]
        if word == b"SEARCH":
            found = [index for index in range(len(self.mails)) if self._matches(index, rest)]
            return b"* SEARCH %s\r\n" % b" ".join(b"%d" % (index + 1) for index in found), b"OK done"
        index = int(rest[0]) - 1
        if word == b"FETCH" and (limit := _PARTIAL_FETCH.search(command)):
            raw = self.mails[index][: int(limit[1])]
            return b"* %d FETCH (UID %d BODY[]<0> {%d}\r\n%s)\r\n" % (
                index + 1,
                index + 1,
                len(raw),
                raw,
            ), b"OK done"
        if word == b"STORE" and rb"(\Seen)" in command:
            self.seen.add(index)
            return b"", b"OK done"
        return b"", b"BAD unknown"

    def _matches(self, index: int, criteria: list[bytes]) -> bool:
        """Whether a mail is one of `UNSEEN`, or has a field with a text, as `HEADER field text` asks."""
        if criteria == [b"UNSEEN"]:
            return index not in self.seen
        _, field, text = (part.strip(b'"').decode() for part in criteria)
        return any(text in value for value in message_from_bytes(self.mails[index]).get_all(field, []))


def _handler_of(server: ImapServer) -> type[socketserver.BaseRequestHandler]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                self._serve()
            except (OSError, ssl.SSLError):  # the client has gone, or it does not trust the certificate
                return

        def _serve(self) -> None:
            connection = (
                server.tls.wrap_socket(self.request, server_side=True)
                if server.implicit_tls
                else self.request
            )
            stream = connection.makefile("rwb")
            stream.write(b"* OK IMAP4rev1 here\r\n")
            stream.flush()
            while line := stream.readline():
                tag, _, command = line.rstrip(b"\r\n").partition(b" ")
                if command.upper() == b"STARTTLS":
                    stream.write(tag + b" OK go on\r\n")
                    stream.flush()
                    stream = server.tls.wrap_socket(connection, server_side=True).makefile("rwb")
                    continue
                untagged, status = server.answer(command)
                stream.write(untagged + tag + b" " + status + b"\r\n")
                stream.flush()

    return Handler
