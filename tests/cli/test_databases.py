"""`paperboy move-database` and `paperboy backup`, as an operator runs them."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.cli.runner import Paperboy, json_of
from tests.support.commands import ROOT
from tests.support.new_databases import temporary_databases

MINJI = "minji@example.com"
ADD = ("subscribers", "add", MINJI, "--language", "ko", "--frequency", "weekly", "--confirmed")


@pytest.fixture
def target(postgresql: str) -> Iterator[str]:
    """The address of an empty PostgreSQL database, as an operator writes it."""
    with temporary_databases(postgresql) as new_postgresql:
        url = make_url(new_postgresql(None)).set(drivername="postgresql")
        yield url.render_as_string(hide_password=False)


def run_alone(*arguments: str) -> tuple[int, str, str]:
    """Run `paperboy` in a process of its own, in which no test has loaded any tables."""
    code = "from paperboy.cli.main import main; main()"
    ended = subprocess.run(  # noqa: S603  the test names the arguments
        [sys.executable, "-c", code, *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stdout, ended.stderr


def test_everything_is_moved_and_the_command_says_what_comes_next(
    run_command: Paperboy, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_command(*ADD)[0] == 0
    code, out, err = run_alone("move-database", target)
    assert (code, err) == (0, "")
    assert "Next: set PAPERBOY_DATABASE_URL to the new database in .env, keep var/secret_key" in out
    with sqlite3.connect("var/paperboy.db") as source:
        tables = {name for (name,) in source.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert {name for name in tables if f" {name} " not in out} == {"alembic_version"}
    code, out, err = run_command("move-database", target)
    assert (code, out, len(err.splitlines())) == (1, "", 1)
    assert err.startswith("paperboy: the target is not empty: its table ")
    monkeypatch.setenv("PAPERBOY_DATABASE_URL", target)
    assert [row["email"] for row in json_of(run_command("subscribers", "list", "--json"))] == [MINJI]


def test_a_target_that_is_no_database_is_one_line_without_its_password(run_command: Paperboy) -> None:
    assert run_command(*ADD)[0] == 0
    for url in ("mysql://paperboy:hunter2@host/x", "postgresql://paperboy:hunter2@127.0.0.1:1/x"):
        code, out, err = run_command("move-database", url)
        assert (code, out, len(err.splitlines())) == (1, "", 1)
        assert "hunter2" not in err


def test_a_backup_can_be_used_in_place_of_the_database(
    run_command: Paperboy, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_command(*ADD)[0] == 0
    Path("backups").mkdir()
    code, out, err = run_command("backup", "backups", "--now", "2025-08-04T08:30+09:00")
    assert (code, out, err) == (0, "backups/paperboy-20250804T083000.db\n", "")
    monkeypatch.setenv("PAPERBOY_DATABASE_URL", "sqlite:///backups/paperboy-20250804T083000.db")
    assert [row["email"] for row in json_of(run_command("subscribers", "list", "--json"))] == [MINJI]


def test_a_backup_that_cannot_be_written_is_one_line(run_command: Paperboy) -> None:
    code, out, err = run_command("backup", "backup.db")
    assert (code, out, err) == (1, "", "paperboy: there is no database var/paperboy.db yet")
    assert run_command(*ADD)[0] == 0
    code, out, err = run_command("backup", "missing/backup.db")
    assert (code, out, err) == (
        1,
        "",
        "paperboy: missing/backup.db cannot be written: No such file or directory",
    )
