"""A local web page that shows a mailbox: the list of its mails, and each mail as HTML, text or source."""

import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, urlencode, urlsplit
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined

from delivery.transport import mailbox

MAILS_PER_PAGE = 50
SHOWN_HEADERS = (
    "From",
    "To",
    "Reply-To",
    "Date",
    "Message-ID",
    "List-ID",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
)
# A mail may only open its links in a new tab, as in any mail program. It cannot run scripts.
SANDBOX = "allow-popups allow-popups-to-escape-sandbox"
MAIL_POLICY = (
    f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox {SANDBOX}"
)
PAGE_POLICY = (
    "default-src 'none'; style-src 'nonce-{nonce}'; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_templates = Environment(
    loader=PackageLoader("paperboy.demo"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@contextmanager
def serve_mailbox(
    folder: Path, port: int, zone: ZoneInfo | None = None, shown_first: str = ""
) -> Iterator[str]:
    """Serve the page of a mailbox on 127.0.0.1 while the context lasts, and yield its URL.

    Port 0 means any free port. Times are in the `zone`, or in that of this machine. The page opens with the newest mail
    to the recipient `shown_first`, or with the newest of all.
    """
    with _Server(folder, port, zone, shown_first) as server:
        # The argument is the poll interval in seconds: how fast a shutdown is noticed.
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="mailbox page")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


@dataclass(frozen=True)
class _Query:
    """The parameters in the URL of the page: which mail to show, and how."""

    mail: str | None = None
    view: Literal["html", "text", "source"] = "html"
    width: Literal["phone", "desktop"] = "desktop"
    page: int = 1
    to: str = ""

    @classmethod
    def parse(cls, query: str) -> "_Query":
        """Parse a query string. A value that the page does not know becomes the default."""
        values = {name: found[0] for name, found in parse_qs(query).items()}
        view, page = values.get("view"), values.get("page", "")
        return cls(
            mail=values.get("mail"),
            view="text" if view == "text" else "source" if view == "source" else "html",
            width="phone" if values.get("width") == "phone" else "desktop",
            page=int(page) if re.fullmatch(r"[1-9][0-9]{0,6}", page) else 1,
            to=values.get("to", ""),
        )

    def link(self, **changes: str | int | None) -> str:
        """The URL of the page with these parameters, apart from `changes`."""
        values: dict[str, str | int | None] = {
            "mail": self.mail,
            "view": self.view,
            "width": self.width,
            "page": self.page,
            "to": self.to or None,
        }
        values |= changes
        return "/?" + urlencode({name: value for name, value in values.items() if value is not None})


class _Server(ThreadingHTTPServer):
    def __init__(self, folder: Path, port: int, zone: ZoneInfo | None, shown_first: str) -> None:
        self.folder, self.zone, self.shown_first = folder, zone, shown_first
        super().__init__(("127.0.0.1", port), _RequestHandler)


class _RequestHandler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "Paperboy"
    sys_version = ""

    def do_GET(self) -> None:
        # DNS rebinding: another site could point its host name at 127.0.0.1 and would then read the mails.
        if not _is_local(self.headers.get("Host", "")):
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            return
        url = urlsplit(self.path)
        query = _Query.parse(url.query)
        try:
            if url.path == "/":
                self._send_page(query)
            elif url.path == "/html" and query.mail is not None:
                self._send_mail(query.mail)
            else:
                self.send_error(HTTPStatus.NOT_FOUND)
        except KeyError:
            self.send_error(HTTPStatus.NOT_FOUND, "No such mail")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (http.server's name)
        """Log nothing, as the terminal shows the run of the demo."""

    def _send_page(self, query: _Query) -> None:
        nonce = secrets.token_urlsafe(16)
        self._send(_render_page(self.server, query, nonce), PAGE_POLICY.format(nonce=nonce))

    def _send_mail(self, key: str) -> None:
        html = _part(mailbox.read_one(self.server.folder, key).message, "html") or ""
        self._send(_fit_into_frame(html), MAIL_POLICY)

    def _send(self, html: str, policy: str) -> None:
        body = html.encode("utf-8", "replace")
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)


def _render_page(server: _Server, query: _Query, nonce: str) -> str:
    folder = server.folder
    recipients = mailbox.recipients(folder)
    newest_first = [key for key in reversed(recipients) if query.to in {"", recipients[key]}]
    start = (query.page - 1) * MAILS_PER_PAGE
    mails = [mailbox.read_one(folder, key) for key in newest_first[start : start + MAILS_PER_PAGE]]
    first = next((key for key in newest_first if recipients[key] == server.shown_first), "")
    opened = query.mail or (first if query == _Query() else "")
    # Without a mail in the query the newest mail of the page is shown.
    shown = mailbox.read_one(folder, opened) if opened else mails[0] if mails else None
    return _templates.get_template("mailbox.html").render(
        nonce=nonce,
        query=query,
        sandbox=SANDBOX,
        total=len(newest_first),
        has_older=start + MAILS_PER_PAGE < len(newest_first),
        rows=[_row(mail, server.zone) for mail in mails],
        readers=sorted(set(recipients.values())),
        shown=shown,
        headers=_headers(shown) if shown else [],
        has_html=shown is not None and _part(shown.message, "html") is not None,
        text=_text_of_view(folder, shown, query) if shown else None,
    )


def _row(mail: mailbox.StoredMail, zone: ZoneInfo | None) -> dict[str, str]:
    html = _part(mail.message, "html")
    # The size is that of the HTML part, because Gmail cuts it off at 102 KB.
    return {
        "key": mail.key,
        "to": mail.to,
        "subject": mail.subject,
        "iso_time": mail.date.isoformat(),
        "time": f"{mail.date.astimezone(zone):%d %b %H:%M}",
        "size": "no HTML" if html is None else f"{len(html.encode('utf-8', 'replace')) / 1024:.1f} KB",
    }


def _headers(mail: mailbox.StoredMail) -> list[tuple[str, str]]:
    present = [(name, str(mail.message[name])) for name in SHOWN_HEADERS if mail.message[name]]
    return [("Delivered to", mail.to), *present]


def _text_of_view(folder: Path, mail: mailbox.StoredMail, query: _Query) -> str | None:
    if query.view == "source":
        return mailbox.source(folder, mail.key).decode("utf-8", "replace")
    return _part(mail.message, "plain") if query.view == "text" else None


def _part(message: EmailMessage, kind: Literal["html", "plain"]) -> str | None:
    part = message.get_body((kind,))
    return None if part is None else str(part.get_content())


def _fit_into_frame(html: str) -> str:
    # The page's policy allows nothing but mails in the frame, so links have to open in a new tab.
    # A scroll bar would take its width from the 375 or 700 pixels that the mail is shown in.
    additions = '<base target="_blank"><style>html{scrollbar-width:none}</style>'
    return re.sub(r"<head\b[^>]*>", rf"\g<0>{additions}", html, count=1, flags=re.IGNORECASE)


def _is_local(host: str) -> bool:
    return re.fullmatch(r"(127\.0\.0\.1|localhost)(:\d+)?", host, re.ASCII | re.IGNORECASE) is not None
