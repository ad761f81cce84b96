"""The running pages, with a clock that tests move forward and a mail server that receives what they send."""

import re
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, TypeVar

import httpx
from sqlalchemy import func, inspect, select, text
from sqlalchemy.orm import Session

from core.database import Database
from core.frequencies import Frequency
from core.settings import Settings
from delivery.context import SendingContext
from delivery.models import Delivery
from delivery.report import DigestReport
from emails.identity import LINK_PATHS
from emails.kinds import MailKind
from mailings.account_mails import plan_letter
from mailings.context import identity_from, open_sending_context, rules_from
from mailings.digest_run import run_digest, send_retries
from paperboy.web.app import create_app, served
from subscribers.accounts import find
from subscribers.models import SignupRequest, Subscriber
from subscribers.tokens import LinkPurpose, make_token
from tests.support.factories import add_subscriber
from tests.support.servers.smtp import ScriptedServer

KEY = "a key for tests only"
TIMEOUT_SECONDS = 20
UNLIMITED = "1000000 per hour"
CHOICE = {"language": "ko", "frequency": "weekly"}
LINK = re.compile(r"https?://[^\s<>\"')]+")

T = TypeVar("T")


@dataclass
class Clock:
    """The clock of the pages. Tests move it forward."""

    ahead: timedelta = field(default_factory=timedelta)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Site:
    """The running pages, their database, and the mail server that they use."""

    url: str
    settings: Settings
    database: Database
    clock: Clock
    server: ScriptedServer
    client: httpx.Client

    def sign_up(self, address: str, network: str = "198.51.100.7", **fields: str) -> httpx.Response:
        """Send the sign-up form, through a proxy that names the visitor's address."""
        form = {"email": address, **CHOICE, **fields}
        return self.client.post("/subscribe", data=form, headers={"X-Forwarded-For": network})

    def add(self, address: str, **fields: Any) -> str:
        """Add a confirmed subscriber. Returns the address."""
        with self.database.sessions.begin() as session:
            add_subscriber(session, address, now=self.clock(), **fields)
        return address

    def subscriber(self, address: str) -> Subscriber:
        """The subscriber with an address."""
        with self.database.sessions() as session:
            subscriber = find(session, address)
            assert subscriber is not None, "nobody has this address"
            return subscriber

    def events(self, address: str) -> list[dict[str, str]]:
        """The account events of an address, in order."""
        with self.database.sessions() as session:
            subscriber = find(session, address)
            assert subscriber is not None, "nobody has this address"
            return [{"what": event.what, **event.detail} for event in subscriber.events]

    def link(self, purpose: LinkPurpose, address: str, *, days_ago: int = 0) -> str:
        """The path of a link as it was in a mail that is `days_ago` days old."""
        day = self.clock().date() - timedelta(days=days_ago)
        subscriber = self.subscriber(address)
        about = subscriber.new_email if purpose == LinkPurpose.MOVE else ""
        token = make_token(KEY.encode(), purpose, subscriber.handle, day, about)
        return f"/{LINK_PATHS[purpose]}/{token}"

    def send_letter(self, kind: MailKind, address: str) -> None:
        """Plan a letter and send it."""
        with self.database.sessions.begin() as session:
            plan_letter(session, self.subscriber(address), kind, identity_from(self.settings), self.clock())
        self.send(lambda context: send_retries(context, rules=rules_from(self.settings)))

    def digest(self, frequency: Frequency = Frequency.WEEKLY) -> DigestReport:
        """Run the next digest of the frequency, as the schedule does."""
        return self.send(
            lambda context: run_digest(
                context,
                frequency,
                local_now=self.settings.local(self.clock()),
                rules=rules_from(self.settings),
            )
        )

    def send(self, work: Callable[[SendingContext], DigestReport]) -> DigestReport:
        """Call `work` with a sending context, in a thread, because a browser may run its event loop in this one."""
        with open_sending_context(self.settings, self.database) as context, ThreadPoolExecutor(1) as thread:
            return thread.submit(work, replace(context, clock=self.clock)).result()

    def mails(self, to: str = "") -> list[EmailMessage]:
        """The mails that the server has accepted so far: all of them, or those to an address."""
        return [
            message_from_bytes(message.data, policy=policy.default)
            for message in self.server.messages
            if not to or message.rcpt == [to]
        ]

    def mail(self, to: str, count: int = 1) -> EmailMessage:
        """The mail with this number to an address. Waits until it has arrived."""
        until(lambda: len(self.mails(to)) >= count, f"{count} mails to {to}")
        return self.mails(to)[count - 1]

    def wait_until_idle(self) -> None:
        """Wait until all sign-up requests are answered and all mails are sent."""
        until(lambda: not self._count_waiting(), "an empty outbox")

    def rows(self, *, without: tuple[str, ...] = ()) -> dict[str, list[Any]]:
        """All stored rows by table."""
        names = [name for name in inspect(self.database.engine).get_table_names() if name not in without]
        with self.database.engine.connect() as connection:
            return {
                name: sorted(map(repr, connection.execute(text(f"SELECT * FROM {name}"))))  # noqa: S608
                for name in names
            }

    def _count_waiting(self) -> int:
        with self.database.sessions() as session:
            requests = _count(session, SignupRequest.id)
            return requests + _count(session, Delivery.id, Delivery.due_at.is_not(None))


def _count(session: Session, column: Any, *conditions: Any) -> int:
    return session.scalar(select(func.count(column)).where(*conditions)) or 0


def until(condition: Callable[[], T], what: str) -> T:
    """Wait until the condition is true, and return its value."""
    end = time.monotonic() + TIMEOUT_SECONDS
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, f"timed out while waiting for {what}"
        time.sleep(0.02)


def path_in(mail: EmailMessage, page: str) -> str:
    """The path of the link to a page (`c`, `m`, `p` or `u`) in a mail."""
    return next(path for path in map(_path, links_of(mail)) if path.startswith(f"/{page}/"))


def links_of(mail: EmailMessage) -> list[str]:
    """Every URL in a mail: in both bodies and in the headers."""
    bodies = [str(part.get_content()) for part in mail.walk() if part.get_content_maintype() == "text"]
    headers = [str(value) for value in mail.values()]
    found = LINK.findall("\n".join(bodies + headers).replace("&amp;", "&"))
    return sorted(set(found))


def _path(url: str) -> str:
    return "/" + url.split("/", 3)[3] if url.count("/") > 2 else "/"


@contextmanager
def open_site(database: Database, folder: Path, **settings: Any) -> Iterator[Site]:
    """Serve the pages on a free port, with a mail server. Sign-ups are unlimited unless the settings say otherwise."""
    with socket.socket() as reserved, ScriptedServer() as server:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(
            ("127.0.0.1", 0)
        )  # no other program gets the port while it is bound, but the pages may listen on it
        port = reserved.getsockname()[1]
        configured = Settings(
            _env_file=None,  # type: ignore[call-arg]
            **{
                "database_url": database.engine.url.render_as_string(hide_password=False),
                "base_url": f"http://127.0.0.1:{port}",
                "smtp_url": f"smtp://{server.host}:{server.port}",
                "secret_key": KEY,
                "settle_minutes": 0,
                "data_dir": folder,
                "sign_ups_per_network": UNLIMITED,
                "sign_ups_per_domain": UNLIMITED,
                "sign_ups_in_all": UNLIMITED,
                **settings,
            },
        )
        clock = Clock()
        with (
            served(create_app(configured, clock), "127.0.0.1", port) as url,
            httpx.Client(base_url=url, timeout=TIMEOUT_SECONDS) as client,
        ):
            yield Site(url, configured, database, clock, server, client)
