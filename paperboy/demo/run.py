"""The demo: three sample weeks through the whole pipeline, by Prefect, into an embedded mailbox; and the
pages, to sign up at."""

import logging
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from core.database import Database, open_database
from core.settings import load
from delivery.transport import mailbox
from paperboy.demo.mailbox_page import serve_mailbox
from paperboy.demo.sample.data import weeks
from paperboy.demo.sample.forum import Forum
from paperboy.web.app import create_app, served
from subscribers.accounts import confirm, sign_up

READERS = (
    ("minji@example.com", "김민지", "ko", "weekly"),
    ("jihoon@example.com", "박지훈", "ko", "daily"),
    ("alice@example.com", "Alice", "en", "weekly"),
    ("bob@example.com", "Bob", "en", "daily"),
    ("seoyeon@example.com", "이서연", "both", "weekly"),
    ("daniel@example.com", "", "both", "daily"),
)


def run_demo(folder: Path, *, once: bool, port: int, web_port: int) -> None:
    """Run the demo in `folder`, anew each time; without `once` mailbox and pages stay open to look at."""
    if not once:
        _check_free(port, web_port)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    folder = folder.resolve()
    os.chdir(folder)  # away from the operator's .env
    with Forum() as forum:
        _set_environment(folder, forum.feed_url, web_port)
        database = open_database(load().database_url)
        forum.state.weeks = 0
        _sign_everyone_up(database, _monday(0) - timedelta(days=2))
        typer.echo("Starting Prefect (about ten seconds) …")
        _run_weeks(forum)
    _print_table(folder / "mailbox")
    if not once:
        _show(folder / "mailbox", port, web_port)


def _set_environment(folder: Path, feed_url: str, web_port: int) -> None:
    for name in [name for name in os.environ if name.startswith(("PAPERBOY_", "PREFECT_"))]:
        del os.environ[name]  # the demo never touches the operator's own database, readers or server
    os.environ |= {
        "PAPERBOY_DATABASE_URL": f"sqlite:///{folder / 'paperboy.db'}",
        "PAPERBOY_DATA_DIR": str(folder),
        "PAPERBOY_FEED_URL": feed_url,
        "PAPERBOY_ALLOWED_HOSTS": "127.0.0.1",
        "PAPERBOY_BASE_URL": f"http://127.0.0.1:{web_port}",
        "PAPERBOY_SECRET_KEY": "only for the demo, not a secret",
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",  # it takes ten seconds, and more on a busy machine
        "PREFECT_LOGGING_LEVEL": "ERROR",
    }


def _sign_everyone_up(database: Database, now: datetime) -> None:
    with database.sessions.begin() as session:
        for address, name, language, frequency in READERS:
            reader = sign_up(session, address, language=language, frequency=frequency, name=name, now=now)
            confirm(session, reader, now)


def _monday(week: int) -> datetime:
    """08:00 in Seoul on the Monday after a sample week."""
    end: date = weeks()[week].end
    return datetime(end.year, end.month, end.day, 23, 0, tzinfo=UTC)


def _run_weeks(forum: Forum) -> None:
    from flows.digest import digest  # noqa: PLC0415  prefect reads its environment when it is imported
    from flows.ingest import ingest  # noqa: PLC0415

    logging.getLogger("httpx").setLevel(logging.WARNING)
    for week in range(len(weeks())):
        monday = _monday(week)
        forum.state.weeks = week + 1
        published = monday - timedelta(hours=2)
        _say(published, ingest(now=published), "ingest")
        _say(monday, digest("weekly", now=monday), "weekly digest")
        for day in range(5):
            morning = monday + timedelta(days=day)
            if day == 2 and forum.state.weeks == 2:
                forum.state.edited = True
                edited = morning - timedelta(hours=2)
                _say(edited, ingest(now=edited), "ingest after an edit of the post")
            _say(morning, digest("daily", now=morning), "daily digest")


def _say(moment: datetime, result: dict[str, object], what: str) -> None:
    counts = {name: len(value) if isinstance(value, list) else value for name, value in result.items()}
    shown = ("new", "changed", "held", "sent", "deferred", "failed", "skipped")
    line = ", ".join(f"{counts[name]} {name}" for name in shown if counts.get(name))
    typer.echo(f"{moment.astimezone(load().zone):%Y-%m-%d %H:%M}  {what}: {line or 'nothing new'}")


def _print_table(folder: Path) -> None:
    mails = mailbox.read(folder)
    table = Table(title="Who got what", title_justify="left")
    for column in ("reader", "language", "frequency", "mails", "last subject"):
        table.add_column(column, justify="right" if column == "mails" else "left")
    for address, _, language, frequency in READERS:
        own = [mail for mail in mails if mail.to == address]
        table.add_row(address, language, frequency, str(len(own)), own[-1].subject if own else "")
    Console(width=None if os.isatty(1) else 120).print(table)


def _check_free(*ports: int) -> None:
    """Make sure that the ports can be had, before the work and not after it."""
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                raise OSError(f"port {port} is in use: choose others with --port and --web-port") from None


def _show(folder: Path, port: int, web_port: int) -> None:
    with (
        _until_interrupted(),
        served(create_app(), "127.0.0.1", web_port) as pages,
        serve_mailbox(folder, port) as mails,
    ):
        typer.echo(f"The mailbox: {mails}")
        typer.echo(f"The pages: {pages}/ (sign up there: the mail comes to the mailbox; Ctrl+C ends)")
        signal.pause()


@contextmanager
def _until_interrupted() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("Goodbye.")
