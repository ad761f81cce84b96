"""A local web page that shows a mailbox: the list of mails, and each as HTML, text or source."""

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

from jinja2 import Environment, PackageLoader, StrictUndefined

from delivery.transport import mailbox

MAILS_PER_PAGE = 50
HEADERS_OF_INTEREST = (
    "From",
    "To",
    "Reply-To",
    "Date",
    "Message-ID",
    "List-ID",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
)
# A mail may open its links in a new tab, as in any mail reader; it may do nothing else.
SANDBOX = "allow-popups allow-popups-to-escape-sandbox"
MAIL_POLICY = (
    f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox {SANDBOX}"
)
PAGE_POLICY = (
    "default-src 'none'; style-src 'nonce-{nonce}'; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_templates = Environment(
    loader=PackageLoader("paperboy"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@contextmanager
def serve_mailbox(folder: Path, port: int) -> Iterator[str]:
    """Show the mailbox in `folder` on 127.0.0.1 while the context lasts (port 0: any); yields the URL."""
    with _Server(folder, port) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="mailbox page")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


@dataclass(frozen=True)
class _Choice:
    """What the address of the page asks for."""

    mail: str | None = None
    view: Literal["html", "text", "source"] = "html"
    width: Literal["phone", "desktop"] = "desktop"
    page: int = 1

    @classmethod
    def of(cls, query: str) -> "_Choice":
        """Anything the page does not know falls back to what it shows first."""
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        view, page = asked.get("view"), asked.get("page", "")
        return cls(
            mail=asked.get("mail"),
            view="text" if view == "text" else "source" if view == "source" else "html",
            width="phone" if asked.get("width") == "phone" else "desktop",
            page=int(page) if re.fullmatch(r"[1-9][0-9]{0,6}", page) else 1,
        )

    def link(self, **changes: str | int | None) -> str:
        """The address of the page that differs from this one in `changes`."""
        wanted = {"mail": self.mail, "view": self.view, "width": self.width, "page": self.page} | changes
        return "/?" + urlencode({name: value for name, value in wanted.items() if value is not None})


class _Server(ThreadingHTTPServer):
    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        super().__init__(("127.0.0.1", port), _Page)


class _Page(BaseHTTPRequestHandler):
    server: _Server
    server_version = "Paperboy"
    sys_version = ""

    def do_GET(self) -> None:
        # A foreign page can point its own host name at 127.0.0.1 and would then read the mails.
        if not _is_local(self.headers.get("Host", "")):
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            return
        address = urlsplit(self.path)
        choice = _Choice.of(address.query)
        try:
            if address.path == "/":
                self._send_page(choice)
            elif address.path == "/html" and choice.mail is not None:
                self._send_mail(choice.mail)
            else:
                self.send_error(HTTPStatus.NOT_FOUND)
        except KeyError:
            self.send_error(HTTPStatus.NOT_FOUND, "No such mail")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (http.server's name)
        """Requests are not worth a line in the terminal that shows the run."""

    def _send_page(self, choice: _Choice) -> None:
        nonce = secrets.token_urlsafe(16)
        self._send(_render_page(self.server.folder, choice, nonce), PAGE_POLICY.format(nonce=nonce))

    def _send_mail(self, key: str) -> None:
        html = _part(mailbox.read_one(self.server.folder, key).message, "html") or ""
        self._send(_fitted_to_frame(html), MAIL_POLICY)

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


def _render_page(folder: Path, choice: _Choice, nonce: str) -> str:
    newest_first = mailbox.keys(folder)[::-1]
    start = (choice.page - 1) * MAILS_PER_PAGE
    mails = [mailbox.read_one(folder, key) for key in newest_first[start : start + MAILS_PER_PAGE]]
    shown = mailbox.read_one(folder, choice.mail) if choice.mail else mails[0] if mails else None
    return _templates.get_template("mailbox.html").render(
        nonce=nonce,
        choice=choice,
        sandbox=SANDBOX,
        total=len(newest_first),
        has_older=start + MAILS_PER_PAGE < len(newest_first),
        rows=[_row(mail) for mail in mails],
        shown=shown,
        headers=_headers(shown) if shown else [],
        has_html=shown is not None and _part(shown.message, "html") is not None,
        text=_text_of_view(folder, shown, choice) if shown else None,
    )


def _row(mail: mailbox.StoredMail) -> dict[str, str]:
    html = _part(mail.message, "html")
    return {
        "key": mail.key,
        "to": mail.to,
        "subject": mail.subject,
        "iso_time": mail.date.isoformat(),
        "time": f"{mail.date.astimezone():%d %b %H:%M}",
        "size": "no HTML" if html is None else f"{len(html.encode('utf-8', 'replace')) / 1024:.1f} KB",
    }


def _headers(mail: mailbox.StoredMail) -> list[tuple[str, str]]:
    present = [(name, str(mail.message[name])) for name in HEADERS_OF_INTEREST if mail.message[name]]
    return [("Delivered to", mail.to), *present]


def _text_of_view(folder: Path, mail: mailbox.StoredMail, choice: _Choice) -> str | None:
    if choice.view == "source":
        return mailbox.source(folder, mail.key).decode("utf-8", "replace")
    return _part(mail.message, "plain") if choice.view == "text" else None


def _part(message: EmailMessage, kind: Literal["html", "plain"]) -> str | None:
    part = message.get_body((kind,))
    return None if part is None else str(part.get_content())


def _fitted_to_frame(html: str) -> str:
    # Inside the frame a link would lead nowhere: the page's policy lets it show nothing but mails.
    # A scroll bar would take its width from the 375 or 700 points that the reader wants to see.
    fit = '<base target="_blank"><style>html{scrollbar-width:none}</style>'
    return re.sub(r"<head\b[^>]*>", rf"\g<0>{fit}", html, count=1, flags=re.IGNORECASE)


def _is_local(host: str) -> bool:
    return re.fullmatch(r"(127\.0\.0\.1|localhost)(:\d+)?", host, re.ASCII | re.IGNORECASE) is not None
