"""The middleware that guards the pages: security headers, requests from other sites, and bodies that are too large."""

from collections.abc import MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paperboy.web.pages import message_page
from paperboy.web.private_paths import is_private

MAX_BODY_BYTES = 64 * 1024
_READING_METHODS = {"GET", "HEAD", "OPTIONS"}

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # other sites learn nothing, and our own forms say where they come from
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "interest-cohort=()",
}
_PRIVATE_HEADERS = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex, nofollow"}


class GuardMiddleware:
    """Adds the security headers to every response, and rejects requests that none of our pages sends."""

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app = app
        self._host = host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(message, scope["path"])
            await send(message)

        rejection = _redirection(scope) or self._rejection(scope)
        if rejection:
            await rejection(scope, receive, send_with_headers)
            return
        if scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}  # the server leaves out the body (RFC 9110, 9.3.2)
        await _BodyLimit(self._app)(scope, receive, send_with_headers)

    def _rejection(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if scope["method"] not in _READING_METHODS:
            if _content_length(headers) > MAX_BODY_BYTES:
                return _too_large(scope)
            if not scope["path"].startswith("/api/") and self._is_cross_site(headers):
                return PlainTextResponse("this form is not ours\n", status_code=403)
        return None

    def _is_cross_site(self, headers: Headers) -> bool:
        """Whether a browser says that another site's page sends the request. Servers send no such header.

        `Origin: null` comes from a page that hides where it comes from, which is none of ours.
        """
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site not in {"same-origin", "none"}
        origin = headers.get("origin")
        return origin is not None and _host_of(origin) not in {self._host, headers.get("host", "")}


def _redirection(scope: Scope) -> Response | None:
    """The way to a page whose path has slashes too many. It is relative, so it leads to no other site."""
    path = scope["path"]
    plain = "/" + path.strip("/")
    if plain == path or scope["method"] not in _READING_METHODS:
        return None
    query = scope["query_string"].decode("latin-1")
    return RedirectResponse(f"{plain}?{query}" if query else plain, status_code=308)


class _BodyLimit:
    """Ends a request whose body grows over the limit although its headers did not say so."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        received = 0
        is_refused = False

        async def receive_limited() -> MutableMapping[str, Any]:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return {"type": "http.disconnect"} if received > MAX_BODY_BYTES else message

        async def send_unless_refused(message: Message) -> None:
            nonlocal is_refused
            if received <= MAX_BODY_BYTES:
                await send(message)
            elif not is_refused:
                is_refused = True
                await _too_large(scope)(scope, receive, send)

        await self._app(scope, receive_limited, send_unless_refused)


def _too_large(scope: Scope) -> Response:
    if scope["path"].startswith("/api/"):
        return JSONResponse({"detail": "the body is over 64 KB"}, status_code=413)
    return message_page(Request(scope), "too_large", status=413)


def _add_headers(message: Message, path: str) -> None:
    headers = MutableHeaders(scope=message)
    extra = _HEADERS | (_PRIVATE_HEADERS if is_private(path) else {})
    for name, value in extra.items():
        headers.setdefault(name, value)


def _content_length(headers: Headers) -> int:
    text = headers.get("content-length")
    return int(text) if text and text.isdecimal() and len(text) < 12 else 0


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""
