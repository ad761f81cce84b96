"""A server on the loopback interface that answers for the sample forum, with a fault if a test sets one."""

import gzip
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event
from types import TracebackType
from typing import Any

from paperboy.demo.sample.forum import Forum, ForumPage
from tests.support.servers.threaded import Served

MEGABYTE = 1024 * 1024
# After this time a slow server ends its answer well. A client that waited for so long has no time limit.
SLOW_SECONDS, PAUSE_SECONDS = 20, 0.02
FEED_HEAD = b'<?xml version="1.0"?>\n<rss version="2.0"><channel><title>x</title><item><description>'
FEED_TAIL = b"</description></item></channel></rss>"
CHALLENGE = (
    b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body><p>Wait.</p></body></html>"
)
ENTITIES = (
    b'<?xml version="1.0"?>\n<!DOCTYPE rss [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><rss version="2.0"><channel><title>&c;</title></channel></rss>'
)


class FaultyServer(Served):
    """Serves the pages of the forum while its context lasts.

    `fault` names what is wrong with them (one of FAULTS). `location` is where the fault `redirect` leads; when it is
    empty, the page redirects to itself. `asked` holds the headers of all requests so far, with names in lower case.
    """

    def __init__(self, forum: Forum) -> None:
        """Bind a free port."""
        self.forum = forum
        self.fault = ""
        self.location = ""
        self.asked: list[dict[str, str]] = []
        self.stopped = Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.origin = f"http://127.0.0.1:{self.port}"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, even in the middle of a slow answer."""
        self.stopped.set()
        super().__exit__(kind, error, trace)

    @property
    def feed_url(self) -> str:
        """The URL of the feed on this server."""
        return self.forum.feed_url.replace(self.forum.origin, self.origin)


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, server: FaultyServer, *connection: Any) -> None:
        self.owner = server
        super().__init__(*connection)

    def do_GET(self) -> None:
        self.owner.asked.append({name.lower(): value for name, value in self.headers.items()})
        found = self.owner.forum.find(self.path)
        body = found.body if isinstance(found, ForumPage) else b""
        try:
            FAULTS[self.owner.fault](self, body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def answer(self, status: int, body: bytes, length: int | None = None, **headers: str) -> None:
        """Send an answer. `length` may differ from the real length; None leaves the header out."""
        self.send_response(status)
        for name, value in ({"Content-Type": "application/rss+xml; charset=utf-8"} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any, **_named: Any) -> None:
        """Log nothing."""


def _good(handler: _Handler, body: bytes) -> None:
    handler.answer(200, body, len(body))


def _error(handler: _Handler, _body: bytes) -> None:
    handler.answer(500, b"<h1>Oops</h1>", 13, Content_Type="text/html")


def _too_many(handler: _Handler, _body: bytes) -> None:
    handler.answer(429, b"", 0, Retry_After="17")


def _truncated(handler: _Handler, body: bytes) -> None:
    handler.answer(200, body[: len(body) // 2], len(body))


def _truncated_gzip(handler: _Handler, body: bytes) -> None:
    compressed = gzip.compress(body)
    handler.answer(200, compressed[: len(compressed) // 2], None, Content_Encoding="gzip")


def _broken_gzip(handler: _Handler, body: bytes) -> None:
    handler.answer(200, body, len(body), Content_Encoding="gzip")


def _cut(handler: _Handler, body: bytes) -> None:
    handler.answer(200, body[: len(body) // 2], len(body) // 2)


def _cut_file(handler: _Handler, body: bytes) -> None:
    handler.answer(200, body[: len(body) // 2], len(body) // 2, Content_Type="application/octet-stream")


def _html(handler: _Handler, _body: bytes) -> None:
    handler.answer(200, CHALLENGE, len(CHALLENGE), Content_Type="text/html; charset=utf-8")


def _redirect(handler: _Handler, _body: bytes) -> None:
    handler.answer(302, b"", 0, Location=handler.owner.location or handler.path)


def _huge(handler: _Handler, _body: bytes) -> None:
    handler.answer(200, FEED_HEAD)
    for _ in range(24):
        handler.wfile.write(b"a" * MEGABYTE)
    handler.wfile.write(FEED_TAIL)


def _bomb(handler: _Handler, _body: bytes) -> None:
    handler.answer(
        200, gzip.compress(FEED_HEAD + b" " * 24 * MEGABYTE + FEED_TAIL, 1), Content_Encoding="gzip"
    )


def _entities(handler: _Handler, _body: bytes) -> None:
    handler.answer(200, ENTITIES, len(ENTITIES))


def _drop(handler: _Handler, _body: bytes) -> None:
    handler.close_connection = True
    handler.connection.close()


def _pauses(handler: _Handler) -> Iterator[int]:
    """Pause again and again, until a slow server has taken its time or is stopped."""
    for number in range(round(SLOW_SECONDS / PAUSE_SECONDS)):
        if handler.owner.stopped.wait(PAUSE_SECONDS):
            return
        yield number


def _slow(handler: _Handler, body: bytes) -> None:
    """Send one byte at a time. Each comes soon after the last, so no wait for one is long."""
    handler.answer(200, b"", len(body))
    sent = 0
    for sent in _pauses(handler):
        handler.wfile.write(body[sent : sent + 1])
    handler.wfile.write(body[sent + 1 :])


def _header_drip(handler: _Handler, body: bytes) -> None:
    """Send a header one byte at a time."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    for _ in _pauses(handler):
        handler.wfile.write(b"a")
    handler.wfile.write(b"\r\nContent-Type: application/rss+xml\r\nContent-Length: %d\r\n\r\n" % len(body))
    handler.wfile.write(body)


def _early_hints(handler: _Handler, body: bytes) -> None:
    """Promise an answer again and again (RFC 8297)."""
    for _ in _pauses(handler):
        handler.wfile.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
    _good(handler, body)


def _early_hints_flood(handler: _Handler, body: bytes) -> None:
    for _ in _pauses(handler):
        handler.wfile.write(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000)
    _good(handler, body)


def _silent(handler: _Handler, body: bytes) -> None:
    handler.owner.stopped.wait(SLOW_SECONDS)
    _good(handler, body)


def _slow_redirect(handler: _Handler, body: bytes) -> None:
    handler.owner.stopped.wait(0.2)
    _redirect(handler, body)


def _missing(handler: _Handler, _body: bytes) -> None:
    handler.answer(404, b"", 0)


def _gone(handler: _Handler, _body: bytes) -> None:
    handler.answer(410, b"", 0)


def _encoding(handler: _Handler, body: bytes) -> None:
    handler.answer(200, body, len(body), Content_Encoding="br")


FAULTS: dict[str, Callable[[_Handler, bytes], None]] = {
    "": _good,
    "500": _error,
    "429": _too_many,
    "truncated": _truncated,
    "truncated gzip": _truncated_gzip,
    "broken gzip": _broken_gzip,
    "cut": _cut,
    "cut file": _cut_file,
    "html": _html,
    "redirect": _redirect,
    "huge": _huge,
    "bomb": _bomb,
    "entities": _entities,
    "drop": _drop,
    "slow": _slow,
    "header drip": _header_drip,
    "early hints": _early_hints,
    "early hints flood": _early_hints_flood,
    "silent": _silent,
    "slow redirect": _slow_redirect,
    "404": _missing,
    "410": _gone,
    "encoding": _encoding,
}
