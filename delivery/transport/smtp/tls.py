"""TLS (RFC 8446) on bytes that a channel carries, so that the channel knows what of a text has left.

The event loop's own TLS takes a whole text at once, and does not tell when it has gone.
"""

import ssl
from collections.abc import Mapping
from typing import Any

CLOSED = "the server closed the connection"


class Tls:
    """The encryption of one connection, with a server of the host's name."""

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._come, self._going = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._session = context.wrap_bio(self._come, self._going, server_hostname=host)
        self.is_open = False  # the handshake is over
        self.fault: OSError | None = None  # why nothing more will come

    @property
    def certificate(self) -> Mapping[str, Any]:
        """The server's certificate as `SSLSocket.getpeercert` gives it."""
        return self._session.getpeercert() or {}

    def take_in(self, sealed: bytes) -> bytes:
        """Take in what has come, and give what it says; nothing before the handshake is over."""
        self._come.write(sealed)
        said = b""
        try:
            if not self.is_open:
                self._session.do_handshake()
                self.is_open = True
            while piece := self._session.read(65_536):
                said += piece
            self.fault = ConnectionError(CLOSED)  # by close_notify
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:  # the same, in the handshake
            self.fault = ConnectionError(CLOSED)
        except ssl.SSLError as error:
            self.fault = error
        return said

    def seal(self, text: bytes) -> bytes:
        """A text as it goes out.

        Raises:
            ssl.SSLError: the encryption has failed.
        """
        self._session.write(text)
        return self.going()

    def going(self) -> bytes:
        """What has to go out besides: parts of the handshake, and alerts."""
        return self._going.read()
