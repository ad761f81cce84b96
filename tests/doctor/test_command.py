"""`paperboy doctor`: how checks are made, what the command ends with, and its test mail."""

import json
import sys
import time
from collections.abc import Iterator

import pytest

from paperboy.cli.main import main
from paperboy.doctor.findings import Check, Finding, look_at_all, ok
from tests.support.installation import SENDS_FROM, Installation

# --- how checks are made ------------------------------------------------------------


def test_a_check_that_hangs_holds_nobody_up_and_what_it_found_before_counts() -> None:
    def hang() -> Iterator[Finding]:
        yield ok("first", "well")
        time.sleep(30)

    started = time.monotonic()
    findings = look_at_all([Check("slow", hang), Check("quick", lambda: [ok("quick", "well")])], 0.2)
    assert time.monotonic() - started < 5
    assert [finding.line().partition(" ->")[0] for finding in findings] == [
        "ok       first: well",
        "failed   slow: no answer within 0.2 seconds",
        "ok       quick: well",
    ]


def test_a_check_that_breaks_down_is_a_failed_line_of_its_own() -> None:
    def break_down() -> Iterator[Finding]:
        raise LookupError("one\ntwo\x00" + "x" * 1000)

    (finding,) = look_at_all([Check("broken", break_down)], 5)
    assert finding.line().startswith("failed   broken: could not be looked at: LookupError: one two")
    assert len(finding.line()) < 500


# --- the command --------------------------------------------------------------------


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    monkeypatch.setattr(sys, "argv", ["paperboy", "doctor", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code or 0


@pytest.fixture
def no_dns(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """The command asks the resolver of the machine; here that is the installation's."""
    monkeypatch.setattr("dns.resolver.Resolver", lambda: installation.names.resolver)
    return installation


def test_the_command_ends_with_1_only_if_something_failed(
    no_dns: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_dns.set("OPERATOR", "")
    assert _run(monkeypatch, "--sends-from", SENDS_FROM) == 0
    assert "warning  settings: PAPERBOY_OPERATOR" in capsys.readouterr().out
    no_dns.database.unlink()
    assert _run(monkeypatch, "--json", "--sends-from", SENDS_FROM) == 1
    (failed,) = [entry for entry in json.loads(capsys.readouterr().out) if entry["state"] == "failed"]
    assert (failed["name"], failed["remedy"]) == ("database", "run `paperboy migrate`")
    assert not no_dns.database.exists(), "looking makes nothing"
    assert _run(monkeypatch, "--sends-from", "mail.example") == 2


def test_a_test_mail_goes_out_only_when_asked_for_and_has_what_large_providers_ask_for(
    no_dns: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(monkeypatch, "--send-to", "me@example.com", "--sends-from", SENDS_FROM) == 0
    assert "ok       test mail: sent to me@example.com: 250" in capsys.readouterr().out
    (mail,) = no_dns.mail.messages
    assert mail.rcpt == ["me@example.com"]
    for name in (b"DKIM-Signature", b"List-Unsubscribe", b"List-Unsubscribe-Post", b"List-Id"):
        assert name in mail.data
