"""TLS (RFC 8446) as a transformation of bytes, so that the protocol knows how much of a text has left.

The event loop's own TLS takes a whole text at once, and does not tell when it has been sent.
"""

import ssl
from collections.abc import Mapping
from typing import Any

CLOSED = "the server closed the connection"
_READ_BYTES = 65_536


class TlsSession:
    """The encryption of one connection to a server with a host name."""

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._session = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self.is_open = False  # the handshake is complete
        self.fault: OSError | None = None  # why nothing more can be received

    @property
    def certificate(self) -> Mapping[str, Any]:
        """The server's certificate as `SSLSocket.getpeercert` returns it."""
        return self._session.getpeercert() or {}

    def decrypt(self, data: bytes) -> bytes:
        """What the received bytes say; nothing before the handshake is complete."""
        self._incoming.write(data)
        text = b""
        try:
            if not self.is_open:
                self._session.do_handshake()
                self.is_open = True
            while piece := self._session.read(_READ_BYTES):
                text += piece
            self.fault = ConnectionError(CLOSED)  # by close_notify
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:  # close_notify during the handshake
            self.fault = ConnectionError(CLOSED)
        except ssl.SSLError as error:
            self.fault = error
        return text

    def encrypt(self, text: bytes) -> bytes:
        """A text as it is sent.

        Raises:
            ssl.SSLError: the encryption has failed.
        """
        self._session.write(text)
        return self.pending()

    def pending(self) -> bytes:
        """What has to be sent besides texts: parts of the handshake, and alerts."""
        return self._outgoing.read()
