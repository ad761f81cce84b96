"""The pages as readers and machines meet them: the app as it runs, its clock, and the mails that it sends."""

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
from core.settings import Settings
from delivery.models import Delivery
from delivery.report import DigestReport
from delivery.sender import SendingContext
from emails.message import LINK_PATHS
from mailings.account_mails import write
from mailings.context import identity_from, open_sending_context, rules_from
from mailings.digest_run import retry, run_digest
from paperboy.web.app import create_app, served
from subscribers.accounts import find
from subscribers.models import SignupRequest, Subscriber
from subscribers.tokens import make_token
from tests.support.factories import reader
from tests.support.servers.smtp import ScriptedServer

KEY = "a key for tests only"
PATIENCE = 20  # seconds; a condition that holds later than this never does
ENOUGH = "1000000 per hour"
CHOICE = {"language": "ko", "frequency": "weekly"}
LINK = re.compile(r"https?://[^\s<>\"')]+")

T = TypeVar("T")


@dataclass
class Clock:
    """The app's clock, which tests set on."""

    ahead: timedelta = field(default_factory=timedelta)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Site:
    """The app while it runs, and what tests look at."""

    url: str
    settings: Settings
    database: Database
    clock: Clock
    server: ScriptedServer
    client: httpx.Client

    def sign_up(self, address: str, network: str = "198.51.100.7", **fields: str) -> httpx.Response:
        """Send the form as a reader does, through a proxy that names their network."""
        form = {"email": address, **CHOICE, **fields}
        return self.client.post("/subscribe", data=form, headers={"X-Forwarded-For": network})

    def add(self, address: str, **facts: Any) -> str:
        """A confirmed reader; returns the address."""
        with self.database.sessions.begin() as session:
            reader(session, address, now=self.clock(), **facts)
        return address

    def known(self, address: str) -> Subscriber:
        """The row of an address."""
        with self.database.sessions() as session:
            found = find(session, address)
            assert found is not None, "nobody has this address"
            return found

    def events(self, address: str) -> list[dict[str, str]]:
        """What happened to the subscription of an address, in order."""
        with self.database.sessions() as session:
            found = find(session, address)
            assert found is not None, "nobody has this address"
            return [{"what": event.what, **event.detail} for event in found.events]

    def link(self, purpose: str, address: str, *, days_ago: int = 0) -> str:
        """The path of a link as a mail of some days ago brought it."""
        day = self.clock().date() - timedelta(days=days_ago)
        known = self.known(address)
        about = known.new_email if purpose == "move" else ""
        return f"/{LINK_PATHS[purpose]}/{make_token(KEY.encode(), purpose, known.handle, day, about)}"

    def write(self, kind: str, address: str) -> None:
        """Have a letter written and sent."""
        with self.database.sessions.begin() as session:
            write(session, self.known(address), kind, identity_from(self.settings), self.clock())
        self.send(lambda context: retry(context, rules=rules_from(self.settings)))

    def digest(self, frequency: str = "weekly") -> DigestReport:
        """The frequency's next digest, as the schedule runs it."""
        return self.send(
            lambda context: run_digest(
                context,
                frequency,
                local_now=self.settings.local(self.clock()),
                rules=rules_from(self.settings),
            )
        )

    def send(self, work: Callable[[SendingContext], DigestReport]) -> DigestReport:
        """Work with an open office; in a thread, as a browser's loop may be running in this one."""
        with open_sending_context(self.settings, self.database) as context, ThreadPoolExecutor(1) as thread:
            return thread.submit(work, replace(context, clock=self.clock)).result()

    def mails(self, to: str = "") -> list[EmailMessage]:
        """The mails that the server took so far: all, or those to an address."""
        return [
            message_from_bytes(message.data, policy=policy.default)
            for message in self.server.messages
            if not to or message.rcpt == [to]
        ]

    def mail(self, to: str, count: int = 1) -> EmailMessage:
        """The mail with this number to an address, once it is there."""
        until(lambda: len(self.mails(to)) >= count, f"{count} mails to {to}")
        return self.mails(to)[count - 1]

    def settle(self) -> None:
        """Wait until all sign-ups are answered and all mails have gone out."""
        until(lambda: not self._open_work(), "an empty outbox")

    def rows(self, *, but: tuple[str, ...] = ()) -> dict[str, list[Any]]:
        """All that is stored, by table."""
        names = [name for name in inspect(self.database.engine).get_table_names() if name not in but]
        with self.database.engine.connect() as connection:
            return {
                name: sorted(map(repr, connection.execute(text(f"SELECT * FROM {name}"))))  # noqa: S608
                for name in names
            }

    def _open_work(self) -> int:
        with self.database.sessions() as session:
            applications = _count(session, SignupRequest.id)
            return applications + _count(session, Delivery.id, Delivery.due_at.is_not(None))


def _count(session: Session, column: Any, *conditions: Any) -> int:
    return session.scalar(select(func.count(column)).where(*conditions)) or 0


def until(condition: Callable[[], T], what: str) -> T:
    """The condition's value, as soon as it is true."""
    end = time.monotonic() + PATIENCE
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.02)


def path_in(mail: EmailMessage, page: str) -> str:
    """The path of the link to a page (`c`, `m`, `p`, `u`) in a mail."""
    return next(path for path in map(_path, links_of(mail)) if path.startswith(f"/{page}/"))


def links_of(mail: EmailMessage) -> list[str]:
    """Every address in a mail: in both bodies and in the headers."""
    bodies = [str(part.get_content()) for part in mail.walk() if part.get_content_maintype() == "text"]
    headers = [str(value) for value in mail.values()]
    found = LINK.findall("\n".join(bodies + headers).replace("&amp;", "&"))
    return sorted(set(found))


def _path(address: str) -> str:
    return "/" + address.split("/", 3)[3] if address.count("/") > 2 else "/"


@contextmanager
def open_site(database: Database, folder: Path, **settings: Any) -> Iterator[Site]:
    """The app at work with a mail server, on a free port; limits are out of the way unless they are set."""
    with socket.socket() as kept, ScriptedServer() as server:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", 0))  # nobody else gets the port while it is bound; the app may listen on it
        port = kept.getsockname()[1]
        made = Settings(
            _env_file=None,  # type: ignore[call-arg]
            **{
                "database_url": database.engine.url.render_as_string(hide_password=False),
                "base_url": f"http://127.0.0.1:{port}",
                "smtp_url": f"smtp://{server.host}:{server.port}",
                "secret_key": KEY,
                "settle_minutes": 0,
                "data_dir": folder,
                "sign_ups_per_network": ENOUGH,
                "sign_ups_per_domain": ENOUGH,
                "sign_ups_in_all": ENOUGH,
                **settings,
            },
        )
        clock = Clock()
        with (
            served(create_app(made, clock), "127.0.0.1", port) as url,
            httpx.Client(base_url=url, timeout=PATIENCE) as client,
        ):
            yield Site(url, made, database, clock, server, client)
