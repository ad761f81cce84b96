"""The parser recognises the bounce mails of a corpus, whichever server wrote them, and survives garbage."""

import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bounces.parser import ParsedBounce, parse_bounce
from delivery.status_codes import FailureKind, failure_kind, status_from_text

CORPUS = Path(__file__).with_name("corpus")
EXPECTED: dict[str, dict[str, Any]] = tomllib.loads((CORPUS / "expected.toml").read_text(encoding="utf-8"))
KINDS_WITH_STATUS = ("bounce", "delay")


def _parse(name: str) -> ParsedBounce:
    return parse_bounce((CORPUS / f"{name}.eml").read_bytes())


def _statuses(bounce: ParsedBounce) -> list[str]:
    return [entry.status for entry in bounce.recipients]


@pytest.mark.parametrize("name", EXPECTED)
def test_each_mail_of_the_corpus_is_recognised(name: str) -> None:
    expected, found = EXPECTED[name], _parse(name)
    assert found.kind == expected["kind"]
    assert [entry.address for entry in found.recipients] == expected.get("recipients", [])
    if found.kind in KINDS_WITH_STATUS:
        assert _statuses(found) == expected["statuses"]


def test_the_corpus_is_complete() -> None:
    assert {path.stem for path in CORPUS.glob("*.eml")} == EXPECTED.keys()
    assert len(EXPECTED) >= 60


def test_nearly_every_recipient_and_status_is_found() -> None:
    wanted = [
        (name, recipient, status)
        for name, entry in EXPECTED.items()
        if entry["kind"] in KINDS_WITH_STATUS
        for recipient, status in zip(entry["recipients"], entry["statuses"], strict=True)
    ]
    found = {(name, entry.address): entry.status for name in EXPECTED for entry in _parse(name).recipients}
    recipients = sum((name, recipient) in found for name, recipient, _ in wanted)
    statuses = sum(found.get((name, recipient)) == status for name, recipient, status in wanted)
    assert recipients / len(wanted) >= 0.95
    assert statuses / len(wanted) >= 0.90


def test_a_bounce_for_our_own_fault_never_looks_like_a_dead_or_full_mailbox() -> None:
    names = [
        name
        for name, entry in EXPECTED.items()
        if FailureKind.OUR_FAULT in map(failure_kind, entry.get("statuses", []))
    ]
    assert len(names) >= 10
    for name in names:
        kinds = set(map(failure_kind, _statuses(_parse(name))))
        assert not {FailureKind.NO_SUCH_ADDRESS, FailureKind.MAILBOX_FULL} & kinds, name


@pytest.mark.parametrize(
    ("text", "stated_status", "status"),
    [
        ("550 5.1.1 <a@b.example>: User unknown", "5.0.0", "5.1.1"),
        ("552 5.2.2 over quota", "5.5.0", "5.2.2"),
        ("relay 5.6.7.8 said: 550 go away (from 10.5.1.1)", "5.0.0", "5.0.0"),
        ("Exim 4.94.2 on host: 421 come back", "", "4.3.2"),
        ("550 5.1.1 blocked, see the spam list", "5.1.1", "5.7.1"),
        ("550 5.1.1 user unknown, spam is refused as well", "5.1.1", "5.1.1"),
        ("550 5.1.1 user unknown, too many messages this hour", "5.1.1", "5.7.1"),
        ("550 unroutable sender address (in reply to MAIL FROM)", "5.1.2", "5.7.1"),
        ("550 INVALID IP FOR SENDING MAIL OF DOMAIN news.example", "", "5.7.1"),
        ("550 5.1.1 recipient address rejected: blocked by policy", "5.1.1", "5.7.1"),
        ("Host not found, try again", "5.1.2", "5.4.3"),
        ("user unknown, check the address and try again", "", "5.1.1"),
        ("552 5.2.2 too many messages this hour from your IP", "5.2.2", "5.7.1"),
        ("550 5.4.1 recipient address rejected: access denied", "5.4.1", "5.4.1"),
        ("550-5.2.1 The user is receiving mail at a rate that prevents more", "5.2.1", "5.7.1"),
        ("550 5.4.1 mail rejected by destination domain", "5.4.1", "5.7.1"),
        ("connection timed out", "5.4.1", "4.4.1"),
        ("the mailbox is full", "4.4.7", "4.2.2"),
        ("450 busy", "", "4.2.0"),
        ("551 user has moved", "", "5.1.6"),
        ("550 no", "", "5.0.0"),
        ("", "5.1.1 (bad destination)", "5.1.1"),
        ("", "", ""),
    ],
)
def test_the_most_exact_status_in_a_report_wins(text: str, stated_status: str, status: str) -> None:
    assert status_from_text(text, stated_status) == status


def test_each_status_code_stands_for_one_kind_of_failure() -> None:
    codes_by_kind = {
        FailureKind.NO_SUCH_ADDRESS: ("5.1.1", "5.1.10", "5.1.2"),
        FailureKind.MAILBOX_FULL: ("5.2.2", "4.2.2", "5.2.1"),
        FailureKind.DEAD_END: ("5.4.1", "5.4.4", "5.1.351", "5.4.310"),
        FailureKind.OUR_FAULT: ("5.7.1", "5.7.26", "5.6.0", "5.3.4", "5.2.3", "5.1.8"),
        FailureKind.TEMPORARY: ("4.1.1", "4.4.7"),
        FailureKind.UNCLEAR: ("5.4.6", "5.1.0", "5.2.0", "5.0.0", ""),
    }
    for kind, codes in codes_by_kind.items():
        assert {code: failure_kind(code) for code in codes} == dict.fromkeys(codes, kind)


def test_message_ids_and_tokens_of_our_mails_are_found() -> None:
    found = _parse("gmail-not-found")
    assert "5f0c2ab94d1e4b7f8a6632d05b8e9c11@news.example.com" in found.message_ids
    [token] = _parse("unsubscribe-by-mail").address_tokens
    assert (token.purpose, token.text) == ("unsubscribe", "AAECAwQFBgcICQoLDA0ODw")


@given(st.binary(max_size=2_000))
@settings(max_examples=150)
def test_any_bytes_can_be_parsed(raw: bytes) -> None:
    parse_bounce(raw)


@given(st.sampled_from(sorted(EXPECTED)), st.data())
@settings(max_examples=150)
def test_any_damaged_report_can_be_parsed(name: str, data: st.DataObject) -> None:
    raw = bytearray((CORPUS / f"{name}.eml").read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, max(len(raw) - 1, 0)))
        raw[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=20))
    parse_bounce(bytes(raw))


# Of this thread's processor time, which does not pass while the machine is busy with something else. The slowest mail
# takes a tenth of it; it would take minutes if the time grew with the square of the length.
MAX_SECONDS = 5


@pytest.mark.parametrize(
    "raw",
    [
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(20_000)),
        b"Content-Type: message/rfc822\n\n" * 50_000,
        b"From: mailer-daemon@x.example\nSubject: failure notice\n\nfailed 550 " + b"user " * 300_000,
        b"From: mailer-daemon@x.example\nSubject: failure notice\n\nfailed\n" + b"<a@b.example>:\n" * 90_000,
        b"Content-Type: text/html\n\n" + b"<style " * 100_000,
        b"Content-Type: message/delivery-status\n\n" + b"\n" * 1_500_000,
        b'Content-Type: multipart/mixed; x="' + b";" * 900_000 + b"\n\nhello",
        b'Content-Type: multipart/mixed; x="' + b";;;;\r\n\t" * 140_000 + b"\r\n\r\nhello",
    ],
    ids=[
        "multiparts",
        "mails in mails",
        "one long line",
        "addresses",
        "styles",
        "empty lines",
        "parameters",
        "folded parameters",
    ],
)
def test_a_mail_made_to_be_slow_is_parsed_within_seconds(raw: bytes) -> None:
    began = time.thread_time()
    parse_bounce(raw)
    assert time.thread_time() - began < MAX_SECONDS
