"""Runs the demo: three sample weeks through the whole pipeline, by Prefect, into an embedded mailbox.

Afterwards it serves a page with the mailbox, and the web pages of Paperboy to sign up at.
"""

import logging
import os
import secrets
import shutil
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from core.database import Database
from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language
from core.run_log import counts_of
from core.schema import open_database
from core.settings import load_settings
from delivery.transport import mailbox
from paperboy.demo.mailbox_page import serve_mailbox
from paperboy.demo.sample.data import weeks
from paperboy.demo.sample.forum import Forum
from paperboy.web.app import create_app, served
from subscribers.accounts import confirm, sign_up
from subscribers.choices import Choices

SUBSCRIBERS = (
    ("minji@example.com", "김민지", Choices(Language.KO, Frequency.WEEKLY)),
    ("jihoon@example.com", "박지훈", Choices(Language.KO, Frequency.DAILY, Detail.BRIEF)),
    ("alice@example.com", "Alice", Choices(Language.EN, Frequency.WEEKLY, Detail.BRIEF)),
    ("bob@example.com", "Bob", Choices(Language.EN, Frequency.DAILY)),
    ("seoyeon@example.com", "이서연", Choices(Language.BOTH, Frequency.WEEKLY)),
    ("daniel@example.com", "", Choices(Language.BOTH, Frequency.DAILY, Detail.BRIEF)),
)
# They join before the last week, and the embedded mailbox does not accept their mails.
TROUBLED = (
    ("hyunwoo@refused.example", "정현우", Choices(Language.KO, Frequency.WEEKLY)),
    ("grace@later.example", "Grace", Choices(Language.EN, Frequency.WEEKLY)),
)
SHOWN_FIRST = "seoyeon@example.com"  # whose last weekly mail the mailbox page opens with
MARKER = "made-by-paperboy-demo"  # the file that says that a folder may be emptied
WORKDAYS = 5  # the daily digest runs on so many days after each weekly one
EDITED_WEEK = 2  # the week whose post is edited, counted from 1
EDIT_DAY = 2  # days after the Monday of that week's digest


def run_demo(folder: Path, *, once: bool, port: int, web_port: int) -> None:
    """Run the demo in `folder`, which is emptied first if an earlier demo made it.

    With `once` the demo ends after the run. Otherwise it serves the mailbox on `port` and the web pages on
    `web_port` until it is interrupted.
    """
    if not once:
        _check_ports(port, web_port)
    make_empty(folder)
    folder = folder.resolve()
    os.chdir(folder)  # so that the operator's .env is not read
    with Forum() as forum:
        _set_environment(folder, forum.feed_url, web_port)
        database = open_database(load_settings().database_url)
        forum.state.weeks = 0
        _sign_up(database, SUBSCRIBERS, _monday_after(0) - timedelta(days=2))
        typer.echo("Starting Prefect (about ten seconds) …")
        _run_weeks(forum, database)
    _print_table(folder / "mailbox")
    if not once:
        _serve_pages(folder / "mailbox", port, web_port)


def make_empty(folder: Path) -> None:
    """Make the demo's folder, or empty it. Any other folder can hold somebody's database and secret key."""
    # Before there was a marker, a demo left Prefect's folder, and never a key.
    is_from_an_old_demo = (folder / "prefect").is_dir() and not (folder / "secret_key").exists()
    is_from_a_demo = (folder / MARKER).exists() or is_from_an_old_demo
    if folder.exists() and not is_from_a_demo and (not folder.is_dir() or any(folder.iterdir())):
        raise OSError(f"{folder} is not empty, and no demo made it: choose another with --folder")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARKER).touch()


def _set_environment(folder: Path, feed_url: str, web_port: int) -> None:
    # The demo must never touch the operator's own database, subscribers or mail server.
    for name in [name for name in os.environ if name.startswith(("PAPERBOY_", "PREFECT_"))]:
        del os.environ[name]
    os.environ |= {
        "PAPERBOY_DATABASE_URL": f"sqlite:///{folder / 'paperboy.db'}",
        "PAPERBOY_DATA_DIR": str(folder),
        "PAPERBOY_FEED_URL": feed_url,
        "PAPERBOY_ALLOWED_HOSTS": "127.0.0.1",
        "PAPERBOY_BASE_URL": f"http://127.0.0.1:{web_port}",
        "PAPERBOY_SECRET_KEY": "only for the demo, not a secret",
        "PAPERBOY_OPERATOR_TOKEN": secrets.token_urlsafe(18),
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # The start takes about ten seconds, and much longer on a busy machine.
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_LOGGING_LEVEL": "ERROR",
    }


def _sign_up(database: Database, people: Sequence[tuple[str, str, Choices]], now: datetime) -> None:
    with database.sessions.begin() as session:
        for address, name, choices in people:
            subscriber = sign_up(session, address, **vars(choices), name=name, now=now)
            confirm(session, subscriber, now)


def _monday_after(week: int) -> datetime:
    """08:00 in Seoul on the Monday after a sample week."""
    # A week ends on Sunday. 23:00 UTC on that day is 08:00 on Monday in Seoul.
    end: date = weeks()[week].end
    return datetime(end.year, end.month, end.day, 23, 0, tzinfo=UTC)


def _run_weeks(forum: Forum, database: Database) -> None:
    # Prefect reads its settings from the environment when it is imported, so it is imported only now.
    from flows.digest import digest  # noqa: PLC0415
    from flows.ingest import ingest  # noqa: PLC0415

    logging.getLogger("httpx").setLevel(logging.WARNING)
    for week in range(len(weeks())):
        monday = _monday_after(week)
        forum.state.weeks = week + 1
        published = monday - timedelta(hours=2)
        if week == len(weeks()) - 1:
            _sign_up(database, TROUBLED, published - timedelta(days=1))
        _print_result(published, ingest(now=published), "ingest")
        _print_result(monday, digest(Frequency.WEEKLY, now=monday), "weekly digest")
        for day in range(WORKDAYS):
            morning = monday + timedelta(days=day)
            if day == EDIT_DAY and forum.state.weeks == EDITED_WEEK:
                forum.state.edited = True
                edited = morning - timedelta(hours=2)
                _print_result(edited, ingest(now=edited), "ingest after an edit of the post")
            _print_result(morning, digest(Frequency.DAILY, now=morning), "daily digest")
    forum.state.unlinked = True
    saturday = monday + timedelta(days=WORKDAYS)
    _print_result(saturday, ingest(now=saturday), "ingest after an edit that loses a link")


def _print_result(moment: datetime, result: dict[str, object], what: str) -> None:
    counts = counts_of(result)
    shown = ("new", "changed", "held", "sent", "deferred", "failed", "skipped")
    line = ", ".join(f"{counts[name]} {name}" for name in shown if counts.get(name))
    typer.echo(f"{moment.astimezone(load_settings().zone):%Y-%m-%d %H:%M}  {what}: {line or 'nothing new'}")


def _print_table(folder: Path) -> None:
    mails = mailbox.read(folder)
    table = Table(title="Who got what", title_justify="left")
    for column in ("reader", "language", "frequency", "detail", "mails", "last subject"):
        table.add_column(column, justify="right" if column == "mails" else "left")
    for address, _, choices in SUBSCRIBERS:
        received = [mail for mail in mails if mail.to == address]
        last_subject = received[-1].subject if received else ""
        table.add_row(address, *vars(choices).values(), str(len(received)), last_subject)
    Console(width=None if os.isatty(1) else 120).print(table)


def _check_ports(*ports: int) -> None:
    """Check that the ports are free, before the run instead of after it."""
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                raise OSError(f"port {port} is in use: choose others with --port and --web-port") from None


def _serve_pages(folder: Path, port: int, web_port: int) -> None:
    with (
        _until_interrupted(),
        served(create_app(), "127.0.0.1", web_port) as pages,
        serve_mailbox(folder, port, load_settings().zone, SHOWN_FIRST) as mailbox_url,
    ):
        typer.echo(f"The mailbox: {mailbox_url}")
        typer.echo(f"The pages: {pages}/ (sign up there and look for the mail in the mailbox)")
        token = os.environ["PAPERBOY_OPERATOR_TOKEN"]
        typer.echo(f"The operator's pages: {pages}/operator with the token {token} (Ctrl+C ends)")
        signal.pause()


@contextmanager
def _until_interrupted() -> Iterator[None]:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # it ends the demo as Ctrl-C does
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("Goodbye.")
