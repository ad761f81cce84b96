"""One connection to the scripted SMTP server: lines in both directions, with or without TLS."""

import base64
import contextlib
import socket
import ssl
import struct
from typing import BinaryIO


class ConnectionClosed(Exception):  # noqa: N818  it ends a session and is no error
    """The session is over."""


class Connection:
    """A client's connection. Every method that reads raises `ConnectionClosed` when the client has gone."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._stream: BinaryIO = connected.makefile("rb")
        self.is_encrypted = False

    def send(self, reply: str | bytes) -> None:
        """Send a reply. Bytes are sent as they are. If the client has gone, what it sent before is still read."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(reply if isinstance(reply, bytes) else reply.encode() + b"\r\n")

    def ask(self, question: str) -> str:
        """Send a challenge of AUTH, and return the answer."""
        self.send(f"334 {base64.b64encode(question.encode()).decode()}")
        return decoded(self.read_line())

    def read_line(self) -> str:
        """The next line, without its end."""
        return self.read_raw_line().decode("utf-8", "replace").rstrip("\r\n")

    def read_raw_line(self) -> bytes:
        """The next line as it is."""
        line = self._stream.readline()
        if not line.endswith(b"\n"):
            raise ConnectionClosed
        return line

    def read_text(self) -> bytes:
        """A whole message, without the dots that the transport adds."""
        lines = iter(self.read_raw_line, b".\r\n")
        return b"".join(line.removeprefix(b".") for line in lines)

    def encrypt(self, context: ssl.SSLContext | None) -> None:
        """Begin TLS."""
        assert context is not None, "give the server a TLS context"
        self._stream.close()
        self._socket = context.wrap_socket(self._socket, server_side=True)
        self._stream = self._socket.makefile("rb")
        self.is_encrypted = True

    def close_tls(self) -> None:
        """Send the end of TLS (close_notify), and wait for that of the client."""
        with contextlib.suppress(OSError):  # the client may have gone
            assert isinstance(self._socket, ssl.SSLSocket)
            self._socket.unwrap()

    def reset_on_close(self) -> None:
        """Let the connection end with RST instead of FIN."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def shut_down(self) -> None:
        """Wake a thread that waits for the client. That thread then closes the connection."""
        with contextlib.suppress(OSError):  # the client may have gone
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()
        self._socket.close()


def decoded(token: str) -> str:
    """The text of a base64 token."""
    return base64.b64decode(token).decode()
