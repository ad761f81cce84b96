"""Serves the sample forum over HTTP on loopback, with the responses that Discourse would give."""

import base64
import gzip
import hashlib
import re
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import unquote, urlsplit

from paperboy.demo.sample.topics import ForumState, Topic, feed_xml, published_topics, topic_json, topic_page

_FEED_PATH = "/c/news/14.rss"
_TOPIC_PATH = re.compile(r"/t/(?:(?P<slug>[^/]+)/)?(?P<id>\d+)(?P<json>\.json)?")
_ONE_PIXEL_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


class ForumPage(NamedTuple):
    """The body of a response and its content type."""

    body: bytes
    content_type: str


class Redirect(NamedTuple):
    """A redirect to the URL of a topic."""

    location: str


class Forum:
    """The sample forum. It runs in a thread while its `with` block lasts. `state` can change at any time."""

    def __init__(self, port: int = 0) -> None:
        """Listen on a port of 127.0.0.1; 0 means any free port."""
        self.state = ForumState()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), partial(_Handler, self))
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},  # seconds until a shutdown is noticed
            name="sample-forum",
            daemon=True,
        )

    def __enter__(self) -> Self:
        """Start to serve."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving and release the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def feed_url(self) -> str:
        """The URL of the RSS feed of the category with the weekly posts."""
        return self.origin + _FEED_PATH

    def topic_url(self, topic_id: int) -> str:
        """The URL of a topic's JSON."""
        return f"{self.origin}/t/{topic_id}.json"

    def find(self, path: str) -> ForumPage | Redirect | None:
        """What the forum serves at a path in its present state, or None for 404."""
        if path.startswith(("/images/", "/uploads/")):
            return ForumPage(_ONE_PIXEL_PNG, "image/png")
        topics = published_topics(self.state, self.origin)
        if path == _FEED_PATH:
            return ForumPage(feed_xml(topics, self.origin).encode(), "application/rss+xml; charset=utf-8")
        match = _TOPIC_PATH.fullmatch(path)
        if not match:
            return None
        topic = next((topic for topic in topics if topic.topic_id == int(match["id"])), None)
        return self._find_topic(topic, match) if topic else None

    def _find_topic(self, topic: Topic, match: re.Match[str]) -> ForumPage | Redirect:
        if match["json"]:
            return ForumPage(topic_json(topic).encode(), "application/json; charset=utf-8")
        if match["slug"] != topic.slug:  # Discourse finds a topic by its id and corrects the slug
            return Redirect(self.origin + topic.path)
        return ForumPage(topic_page(topic).encode(), "text/html; charset=utf-8")


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, forum: Forum, *connection: Any) -> None:
        self._forum = forum
        super().__init__(*connection)

    def do_GET(self) -> None:
        found = self._forum.find(unquote(urlsplit(self.path).path))
        if found is None:
            self._send(HTTPStatus.NOT_FOUND, b"not found\n", {"Content-Type": "text/plain"})
        elif isinstance(found, Redirect):
            self._send(HTTPStatus.MOVED_PERMANENTLY, b"", {"Location": found.location})
        else:
            self._send_page(found)

    def _send_page(self, page: ForumPage) -> None:
        # The ETag is a weak one: the compressed and the plain response have the same.
        etag = f'W/"{hashlib.sha256(page.body).hexdigest()[:32]}"'
        headers = {"ETag": etag, "Vary": "Accept-Encoding"}
        if etag in self.headers.get("If-None-Match", ""):
            self._send(HTTPStatus.NOT_MODIFIED, None, headers)
            return
        headers["Content-Type"] = page.content_type
        body = page.body
        if "gzip" in self.headers.get("Accept-Encoding", ""):
            # Without a time in the gzip header the same page has the same bytes.
            body, headers["Content-Encoding"] = gzip.compress(body, mtime=0), "gzip"
        self._send(HTTPStatus.OK, body, headers)

    def _send(self, status: HTTPStatus, body: bytes | None, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if body is not None:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_arguments: Any, **_named: Any) -> None:
        """Log nothing, as an access log would disturb the output of the demo and the tests."""
