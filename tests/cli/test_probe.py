"""`paperboy probe` sends a real mail through a server to an inbox of ours, and says what became of it on the way."""

import json
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from bounces import probe
from bounces.inbox import maildir_url
from core.frequencies import Frequency
from emails.mime import dkim_signing
from tests.cli.runner import Paperboy
from tests.support.installation import KEY, private_key, public_key
from tests.support.servers.imap import PASSWORD, ImapServer
from tests.support.servers.receiver import AUTHSERV_ID, Receiver

OTHER_KEY = rsa.generate_private_key(65537, 2048)
OPERATOR = "op@paperboy.example"
ADDRESS = "bounces@paperboy.example"
Set = Callable[..., None]


@pytest.fixture
def set_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Set:
    """A function that changes settings. Mails are signed, and a probe waits for less than a second."""

    def change(**settings: object) -> None:
        for name, value in settings.items():
            monkeypatch.setenv(f"PAPERBOY_{name}", str(value))

    (tmp_path / "dkim.pem").write_bytes(private_key(KEY))
    monkeypatch.setattr(probe, "MIN_SECONDS_BETWEEN_LOOKS", 0.05)
    change(SENDER="Paperboy <news@paperboy.example>", BASE_URL="https://news.paperboy.example")
    change(DKIM_KEY_FILE=tmp_path / "dkim.pem", PROBE_AUTHSERV_ID=AUTHSERV_ID, PROBE_SECONDS=1)
    return change


@pytest.fixture
def receiver(tmp_path: Path, set_up: Set) -> Iterator[Receiver]:
    """A server that puts what it gets into a Maildir, which is our inbox."""
    maildir = tmp_path / "inbox"
    for name in ("new", "cur", "tmp"):
        (maildir / name).mkdir(parents=True)
    with _running(lambda mail: (maildir / "new" / f"{hash(mail)}.host").write_bytes(mail), set_up) as server:
        set_up(INBOX_URL=maildir_url(maildir))
        yield server


@contextmanager
def _running(deliver: Callable[[bytes], object], set_up: Set) -> Iterator[Receiver]:
    with Receiver(deliver, public_key(KEY)) as server:
        set_up(SMTP_URL=f"smtp://127.0.0.1:{server.port}")
        yield server


def test_a_probe_that_came_as_it_was_sent_has_only_good_lines(
    run_command: Paperboy, receiver: Receiver
) -> None:
    code, out, _ = run_command("probe")
    assert re.sub(r"after \d", "after N", out).splitlines() == [
        f"ok       arrival at {ADDRESS}: the probe came after N seconds",
        f"ok       one-click at {ADDRESS}: both fields of one-click came as they were sent",
        f"ok       signature at {ADDRESS}: it covers the sender, the subject and both fields of one-click",
        f"ok       DKIM at {ADDRESS}: {AUTHSERV_ID} says pass",
        f"ok       SPF at {ADDRESS}: {AUTHSERV_ID} says pass",
        f"ok       DMARC at {ADDRESS}: {AUTHSERV_ID} says pass",
    ]
    assert code == 0
    assert [mail.rcpt for mail in receiver.messages] == [[ADDRESS]]


def _lines(run_command: Paperboy, state: str = "failed") -> list[str]:
    """The findings of a probe with a state, as subject and problem."""
    code, out, _ = run_command("probe", "--json")
    findings = json.loads(out)
    assert code == any(finding["state"] == "failed" for finding in findings)
    return [f"{finding['name']}: {finding['problem']}" for finding in findings if finding["state"] == state]


def test_a_public_key_that_does_not_fit_is_found_by_the_real_signature(
    run_command: Paperboy, receiver: Receiver, set_up: Set
) -> None:
    receiver.public_key = public_key(OTHER_KEY)
    receiver.spf = "softfail"
    assert _lines(run_command) == [
        f"DKIM at {ADDRESS}: {AUTHSERV_ID} says fail for DKIM",
        f"SPF at {ADDRESS}: {AUTHSERV_ID} says softfail for SPF",
        f"DMARC at {ADDRESS}: {AUTHSERV_ID} says fail for DMARC",
    ]
    set_up(OPERATOR_LANGUAGE="ko")
    assert (
        f"실패       {ADDRESS}의 DKIM: {AUTHSERV_ID}의 DKIM 판정은 fail입니다 -> DNS"
        in run_command("probe")[1]
    )


def test_results_that_others_have_written_do_not_count(run_command: Paperboy, receiver: Receiver) -> None:
    receiver.public_key = public_key(OTHER_KEY)
    forged = "dkim=pass header.d=paperboy.example; spf=pass; dmarc=pass"
    receiver.on_the_way = lambda mail: (
        f"Authentication-Results: relay.example; {forged}\r\n"
        f"Authentication-Results: {AUTHSERV_ID}; {forged}\r\n".encode()
        + mail
    )
    assert _lines(run_command)[0] == f"DKIM at {ADDRESS}: {AUTHSERV_ID} says fail for DKIM"


@pytest.mark.usefixtures("receiver")
def test_results_of_other_servers_alone_prove_nothing(run_command: Paperboy, set_up: Set) -> None:
    set_up(PROBE_AUTHSERV_ID="mx.other.example")
    assert _lines(run_command) == [
        f"results at {ADDRESS}: there are no results of mx.other.example, so nobody knows whether SPF and DKIM hold"
    ]
    set_up(PROBE_AUTHSERV_ID="")
    assert _lines(run_command) == []
    assert [line.partition(" is")[0] for line in _lines(run_command, "warning")] == [
        f"results at {ADDRESS}: PAPERBOY_PROBE_AUTHSERV_ID"
    ]


def test_a_relay_that_removes_a_one_click_field_is_found(run_command: Paperboy, receiver: Receiver) -> None:
    receiver.on_the_way = lambda mail: mail.replace(
        b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", b""
    )
    assert _lines(run_command) == [
        f"one-click at {ADDRESS}: List-Unsubscribe-Post was removed or changed on the way",
        f"DKIM at {ADDRESS}: {AUTHSERV_ID} says fail for DKIM",
    ]


@pytest.mark.usefixtures("receiver")
def test_a_signature_that_leaves_a_field_out_is_found(
    run_command: Paperboy, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tuple(name for name in dkim_signing.OVERSIGNED_HEADERS if name != b"list-unsubscribe-post")
    monkeypatch.setattr(dkim_signing, "OVERSIGNED_HEADERS", kept)
    assert _lines(run_command) == [
        f"signature at {ADDRESS}: the DKIM signature does not cover list-unsubscribe-post"
    ]


def test_a_probe_that_never_comes_or_is_refused_is_found_at_its_address(
    run_command: Paperboy, receiver: Receiver, set_up: Set
) -> None:
    deliver = receiver.deliver
    receiver.deliver = lambda mail: None if b"To: seed@example.com" in mail else deliver(mail)
    receiver.on_rcpt = lambda address: "550 5.1.1 nobody" if address.startswith("gone@") else None
    set_up(PROBE_TO="here@example.com, seed@example.com, gone@example.com")
    assert _lines(run_command) == [
        "arrival at gone@example.com: the probe was not sent: rcpt: 550 5.1.1 nobody",
        "arrival at seed@example.com: the probe did not come within 1 seconds",
    ]
    assert "arrival at here@example.com" in _lines(run_command, "ok")[0]


def test_the_reader_of_bounces_leaves_a_probe_alone_and_the_probe_finds_what_was_read(
    run_command: Paperboy, set_up: Set, server_tls: ssl.SSLContext, ca_file: Path, database_url: str
) -> None:
    set_up(DATABASE_URL=database_url)
    with ImapServer([], tls=server_tls) as inbox:
        set_up(INBOX_URL=f"imaps://user:{PASSWORD}@127.0.0.1:{inbox.port}/INBOX?ca={ca_file}")
        with _running(inbox.mails.append, set_up):
            assert _lines(run_command) == []
            assert inbox.seen == set()
            assert run_command("bounces")[1] == "1 left alone\n"
            assert inbox.seen == {0}
            inbox.mails.append(inbox.mails[0])
            assert run_command("bounces")[1] == "1 left alone\n"
    assert json.loads(run_command("status", "--json")[1]).get("returned", {}) == {}


@pytest.mark.usefixtures("receiver")
@pytest.mark.parametrize(
    ("missing", "line"),
    [("INBOX_URL", "so no probe can be read"), ("SMTP_URL", "so no probe can be sent")],
)
def test_without_a_server_or_an_inbox_the_command_says_what_to_set(
    run_command: Paperboy, set_up: Set, missing: str, line: str
) -> None:
    set_up(**{missing: ""})
    code, _, err = run_command("probe")
    assert (code, err) == (1, f"paperboy: PAPERBOY_{missing} is not set, {line}: see docs/watching.md")


def test_before_a_weekly_digest_a_fault_raises_an_alarm_and_the_digest_goes_out(
    paperboy: Paperboy, receiver: Receiver, set_up: Set
) -> None:
    set_up(PROBE_WEEKLY="true", OPERATOR=OPERATOR, SETTLE_MINUTES=0)
    paperboy(
        "subscribers", "add", "minji@example.com", "--language", "ko", "--frequency", "weekly", "--confirmed"
    )
    paperboy("ingest")
    receiver.public_key = public_key(OTHER_KEY)
    code, out, _ = paperboy("digest", Frequency.WEEKLY)
    assert (code, "1 sent" in out) == (0, True), out
    assert [mail.rcpt[0] for mail in receiver.messages] == [ADDRESS, OPERATOR, "minji@example.com"]
    alarm = message_from_bytes(receiver.messages[1].data, policy=policy.default).get_body(("plain",))
    assert "What failed: DKIM." in " ".join(str(alarm and alarm.get_content()).split())
    paperboy("digest", Frequency.DAILY)
    assert [mail.rcpt[0] for mail in receiver.messages[3:]] == []


def test_an_inbox_that_is_away_costs_the_digest_nothing(
    paperboy: Paperboy, receiver: Receiver, set_up: Set, caplog: pytest.LogCaptureFixture
) -> None:
    set_up(PROBE_WEEKLY="true", OPERATOR=OPERATOR, INBOX_URL="imaps://user:hunter2@127.0.0.1:1/INBOX")
    assert paperboy("digest", Frequency.WEEKLY)[0] == 0
    assert [mail.rcpt[0] for mail in receiver.messages] == [ADDRESS, OPERATOR]
    reason = "No probe could be made: the inbox on 127.0.0.1 cannot be reached: Connection refused"
    assert reason in caplog.text
    assert "hunter2" not in caplog.text
