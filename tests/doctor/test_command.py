"""`paperboy doctor`: how checks are run, the exit code of the command, and its test mail."""

import json
import re
import sys
import threading
from collections.abc import Iterator

import pytest

from monitoring.findings import Finding, ok
from paperboy.cli.main import main
from paperboy.doctor.checks import Check, run_checks
from tests.support.installation import SENDS_FROM, Installation


def test_a_check_that_hangs_delays_no_other_and_its_findings_before_that_count() -> None:
    may_end, has_ended = threading.Event(), threading.Event()

    def hang() -> Iterator[Finding]:
        yield ok("first", "fine")
        may_end.wait(30)
        has_ended.set()

    findings = run_checks([Check("slow", hang), Check("quick", lambda: [ok("quick", "fine")])], 0.2)
    assert not has_ended.is_set(), "nobody waits for a check that hangs"
    may_end.set()
    assert [finding.line().partition(" ->")[0] for finding in findings] == [
        "ok       first: fine",
        "failed   slow: no answer within 0.2 seconds",
        "ok       quick: fine",
    ]


def test_a_check_that_raises_an_error_becomes_a_failed_finding() -> None:
    def fail() -> Iterator[Finding]:
        raise LookupError("one\ntwo\x00" + "x" * 1000)

    (finding,) = run_checks([Check("broken", fail)], 5)
    assert finding.line().startswith("failed   broken: the check itself failed: LookupError: one two")
    assert len(finding.line()) < 500


def _run_command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    monkeypatch.setattr(sys, "argv", ["paperboy", "doctor", *arguments])
    with pytest.raises(SystemExit) as exited:
        main()
    return exited.value.code or 0


@pytest.fixture
def with_dns(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """The installation, with its DNS server in place of the machine's resolver."""
    monkeypatch.setattr("dns.resolver.Resolver", lambda: installation.dns.resolver)
    return installation


def test_the_exit_code_is_1_only_if_a_check_failed(
    with_dns: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_dns.set_setting("OPERATOR", "")
    assert _run_command(monkeypatch, "--sends-from", SENDS_FROM) == 0
    assert "warning  settings: PAPERBOY_OPERATOR" in capsys.readouterr().out
    with_dns.database.unlink()
    assert _run_command(monkeypatch, "--json", "--sends-from", SENDS_FROM) == 1
    (failed,) = [entry for entry in json.loads(capsys.readouterr().out) if entry["state"] == "failed"]
    assert (failed["name"], failed["remedy"]) == ("database", "run `paperboy migrate`")
    assert not with_dns.database.exists(), "the doctor creates no database"
    assert _run_command(monkeypatch, "--sends-from", "mail.example") == 2


def test_a_test_mail_is_sent_on_request_and_has_what_large_providers_require(
    with_dns: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run_command(monkeypatch, "--send-to", "me@example.com", "--sends-from", SENDS_FROM) == 0
    assert "ok       test mail: sent to me@example.com: 250" in capsys.readouterr().out
    (mail,) = with_dns.mail_server.messages
    assert mail.rcpt == ["me@example.com"]
    for name in (b"DKIM-Signature", b"List-Unsubscribe", b"List-Unsubscribe-Post", b"List-Id"):
        assert name in mail.data


ENGLISH = re.compile(r"(?<!\S)(the|a|is|are|has|have|of|it|that|which|no|with|ok|failed|warning)(?!\S)")
QUOTED = re.compile(r"`[^`]*`|\"[^\"]*\"")  # commands, and titles of sections in the documentation


def test_the_lines_are_in_the_language_of_the_operator_and_json_is_not(
    with_dns: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_dns.set_setting("OPERATOR_LANGUAGE", "ko")
    assert _run_command(monkeypatch, "--sends-from", SENDS_FROM) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 25
    assert [line for line in lines if ENGLISH.search(QUOTED.sub("", line))] == []
    assert "정상       데이터베이스: sqlite, 버전" in "\n".join(lines)
    assert _run_command(monkeypatch, "--json", "--sends-from", SENDS_FROM) == 0
    assert {"ok"} == {entry["state"] for entry in json.loads(capsys.readouterr().out)}
    with_dns.set_setting("SECRET_KEY", "short")  # settings that cannot be used still say the language
    assert _run_command(monkeypatch) == 1
    assert "실패       설정: PAPERBOY_SECRET_KEY: " in capsys.readouterr().out
