"""The events that runs emit for automations, and an automation that fires. No event holds an address."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Self

import httpx
import pytest
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.events import emit_event
from prefect.settings import PREFECT_API_URL

from core.errors import RunFailedError
from core.frequencies import Frequency
from core.schema import open_database
from core.settings import load_settings
from flows.digest import digest
from flows.ingest import ingest
from flows.run_events import EVENTS
from flows.set_up import set_up
from flows.upkeep import upkeep
from tests.support.account_actions import WEEK
from tests.support.commands import ROOT
from tests.support.factories import NOW, add_subscriber
from tests.support.new_databases import copy_sqlite
from tests.support.servers.smtp import ScriptedServer

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def events(name: str, since: datetime) -> list[dict[str, Any]]:
    """The events of a name on the server since a time, the newest first. All tests share the server."""
    occurred = {"since": since.isoformat()}
    query = {"filter": {"event": {"name": [name]}, "occurred": occurred}, "limit": 50}
    found = httpx.post(f"{PREFECT_API_URL.value()}/events/filter", json=query).raise_for_status()
    return list(found.json()["events"])


def payload_of(
    name: str, matches: Callable[[dict[str, Any]], bool] = lambda _: True, *, since: datetime
) -> dict[str, Any]:
    """The payload of the newest event that matches, which Prefect sends and stores in the background."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if found := [event["payload"] for event in events(name, since) if matches(event["payload"])]:
            assert "@" not in json.dumps(found)
            assert name not in EVENTS or set(found[0]) == set(EVENTS[name].payload)
            return dict(found[0])
        time.sleep(0.2)
    pytest.fail(f"no {name} has come")


def test_runs_tell_of_a_new_issue_of_a_digest_and_of_readers_who_joined(server: ScriptedServer) -> None:
    begun = datetime.now(UTC)
    assert payload_of("paperboy.issue.arrived", since=LONG_AGO)["issue"] == "2026-03-02"
    digest(Frequency.WEEKLY, now=NOW)
    sent = payload_of(
        "paperboy.digest.sent", lambda payload: payload["slot"] == "weekly:2025-W32", since=begun
    )
    assert (sent["candidates"], sent["sent"]) == (1, 1)
    assert len(server.messages) == 1
    upkeep(now=NOW)
    with open_database(load_settings().database_url).sessions.begin() as session:
        for name in ("yuna", "carol"):
            add_subscriber(session, f"{name}@example.com", now=NOW + WEEK)
    for _ in range(2):
        upkeep(now=NOW + 2 * WEEK)
    assert payload_of("paperboy.reader.joined", since=begun) == {"joined": 2}
    assert len(events("paperboy.reader.joined", begun)) == 1, "nobody joins twice"


def test_an_issue_that_is_held_is_told_once_for_each_text(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, sqlite_template: Path, tmp_path: Path
) -> None:
    begun = datetime.now(UTC)
    assert server.messages == []
    (tmp_path / "new").mkdir()
    monkeypatch.setenv("PAPERBOY_DATABASE_URL", copy_sqlite(sqlite_template, tmp_path / "new"))
    monkeypatch.setenv("PAPERBOY_AUTHORS", "nobody")
    for number in range(2):
        found = ingest(now=NOW + number * WEEK)
        assert found["held"]
    reason = payload_of(
        "paperboy.issue.held",
        lambda payload: payload["topic_id"] == found["held"][0]["topic_id"],
        since=begun,
    )
    assert "may not publish" in reason["reason"]
    emit_event("paperboy.test.end", {"prefect.resource.id": "paperboy.test"})
    payload_of("paperboy.test.end", since=begun)  # the server takes events in order
    topics = [event["payload"]["topic_id"] for event in events("paperboy.issue.held", begun)]
    assert len(topics) == len(set(topics))


def test_an_automation_tells_the_operators_of_a_digest_that_stopped(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as in_project, Hook() as hook:
        in_project.chdir(ROOT)
        block = CustomWebhookNotificationBlock.model_validate(
            {"name": "Operators", "url": hook.url, "json_data": {"text": "{{subject}}: {{body}}"}}
        )
        block.save("hook", overwrite=True)
        list(set_up("custom-webhook/hook"))
        server.on_mail = "550 5.7.1 Not your domain"
        with pytest.raises(RunFailedError):
            digest(Frequency.WEEKLY, now=NOW)
        end = time.monotonic() + 60
        while not hook.bodies and time.monotonic() < end:
            time.sleep(0.2)
    texts = [json.loads(body)["text"] for body in hook.bodies]
    assert texts
    assert texts[0].startswith("Paperboy: weekly 2025-W32: weekly:2025-W32 stopped: the mail server refuses")


class Hook:
    """A web server that notes what is posted to it, while its context lasts."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hook": self}))
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hook: Hook

    def do_POST(self) -> None:
        self.hook.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_arguments: Any, **_named: Any) -> None:
        """Say nothing."""
