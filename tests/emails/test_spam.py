"""SpamAssassin checks every kind of mail as a recipient's server receives it."""

import mailbox
import re
from contextlib import closing
from email import message_from_bytes, policy
from typing import NamedTuple

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support.all_mails import every_kind, summary
from tests.support.factories import send_messages
from tests.support.programs import output_of, program
from tests.support.servers.smtp import Message, ScriptedServer

# Rules that count neither for nor against a mail, or for it. Any other rule that matches is a finding.
HARMLESS = {
    "HTML_MESSAGE",  # there is an HTML part
    "MAILING_LIST_MULTI",  # the headers are a mailing list's
    "SUBJ_ALL_CAPS",  # it only looks at Latin letters, and an acronym may be the only ones in a Korean title
    "WEIRD_QUOTING",  # it takes the bytes of some Hangul for quotation marks of Windows
}
SIGNED = (
    b"From To Subject Date Message-ID List-Unsubscribe List-Unsubscribe-Post MIME-Version Content-Type"
).split()
KEY = rsa.generate_private_key(65537, 2048).private_bytes(
    Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
)


class SpamReport(NamedTuple):
    """SpamAssassin's report on a mail: its score, and the score of each rule that matched."""

    score: float
    rules: dict[str, float]


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SpamReport]:
    """The report on each kind of mail, by its name."""
    program("spamassassin")  # skips before any work is done
    folder = tmp_path_factory.mktemp("spam")
    with closing(mailbox.mbox(folder / "received")) as received:
        for name, message in _relayed().items():
            received.add(f"X-Kind: {name}\n".encode() + _received(message))
    # One run for all: SpamAssassin takes two seconds to start.
    checked = output_of(
        "spamassassin",
        "--local",
        "--nocreate-prefs",
        "--mbox",
        "--cf=report_safe 0",
        "--cf=use_bayes 0",
        "--cf=add_header all Rules _TESTSSCORES(,)_",
        "--cf=add_header all Score _SCORE_",
        standard_input=(folder / "received").read_bytes(),
        home=folder,
    )
    (folder / "checked").write_bytes(checked)
    with closing(mailbox.mbox(folder / "checked")) as mails:
        return {mail["X-Kind"]: _report(mail) for mail in mails}


def test_no_kind_of_mail_scores_above_zero(reports: dict[str, SpamReport]) -> None:
    found = summary({name: [str(report)] for name, report in reports.items() if report.score > 0})
    assert not found, found


def test_no_rules_match_except_those_of_a_signed_mailing_list(reports: dict[str, SpamReport]) -> None:
    found = summary({name: report.rules.keys() - HARMLESS for name, report in reports.items()})
    assert not found, found


def _relayed() -> dict[str, Message]:
    """The mails by name, as the transport sends them to a relay.

    Mails whose texts are all in other mails are left out: daily ones, single languages, the large issue and the
    welcome digest.
    """
    kinds = [
        kind
        for kind in every_kind()
        if not re.match(r"(sample|shared)-\d+-(daily|weekly-(ko|en))|large|edited-welcome", kind.name)
    ]
    with ScriptedServer() as relay:
        send_messages(relay, (kind.message for kind in kinds))
        return {kind.name: message for kind, message in zip(kinds, relay.messages, strict=True)}


def _received(message: Message) -> bytes:
    """The mail with the headers that a signing relay and the recipient's server add."""
    parsed = message_from_bytes(message.data, policy=policy.default)
    domain, date = parsed["From"].addresses[0].domain, parsed["Date"]
    signature: bytes = dkim.sign(message.data, b"mail", domain.encode(), KEY, include_headers=SIGNED)
    head = (
        f"Return-Path: <{message.envelope_from}>\r\n"
        f"Received: from mail.{domain} (mail.{domain} [93.184.215.14])\r\n"
        f"\tby mx.reader.example (Postfix) with ESMTPS id 4bwKzq1Xn7z9\r\n"
        f"\tfor <{message.rcpt[0]}>; {date}\r\n"
        f"Received: from localhost (localhost [127.0.0.1])\r\n"
        f"\tby mail.{domain} (Postfix) with ESMTP id 4bwKzp5Yw2z3\r\n"
        f"\tfor <{message.rcpt[0]}>; {date}\r\n"
    ).encode()
    return (head + signature + message.data).replace(b"\r\n", b"\n")


def _report(mail: mailbox.mboxMessage) -> SpamReport:
    scores = [rule.partition("=") for rule in "".join(mail["X-Spam-Rules"].split()).split(",")]
    return SpamReport(float(mail["X-Spam-Score"]), {name: float(score) for name, _, score in scores})
