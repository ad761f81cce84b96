"""An issue is rendered on trial in a child process before it comes into force."""

import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from core.database import Database
from issues.parse.content import IssueContent
from mailings import intake, trial_rendering
from mailings.trial_rendering import faults_of
from tests.support.factories import IDENTITY, blocks, issue_of, paper
from tests.support.posted import take, weekly_post

SUNDAY = datetime(2026, 6, 21, 22, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _one_trial_of_each_issue() -> None:
    """Here each issue is rendered on trial as often as it is read."""


def faults(**issues: IssueContent) -> dict[int, str]:
    numbered = {
        number: (f"https://forum.example/t/{number}", content)
        for number, content in enumerate(issues.values())
    }
    return faults_of(numbered, identity=IDENTITY, daily_papers=2)


def test_an_ordinary_issue_has_no_fault() -> None:
    assert faults(ordinary=issue_of(3)) == {}


def test_an_issue_that_cannot_be_rendered_is_named_and_the_others_are_not() -> None:
    broken = issue_of([paper(1, intro_ko=blocks("\x0b 글"))])
    found = faults(first=issue_of(2), broken=broken, last=issue_of(1))
    assert list(found) == [1]
    what, _, why = found[1].partition(": ")
    assert what == "it cannot be rendered as a mail"
    assert why not in {"", "None"}


def test_the_child_gets_no_setting_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings can hold passwords, and the child reads what anybody wrote."""
    monkeypatch.setenv("PAPERBOY_SMTP_URL", "smtp://user:secret@mail.example")
    given: list[dict[str, str]] = []

    def run(*_: object, env: dict[str, str], **__: object) -> SimpleNamespace:
        given.append(env)
        return SimpleNamespace(stdout=b"")

    monkeypatch.setattr(subprocess, "run", run)
    faults(only=issue_of(1))
    assert [name for name in given[0] if name.startswith("PAPERBOY_")] == []
    assert "PATH" in given[0]


def test_a_child_that_takes_too_long_costs_only_the_issue_it_was_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_rendering, "MAX_SECONDS", 0.01)
    found = faults(only=issue_of(2))
    assert found == {0: "it cannot be rendered as a mail: that takes longer than 0.01 seconds"}


def test_an_issue_at_which_the_child_dies_is_named_with_that_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    reason = "it cannot be rendered as a mail: that ends the process"
    assert faults(first=issue_of(1), second=issue_of(1)) == {0: reason, 1: reason}


def test_a_post_that_cannot_be_rendered_is_held_until_it_can_be(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "faults_of", faults_of)
    with monkeypatch.context() as in_a_hurry:
        in_a_hurry.setattr(trial_rendering, "MAX_SECONDS", 0.01)
        (held,) = take(sqlite_database, weekly_post(), at=SUNDAY).held
    assert held["reason"].endswith("takes longer than 0.01 seconds")
    report = take(sqlite_database, weekly_post(), at=SUNDAY + timedelta(hours=1))
    assert [entry["topic_id"] for entry in report.new] == [9001]
