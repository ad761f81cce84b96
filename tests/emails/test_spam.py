"""SpamAssassin judges every kind of mail as a reader's server receives it."""

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

# What speaks neither for nor against a mail, or for it. Any other rule that fires is a finding.
HARMLESS = {
    "HTML_MESSAGE",  # there is an HTML part
    "MAILING_LIST_MULTI",  # the headers are a mailing list's
    "SUBJ_ALL_CAPS",  # it reads Latin letters only, and a Korean title may hold but an acronym
    "WEIRD_QUOTING",  # the bytes of some Hangul, taken for quotation marks of Windows
}
SIGNED = (
    b"From To Subject Date Message-ID List-Unsubscribe List-Unsubscribe-Post MIME-Version Content-Type"
).split()
KEY = rsa.generate_private_key(65537, 2048).private_bytes(
    Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
)


class Verdict(NamedTuple):
    """What SpamAssassin says of a mail: its score, and what each rule that fired adds to it."""

    score: float
    rules: dict[str, float]


@pytest.fixture(scope="session")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Verdict]:
    """The verdict on each kind of mail, by its name."""
    program("spamassassin")  # before the work
    folder = tmp_path_factory.mktemp("spam")
    with closing(mailbox.mbox(folder / "received")) as received:
        for name, message in _relayed().items():
            received.add(f"X-Kind: {name}\n".encode() + _received(message))
    # One run for all: SpamAssassin takes two seconds to start.
    judged = output_of(
        "spamassassin",
        "--local",
        "--nocreate-prefs",
        "--mbox",
        "--cf=report_safe 0",
        "--cf=use_bayes 0",
        "--cf=add_header all Rules _TESTSSCORES(,)_",
        "--cf=add_header all Score _SCORE_",
        question=(folder / "received").read_bytes(),
        home=folder,
    )
    (folder / "judged").write_bytes(judged)
    with closing(mailbox.mbox(folder / "judged")) as mails:
        return {mail["X-Kind"]: _verdict(mail) for mail in mails}


def test_no_kind_of_mail_scores_above_zero(verdicts: dict[str, Verdict]) -> None:
    found = summary({name: [str(verdict)] for name, verdict in verdicts.items() if verdict.score > 0})
    assert not found, found


def test_no_rule_fires_but_those_of_a_signed_mailing_list(verdicts: dict[str, Verdict]) -> None:
    found = summary({name: verdict.rules.keys() - HARMLESS for name, verdict in verdicts.items()})
    assert not found, found


def _relayed() -> dict[str, Message]:
    """The mails by name, as the transport hands them to a relay.

    A daily mail of a post brings a part of what its weekly one does, one language of a post a part of both;
    the large issue and the first digest of a reader bring nothing new.
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
    """The mail with what a signing relay and the reader's server put in front of it."""
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


def _verdict(mail: mailbox.mboxMessage) -> Verdict:
    scores = [rule.partition("=") for rule in "".join(mail["X-Spam-Rules"].split()).split(",")]
    return Verdict(float(mail["X-Spam-Score"]), {name: float(score) for name, _, score in scores})
