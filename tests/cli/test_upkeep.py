"""`paperboy upkeep`, by hand what the schedule does."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bounces.handler import RAW_RETENTION
from core.run_log import RunKind, last_run
from core.schema import open_database
from core.settings import load_settings
from delivery.models import BounceMail
from delivery.transport import mailbox
from tests.cli.runner import Paperboy, json_of

NOW = datetime(2026, 3, 14, 3, 0, tzinfo=UTC)
ADD = ("subscribers", "add", "minji@example.com", "--language", "ko", "--frequency", "weekly")


def test_upkeep_sends_what_is_due_and_ends_what_has_expired(paperboy: Paperboy, tmp_path: Path) -> None:
    assert paperboy(*ADD, "--now", NOW.isoformat())[0] == 0
    first = json_of(paperboy("upkeep", "--json", "--now", NOW.isoformat()))
    assert (first["expired"], first["retries"]["sent"], first["late"]) == (0, 1, [])
    assert [mail.to for mail in mailbox.read(tmp_path / "var" / "mailbox")] == ["minji@example.com"]
    code, out, err = paperboy("upkeep", "--now", (NOW + timedelta(days=3)).isoformat())
    assert (code, err) == (0, "")
    counts, retries, *_ = out.splitlines()
    assert "1 expired" in counts
    assert retries.startswith("retries: 0 candidates, 0 sent")
    assert paperboy("subscribers", "show", "minji@example.com")[0] == 1


def test_upkeep_is_recorded_as_a_run_and_discards_old_returned_mails(paperboy: Paperboy) -> None:
    assert paperboy("status")[0] == 0
    database = open_database(load_settings().database_url)
    with database.sessions.begin() as session:
        for number, age in enumerate((timedelta(days=1), RAW_RETENTION + timedelta(days=1))):
            session.add(
                BounceMail(
                    content_hash=str(number),
                    received_at=NOW - age,
                    kind="unknown",
                    action="kept",
                    raw=b"mail",
                )
            )
    assert paperboy("upkeep", "--now", NOW.isoformat())[0] == 0
    with database.sessions() as session:
        rows = session.query(BounceMail).order_by(BounceMail.content_hash).all()
        assert [row.raw for row in rows] == [b"mail", None]
        run = last_run(session, RunKind.UPKEEP)
        assert run
        assert run.finished_at == NOW
    database.engine.dispose()


def test_a_fault_of_upkeep_is_one_line_and_the_mails_stay_planned(
    paperboy: Paperboy, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert paperboy(*ADD, "--now", NOW.isoformat())[0] == 0
    with monkeypatch.context() as outage:
        outage.setenv("PAPERBOY_SMTP_URL", "smtp://127.0.0.1:1")
        code, out, err = paperboy("upkeep", "--json", "--now", NOW.isoformat())
    assert code == 1
    assert '"stopped": "the mail server refuses to work for us' in out
    assert err.startswith("paperboy: retries stopped: the mail server refuses to work for us")
    assert len(err.splitlines()) == 1
    assert json_of(paperboy("upkeep", "--json", "--now", NOW.isoformat()))["retries"]["sent"] == 1


def test_the_code_that_flows_and_commands_share_does_not_load_prefect() -> None:
    program = "import sys, flows.operations; print('prefect' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)  # noqa: S603
    assert shown.stdout == "False\n"
