"""Uvicorn's HTTP protocol with a deadline for requests: a connection that asks for nothing is closed."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

# From the connection, or from the first byte of a further request, to the end of its headers.
MAX_REQUEST_SECONDS = 20


class BoundedHttpProtocol(H11Protocol):
    """HTTP/1.1 that closes a connection whose next request does not come whole within MAX_REQUEST_SECONDS.

    Uvicorn itself closes connections that are idle between two requests, but not those that never send one.
    """

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Wait for the first request."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take bytes of a request."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline."""
        self._forget_deadline()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Keep a deadline as long as no request is being answered."""
        if not self._is_waiting():
            self._forget_deadline()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(MAX_REQUEST_SECONDS, self._close_if_waiting)

    def _is_waiting(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _close_if_waiting(self) -> None:
        self._deadline = None
        if self._is_waiting() and self.transport is not None:
            self.transport.close()

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
