"""TLS (RFC 8446) on bytes that a channel carries, so that the channel knows what of a text has left.

The event loop's own TLS takes a whole text at once, and does not tell when it has gone.
"""

import ssl
from collections.abc import Mapping
from typing import Any


class Tls:
    """The encryption of one connection, with a server of the host's name."""

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._come, self._going = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._session = context.wrap_bio(self._come, self._going, server_hostname=host)
        self.is_open = False  # the handshake is over
        self.is_over = False  # the server says nothing more

    @property
    def certificate(self) -> Mapping[str, Any]:
        """The server's certificate as `SSLSocket.getpeercert` gives it."""
        return self._session.getpeercert() or {}

    def take_in(self, sealed: bytes) -> bytes:
        """Take in what has come, and give what it says; nothing before the handshake is over.

        Raises:
            ssl.SSLError: it is no TLS, or the server cannot be trusted.
        """
        self._come.write(sealed)
        said = b""
        try:
            if not self.is_open:
                self._session.do_handshake()
                self.is_open = True
            while True:
                said += self._session.read(65_536)
        except ssl.SSLWantReadError:
            return said
        except ssl.SSLZeroReturnError:
            self.is_over = True
            return said

    def seal(self, text: bytes) -> bytes:
        """A text as it goes out.

        Raises:
            ssl.SSLError: the encryption has failed before.
        """
        self._session.write(text)
        return self.going()

    def going(self) -> bytes:
        """What has to go out besides: parts of the handshake, and alerts."""
        return self._going.read()
