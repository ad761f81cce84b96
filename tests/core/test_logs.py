"""Each log line is one JSON object with ids as fields and without addresses."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import update

from core.database import Database
from core.logs import PACKAGES, configure_logging
from core.run_log import RunKind, record_run
from delivery.models import Delivery
from delivery.retry import MAX_ATTEMPTS
from tests.support.factories import NOW
from tests.support.outbox import SLOT, deliveries, plan_mails, send
from tests.support.servers.smtp import ScriptedServer


@pytest.fixture
def log_stream(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What the handler writes that was set up before JSON was configured."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [handler])
    yield stream
    for name in PACKAGES:
        logging.getLogger(name).setLevel(logging.NOTSET)


def log_lines(log_stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log_stream.getvalue().splitlines()]


def test_a_log_line_is_one_json_object_with_ids_as_fields(
    log_stream: io.StringIO, sqlite_database: Database
) -> None:
    configure_logging("json")
    with sqlite_database.sessions.begin() as session:
        record_run(session, RunKind.DIGEST, {}, NOW, slot=SLOT)
    try:
        int("two\nlines")
    except ValueError:
        logging.getLogger("paperboy.web").exception("논문이 없습니다")
    finished, failed = log_lines(log_stream)
    assert {name: finished[name] for name in ("level", "logger", "message", "run", "slot")} == {
        "level": "INFO",
        "logger": "core.run_log",
        "message": "run finished: digest",
        "run": 1,
        "slot": SLOT,
    }
    assert finished["time"].endswith("+00:00")
    assert failed["message"] == "논문이 없습니다"
    assert "논문이" in log_stream.getvalue(), "Korean text must stay searchable"
    assert "ValueError" in failed["exc_info"]


def test_a_refused_mail_is_logged_with_its_ids_and_without_its_address(
    log_stream: io.StringIO, sqlite_database: Database
) -> None:
    configure_logging("json")
    (address,) = plan_mails(sqlite_database, 1)
    with ScriptedServer(on_rcpt=f"550 5.1.1 <{address}> unknown") as server:
        send(sqlite_database, server)
    (delivery,) = deliveries(sqlite_database)
    (line,) = [line for line in log_lines(log_stream) if line["logger"] == "delivery.sender"]
    assert (line["delivery"], line["subscriber"]) == (delivery.id, delivery.subscriber_id)
    assert line["message"] == "mail failed: rcpt: 550 5.1.1 <address> unknown"


def test_a_mail_that_was_refused_for_the_last_time_is_logged_as_failed(
    log_stream: io.StringIO, sqlite_database: Database
) -> None:
    configure_logging("json")
    plan_mails(sqlite_database, 1)
    with sqlite_database.sessions.begin() as session:
        session.execute(update(Delivery).values(attempts=MAX_ATTEMPTS - 1))
    with ScriptedServer(on_rcpt="451 4.2.2 Mailbox full") as server:
        send(sqlite_database, server)
    (line,) = [line for line in log_lines(log_stream) if line["logger"] == "delivery.sender"]
    assert line["message"] == "mail failed: rcpt: 451 4.2.2 Mailbox full"


def test_the_text_format_leaves_logging_as_it_is(log_stream: io.StringIO) -> None:
    configure_logging("text")
    logging.getLogger("emails").warning("plain")
    logging.getLogger("emails").info("too much")
    assert log_stream.getvalue() == "plain\n"
