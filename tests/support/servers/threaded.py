"""What the test servers share: each serves in a thread of its own while its context lasts."""

from socketserver import BaseServer
from threading import Thread
from types import TracebackType
from typing import Self


class Served:
    """A server that begins with its context and ends with it; whoever inherits makes `_server`."""

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
