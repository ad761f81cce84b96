"""A mail server for benchmarks that accepts every mail and drops it, in plain text or over STARTTLS with a login."""

import asyncio
import ssl
import sys
from pathlib import Path
from typing import cast

import uvloop

_READ_BYTES = 262_144
_REPLIES = {
    b"MAIL": b"250 2.1.0 Ok\r\n",
    b"RCPT": b"250 2.1.5 Ok\r\n",
    b"RSET": b"250 2.0.0 Ok\r\n",
    b"AUTH": b"235 2.7.0 Welcome\r\n",
    b"QUIT": b"221 2.0.0 Bye\r\n",
}


class Session(asyncio.Protocol):
    """One connection. It offers PIPELINING, STARTTLS until that is used, and AUTH PLAIN afterwards."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        self._is_open = False
        self._buffer = bytearray()
        self._is_in_text = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet the client."""
        self._transport = cast("asyncio.Transport", transport)
        self._write(b"220 sink.example ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        """Answer each complete command, and each complete text."""
        self._buffer += self._decrypted(data) if self._tls else data
        answers = b""
        while (answer := self._next_answer()) is not None:
            answers += answer
        if answers:
            self._write(answers)

    def _next_answer(self) -> bytes | None:
        end = b"\r\n.\r\n" if self._is_in_text else b"\r\n"
        at = self._buffer.find(end)
        if at < 0:
            return None
        command = bytes(self._buffer[:4]).upper()
        del self._buffer[: at + len(end)]
        if self._is_in_text:
            self._is_in_text = False
            return b"250 2.0.0 Ok\r\n"
        return self._answer(command)

    def _answer(self, command: bytes) -> bytes:
        if command == b"EHLO":
            return b"250-sink.example\r\n250-PIPELINING\r\n" + (
                b"250 AUTH PLAIN\r\n" if self._tls else b"250 STARTTLS\r\n"
            )
        if command == b"DATA":
            self._is_in_text = True
            return b"354 Go on\r\n"
        if command == b"STAR":
            self._transport.write(b"220 2.0.0 Ready\r\n")
            self._tls = self._context.wrap_bio(self._incoming, self._outgoing, server_side=True)
            return b""
        return _REPLIES.get(command, b"250 2.0.0 Ok\r\n")

    def _decrypted(self, data: bytes) -> bytes:
        assert self._tls  # noqa: S101
        self._incoming.write(data)
        text = b""
        try:
            if not self._is_open:
                self._tls.do_handshake()
                self._is_open = True
            while piece := self._tls.read(_READ_BYTES):
                text += piece
        except ssl.SSLWantReadError:
            pass
        if self._outgoing.pending:
            self._transport.write(self._outgoing.read())
        return text

    def _write(self, answers: bytes) -> None:
        if self._tls and self._is_open:
            self._tls.write(answers)
            answers = self._outgoing.read()
        self._transport.write(answers)


async def serve(port: int, certificate: Path) -> None:
    """Serve until the process is terminated. The file holds a certificate and its key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = await asyncio.get_running_loop().create_server(lambda: Session(context), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
