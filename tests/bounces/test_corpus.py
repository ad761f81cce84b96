"""Returned mail is read as what it is, whichever server wrote it: a corpus of shapes, and garbage."""

import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bounces.parser import Returned, read
from bounces.status_codes import meaning, status_of

CORPUS = Path(__file__).with_name("returned")
EXPECTED: dict[str, dict[str, Any]] = tomllib.loads((CORPUS / "expected.toml").read_text(encoding="utf-8"))
REPORTS = ("bounce", "delay")


def _read(name: str) -> Returned:
    return read((CORPUS / f"{name}.eml").read_bytes())


def _statuses(returned: Returned) -> list[str]:
    return [entry.status for entry in returned.recipients]


@pytest.mark.parametrize("name", EXPECTED)
def test_each_shape_is_read_as_what_it_is(name: str) -> None:
    expected, found = EXPECTED[name], _read(name)
    assert found.kind == expected["kind"]
    assert [entry.address for entry in found.recipients] == expected.get("recipients", [])
    if found.kind in REPORTS:
        assert _statuses(found) == expected["statuses"]


def test_the_corpus_is_whole() -> None:
    assert {path.stem for path in CORPUS.glob("*.eml")} == EXPECTED.keys()
    assert len(EXPECTED) >= 60


def test_of_all_reports_nearly_every_recipient_and_status_is_found() -> None:
    wanted = [
        (name, recipient, status)
        for name, entry in EXPECTED.items()
        if entry["kind"] in REPORTS
        for recipient, status in zip(entry["recipients"], entry["statuses"], strict=True)
    ]
    found = {(name, entry.address): entry.status for name in EXPECTED for entry in _read(name).recipients}
    recipients = sum((name, recipient) in found for name, recipient, _ in wanted)
    statuses = sum(found.get((name, recipient)) == status for name, recipient, status in wanted)
    assert recipients / len(wanted) >= 0.95
    assert statuses / len(wanted) >= 0.90


def test_no_report_on_a_fault_of_ours_reads_as_a_dead_or_full_address() -> None:
    ours = [name for name, entry in EXPECTED.items() if "ours" in map(meaning, entry.get("statuses", []))]
    assert len(ours) >= 10
    for name in ours:
        assert not {"dead", "full"} & set(map(meaning, _statuses(_read(name)))), name


@pytest.mark.parametrize(
    ("words", "stated", "status"),
    [
        ("550 5.1.1 <a@b.example>: User unknown", "5.0.0", "5.1.1"),
        ("552 5.2.2 over quota", "5.5.0", "5.2.2"),
        ("relay 5.6.7.8 said: 550 go away (from 10.5.1.1)", "5.0.0", "5.0.0"),
        ("Exim 4.94.2 on host: 421 come back", "", "4.3.2"),
        ("550 5.1.1 blocked, see the spam list", "5.1.1", "5.7.1"),
        ("550 5.1.1 user unknown, spam is refused as well", "5.1.1", "5.1.1"),
        ("the mailbox is full", "4.4.7", "4.2.2"),
        ("450 busy", "", "4.2.0"),
        ("551 user has moved", "", "5.1.6"),
        ("550 no", "", "5.0.0"),
        ("", "5.1.1 (bad destination)", "5.1.1"),
        ("", "", ""),
    ],
)
def test_a_status_is_the_most_exact_that_the_report_gives(words: str, stated: str, status: str) -> None:
    assert status_of(words, stated) == status


def test_a_code_means_what_is_done_about_it() -> None:
    assert [meaning(code) for code in ("5.1.1", "5.1.10", "5.1.2")] == ["dead"] * 3
    assert [meaning(code) for code in ("5.2.2", "4.2.2", "5.2.1")] == ["full"] * 3
    assert [meaning(code) for code in ("5.7.1", "5.7.26", "5.6.0", "5.3.4", "5.1.8")] == ["ours"] * 5
    assert [meaning(code) for code in ("4.1.1", "4.4.7", "5.4.1", "5.0.0", "")] == [
        "later", "later", "unclear", "unclear", "unclear"
    ]  # fmt: skip


def test_what_names_our_mail_is_found_in_the_report_and_in_the_mail_that_it_returns() -> None:
    found = _read("gmail-not-found")
    assert "5f0c2ab94d1e4b7f8a6632d05b8e9c11@news.example.com" in found.message_ids
    [token] = _read("unsubscribe-by-mail").addressed
    assert (token.purpose, token.text) == ("unsubscribe", "AAECAwQFBgcICQoLDA0ODw")


@given(st.binary(max_size=2_000))
@settings(max_examples=150)
def test_any_bytes_can_be_read(raw: bytes) -> None:
    read(raw)


@given(st.sampled_from(sorted(EXPECTED)), st.data())
@settings(max_examples=150)
def test_any_report_can_be_read_however_it_was_damaged(name: str, data: st.DataObject) -> None:
    raw = bytearray((CORPUS / f"{name}.eml").read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, max(len(raw) - 1, 0)))
        raw[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=20))
    read(bytes(raw))


@pytest.mark.parametrize(
    "raw",
    [
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(20_000)),
        b"Content-Type: message/rfc822\n\n" * 50_000,
        b"From: mailer-daemon@x.example\nSubject: failure notice\n\nfailed 550 " + b"user " * 300_000,
        b"From: mailer-daemon@x.example\nSubject: failure notice\n\nfailed\n" + b"<a@b.example>:\n" * 90_000,
        b"Content-Type: text/html\n\n" + b"<style " * 100_000,
        b"Content-Type: message/delivery-status\n\n" + b"\n" * 1_500_000,
    ],
    ids=["multiparts", "mails in mails", "one long line", "addresses", "styles", "empty lines"],
)
def test_a_mail_made_to_be_slow_is_read_soon(raw: bytes) -> None:
    began = time.process_time()
    read(raw)
    assert time.process_time() - began < 5
