"""What the test servers share: each one serves in its own thread while its context lasts."""

from socketserver import BaseServer
from threading import Thread
from types import TracebackType
from typing import Self


class Served:
    """A server that starts with its context and stops with it. A subclass sets `_server`."""

    _server: BaseServer

    def __enter__(self) -> Self:
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
