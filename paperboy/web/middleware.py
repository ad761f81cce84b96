"""What guards the pages: headers, requests from elsewhere, and bodies without end."""

from collections.abc import MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paperboy.web.pages import message

MAX_BODY = 64 * 1024
PRIVATE = ("/c/", "/m/", "/p/", "/u/", "/sent", "/operator")

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "interest-cohort=()",
}
_PRIVATE_HEADERS = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex, nofollow"}


class Guard:
    """Adds the headers to every answer, and refuses what no page of ours sends."""

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app = app
        self._host = host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(message, scope["path"])
            await send(message)

        refusal = self._refusal(scope)
        if refusal:
            await refusal(scope, receive, send_guarded)
            return
        if scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}  # the server sends no body (RFC 9110, 9.3.2)
        await _Bounded(self._app)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if scope["method"] not in {"GET", "HEAD", "OPTIONS"}:
            if int(_number(headers.get("content-length"))) > MAX_BODY:
                return _too_large(scope)
            if not scope["path"].startswith("/api/") and self._is_from_elsewhere(headers):
                return PlainTextResponse("this form is not ours\n", status_code=403)
        return None

    def _is_from_elsewhere(self, headers: Headers) -> bool:
        """Whether a browser says that another site's page sends this; servers say nothing.

        Our own pages send `Origin: null`, for they tell no referrer.
        """
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site not in {"same-origin", "none"}
        origin = headers.get("origin", "null")
        return origin != "null" and _host_in(origin) not in {self._host, headers.get("host", "")}


class _Bounded:
    """Ends a request whose body grows over MAX_BODY without having said so."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        taken = 0
        is_refused = False

        async def receive_bounded() -> MutableMapping[str, Any]:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            return {"type": "http.disconnect"} if taken > MAX_BODY else message

        async def send_unless_refused(message: Message) -> None:
            nonlocal is_refused
            if taken <= MAX_BODY:
                await send(message)
            elif not is_refused:
                is_refused = True
                await _too_large(scope)(scope, receive, send)

        await self._app(scope, receive_bounded, send_unless_refused)


def _too_large(scope: Scope) -> Response:
    if scope["path"].startswith("/api/"):
        return JSONResponse({"detail": "the body is over 64 KB"}, status_code=413)
    return message(Request(scope), "too_large", status=413)


def _add_headers(message: Message, path: str) -> None:
    headers = MutableHeaders(scope=message)
    extra = _HEADERS | (_PRIVATE_HEADERS if path.startswith(PRIVATE) else {})
    for name, value in extra.items():
        headers.setdefault(name, value)


def _number(text: str | None) -> str:
    return text if text and text.isdecimal() and len(text) < 12 else "0"


def _host_in(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""
