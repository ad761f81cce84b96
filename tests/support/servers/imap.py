"""A small IMAP server (RFC 3501) on loopback for tests: one mailbox, login, search, fetch, flags, TLS."""

import re
import socketserver
import ssl

from tests.support.servers.threaded import Served

PASSWORD = "secret"
_LITERAL = re.compile(rb"BODY\.PEEK\[\]<0\.(\d+)>")


class ImapServer(Served):
    """Listens while its context lasts; `mails` are those in INBOX, `seen` the places of those flagged."""

    def __init__(self, mails: list[bytes], *, tls: ssl.SSLContext, implicit_tls: bool = True) -> None:
        self.mails, self.seen = mails, set[int]()
        self.tls, self.implicit_tls = tls, implicit_tls
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]

    def answer(self, command: bytes) -> tuple[bytes, bytes]:
        """What is said before the tagged answer, and the answer itself."""
        word = command.split(b" ")[0].upper()
        if word == b"UID":
            return self._by_uid(command)
        if word == b"CAPABILITY":
            return b"* CAPABILITY IMAP4rev1 STARTTLS\r\n", b"OK done"
        if word == b"LOGIN":
            return b"", b"OK in" if f'"{PASSWORD}"'.encode() in command else b"NO wrong name or password"
        if word == b"SELECT":
            known = command == b'SELECT "INBOX"'
            return b"* %d EXISTS\r\n" % len(self.mails), b"OK done" if known else b"NO no such mailbox"
        if word == b"LOGOUT":
            return b"* BYE\r\n", b"OK bye"
        return b"", b"BAD unknown"

    def _by_uid(self, command: bytes) -> tuple[bytes, bytes]:
        word, *rest = command.split(b" ")[1:]
        if word == b"SEARCH":
            unseen = [place for place in range(len(self.mails)) if place not in self.seen]
            return b"* SEARCH %s\r\n" % b" ".join(b"%d" % (place + 1) for place in unseen), b"OK done"
        place = int(rest[0]) - 1
        if word == b"FETCH" and (most := _LITERAL.search(command)):
            raw = self.mails[place][: int(most[1])]
            return b"* %d FETCH (UID %d BODY[]<0> {%d}\r\n%s)\r\n" % (
                place + 1,
                place + 1,
                len(raw),
                raw,
            ), b"OK done"
        if word == b"STORE" and rb"(\Seen)" in command:
            self.seen.add(place)
            return b"", b"OK done"
        return b"", b"BAD unknown"


def _handler_of(server: ImapServer) -> type[socketserver.BaseRequestHandler]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                self._converse()
            except (OSError, ssl.SSLError):  # the client has gone, or does not trust the certificate
                return

        def _converse(self) -> None:
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
                before, answer = server.answer(command)
                stream.write(before + tag + b" " + answer + b"\r\n")
                stream.flush()

    return Handler
