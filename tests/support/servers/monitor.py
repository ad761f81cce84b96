"""A monitor that watches for silence, like Healthchecks: it keeps what it is told."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread


class Monitor(HTTPServer):
    """A monitor that keeps what it is told: method, path and body."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.heard: list[tuple[str, str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Monitor

    def _keep(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.heard.append((self.command, self.path, body.decode()))
        self.send_response(self.server.status)
        self.end_headers()

    do_GET = do_POST = _keep  # noqa: N815  the names that http.server calls

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@contextmanager
def running_monitor() -> Iterator[Monitor]:
    """A monitor that answers while the context lasts."""
    with Monitor() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
