"""Logs as one JSON object a line, with ids as fields and without addresses."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import update

from core import logs
from core.database import Database
from core.run_log import record_run
from delivery.models import Delivery
from delivery.retry import MAX_ATTEMPTS
from tests.support.factories import NOW
from tests.support.outbox import SLOT, deliveries, plan_mails, send
from tests.support.servers.smtp import ScriptedServer


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What a handler writes that was there before JSON was asked for."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [handler])
    yield stream
    for name in logs.PACKAGES:
        logging.getLogger(name).setLevel(logging.NOTSET)


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_a_log_line_is_one_json_object_with_ids_as_fields(written: io.StringIO, sqlite_database: Database) -> None:
    logs.set_up("json")
    with sqlite_database.sessions.begin() as session:
        record_run(session, "digest", {}, NOW, slot=SLOT)
    try:
        int("two\nlines")
    except ValueError:
        logging.getLogger("paperboy.web").exception("논문이 없습니다")
    ended, broken = lines(written)
    assert {name: ended[name] for name in ("level", "logger", "message", "run", "slot")} == {
        "level": "INFO",
        "logger": "core.run_log",
        "message": "a run of digest has ended",
        "run": 1,
        "slot": SLOT,
    }
    assert ended["time"].endswith("+00:00")
    assert broken["message"] == "논문이 없습니다"
    assert "논문이" in written.getvalue(), "a person can search it"
    assert "ValueError" in broken["exc_info"]


def test_a_refused_mail_is_logged_with_its_ids_and_without_its_address(
    written: io.StringIO, sqlite_database: Database
) -> None:
    logs.set_up("json")
    (address,) = plan_mails(sqlite_database, 1)
    with ScriptedServer(on_rcpt=f"550 5.1.1 <{address}> unknown") as server:
        send(sqlite_database, server)
    (delivery,) = deliveries(sqlite_database)
    (line,) = [line for line in lines(written) if line["logger"] == "delivery.sender"]
    assert (line["delivery"], line["subscriber"]) == (delivery.id, delivery.subscriber_id)
    assert line["message"] == "a mail is failed: rcpt: 550 5.1.1 <address> unknown"


def test_a_mail_that_was_refused_for_the_last_time_is_logged_as_failed(
    written: io.StringIO, sqlite_database: Database
) -> None:
    logs.set_up("json")
    plan_mails(sqlite_database, 1)
    with sqlite_database.sessions.begin() as session:
        session.execute(update(Delivery).values(attempts=MAX_ATTEMPTS - 1))
    with ScriptedServer(on_rcpt="451 4.2.2 Mailbox full") as server:
        send(sqlite_database, server)
    (line,) = [line for line in lines(written) if line["logger"] == "delivery.sender"]
    assert line["message"] == "a mail is failed: rcpt: 451 4.2.2 Mailbox full"


def test_the_text_format_leaves_logging_as_it_is(written: io.StringIO) -> None:
    logs.set_up("text")
    logging.getLogger("emails").warning("plain")
    logging.getLogger("emails").info("too much")
    assert written.getvalue() == "plain\n"
