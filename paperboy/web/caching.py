"""The middleware that saves bytes: public pages are compressed, and a page that has not changed is not sent again."""

import gzip
import hashlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paperboy.web.private_paths import is_private

MIN_COMPRESSED_BYTES = 500
COMPRESSION_LEVEL = 6
COMPRESSIBLE = (
    "text/",
    "application/json",
    "application/atom+xml",
    "application/feed+json",
    "application/xml",
    "image/svg",
)


class CachingMiddleware:
    """Gives each public page an ETag (RFC 9110, 8.8.3) and compresses it if the client takes gzip.

    Pages with tokens are left alone: they are not stored anywhere, and compression could reveal what is in them.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        is_public = (
            scope["type"] == "http" and scope["method"] in {"GET", "HEAD"} and not is_private(scope["path"])
        )
        if not is_public:
            await self._app(scope, receive, send)
            return
        start: Message = {}
        body = bytearray()

        async def collect(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            body.extend(message.get("body", b""))
            if not message.get("more_body", False):
                await _send(Headers(scope=scope), start, bytes(body), send)

        await self._app(scope, receive, collect)


async def _send(request: Headers, start: Message, body: bytes, send: Send) -> None:
    headers = MutableHeaders(scope=start)
    if start["status"] == 200 and "no-store" not in headers.get("cache-control", ""):
        headers.setdefault("Cache-Control", "no-cache")  # may be kept, and is asked for again
        headers.add_vary_header("Accept-Encoding")
        headers.add_vary_header("Accept-Language")
        etag = f'W/"{hashlib.sha256(body).hexdigest()[:24]}"'
        headers["ETag"] = etag
        if etag in request.get("if-none-match", ""):
            start["status"], body = 304, b""
            del headers["content-length"]
        elif _is_worth_compressing(request, headers, body):
            body = gzip.compress(body, COMPRESSION_LEVEL, mtime=0)
            headers["Content-Encoding"] = "gzip"
            headers["Content-Length"] = str(len(body))
    await send(start)
    await send({"type": "http.response.body", "body": body})


def _is_worth_compressing(request: Headers, headers: Headers, body: bytes) -> bool:
    return (
        len(body) >= MIN_COMPRESSED_BYTES
        and headers.get("content-type", "").startswith(COMPRESSIBLE)
        and "gzip" in request.get("accept-encoding", "")
    )
