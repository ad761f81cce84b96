"""Serve the sample forum over HTTP on loopback, as Discourse would."""

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

from paperboy.demo.sample.topics import State, Topic, feed_xml, published_topics, topic_json, topic_page

_FEED_PATH = "/c/news/14.rss"
_TOPIC_PATH = re.compile(r"/t/(?:(?P<slug>[^/]+)/)?(?P<id>\d+)(?P<json>\.json)?")
_PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


class Page(NamedTuple):
    """The body of an answer and its type."""

    body: bytes
    content_type: str


class Moved(NamedTuple):
    """The address a topic is found at."""

    location: str


class Forum:
    """The forum in a thread of its own, from `with` until its end; change `state` at any time."""

    def __init__(self, port: int = 0) -> None:
        """Take the port; 0 takes a free one."""
        self.state = State()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), partial(_Handler, self))
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},
            name="sample-forum",
            daemon=True,
        )

    def __enter__(self) -> Self:
        """Start to answer."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop and give the port back."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def feed_url(self) -> str:
        """The feed of the category with the weekly posts."""
        return self.origin + _FEED_PATH

    def topic_url(self, topic_id: int) -> str:
        """The JSON of a topic."""
        return f"{self.origin}/t/{topic_id}.json"

    def find(self, path: str) -> Page | Moved | None:
        """What the forum has at a path in its present state."""
        if path.startswith(("/images/", "/uploads/")):
            return Page(_PICTURE, "image/png")
        topics = published_topics(self.state, self.origin)
        if path == _FEED_PATH:
            return Page(feed_xml(topics, self.origin).encode(), "application/rss+xml; charset=utf-8")
        asked = _TOPIC_PATH.fullmatch(path)
        if not asked:
            return None
        topic = next((topic for topic in topics if topic.topic_id == int(asked["id"])), None)
        return self._topic(topic, asked) if topic else None

    def _topic(self, topic: Topic, asked: re.Match[str]) -> Page | Moved:
        if asked["json"]:
            return Page(topic_json(topic).encode(), "application/json; charset=utf-8")
        if asked["slug"] != topic.slug:
            return Moved(self.origin + topic.path)
        return Page(topic_page(topic).encode(), "text/html; charset=utf-8")


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, forum: Forum, *connection: Any) -> None:
        self._forum = forum
        super().__init__(*connection)

    def do_GET(self) -> None:
        found = self._forum.find(unquote(urlsplit(self.path).path))
        if found is None:
            self._answer(HTTPStatus.NOT_FOUND, b"not found\n", {"Content-Type": "text/plain"})
        elif isinstance(found, Moved):
            self._answer(HTTPStatus.MOVED_PERMANENTLY, b"", {"Location": found.location})
        else:
            self._answer_page(found)

    def _answer_page(self, page: Page) -> None:
        etag = f'W/"{hashlib.sha256(page.body).hexdigest()[:32]}"'
        headers = {"ETag": etag, "Vary": "Accept-Encoding"}
        if etag in self.headers.get("If-None-Match", ""):
            self._answer(HTTPStatus.NOT_MODIFIED, None, headers)
            return
        headers["Content-Type"] = page.content_type
        body = page.body
        if "gzip" in self.headers.get("Accept-Encoding", ""):
            body, headers["Content-Encoding"] = gzip.compress(body, mtime=0), "gzip"
        self._answer(HTTPStatus.OK, body, headers)

    def _answer(self, status: HTTPStatus, body: bytes | None, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if body is not None:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_arguments: Any, **_named: Any) -> None:
        """Say nothing: the caller's output is not the place for an access log."""
