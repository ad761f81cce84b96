"""DKIM signatures of our own, verified as a mailbox provider does."""

import base64
from dataclasses import replace
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from emails.content import Content
from emails.kinds import MailKind
from emails.message import Recipient, build_message
from emails.mime.dkim_signing import DkimKeyError, load_signer
from tests.support.factories import (
    IDENTITY,
    NOW,
    content_of_edition,
    digest_spec,
    edition_of,
    issue_of,
    send_messages,
)
from tests.support.servers.smtp import ScriptedServer

MINJI = Recipient("minji@example.com", "김민지", "0123456789abcdef")
LIST_FIELDS = ("Id", "Unsubscribe", "Unsubscribe-Post", "Help", "Owner", "Archive", "Post")
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key.pem"
    path.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    return path


@pytest.fixture
def received(key_file: Path) -> bytes:
    """A signed mail as the server received it."""
    identity = replace(IDENTITY, signer=load_signer("mail", key_file))
    content = content_of_edition(edition_of(issue_of()))
    message = build_message(
        digest_spec(), content, MINJI, identity, message_id="0f0f@paperboy.example", now=NOW
    )
    with ScriptedServer() as server:
        send_messages(server, [message])
    return server.messages[0].data


def look_up_key(name: bytes, timeout: int = 0) -> bytes:
    """The public key, at the name where providers look for it."""
    assert (name, timeout >= 0) == (b"mail._domainkey.paperboy.example.", True)
    public = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)


def is_valid(data: bytes) -> bool:
    return bool(dkim.verify(data, dnsfunc=look_up_key))


def test_the_signature_of_a_received_mail_is_valid(received: bytes) -> None:
    assert is_valid(received)


@pytest.mark.parametrize(
    "field", ["List-Unsubscribe", "List-Unsubscribe-Post", "From", "To", "Subject", "Date", "Message-ID"]
)
def test_a_change_in_a_signed_field_breaks_the_signature(received: bytes, field: str) -> None:
    """RFC 8058 (4) requires that both fields of one-click unsubscribing are signed."""
    start = f"\r\n{field}: ".encode()
    assert received.count(start) == 1
    assert not is_valid(received.replace(start, start + b"x"))


@pytest.mark.parametrize(
    "field",
    ["From", "To", "Subject", "Date", "Reply-To", *(f"List-{name}" for name in LIST_FIELDS)],
)
def test_nobody_can_add_a_field_to_a_signed_mail(received: bytes, field: str) -> None:
    """Mail programs differ in which of two fields they show (RFC 6376, 8.15)."""
    assert not is_valid(f"{field}: somebody@else.example\r\n".encode() + received)


def test_a_forwarder_may_add_fields_that_mean_nothing_to_a_reader(received: bytes) -> None:
    assert is_valid(b"Received: from a.example by b.example\r\nX-Spam-Score: 0\r\n" + received)


def test_a_letter_without_list_fields_is_signed_so_that_none_can_be_added(key_file: Path) -> None:
    identity = replace(IDENTITY, signer=load_signer("mail", key_file), reply_to="editors@paperboy.example")
    spec = replace(digest_spec(), kind=MailKind.CONFIRMATION)
    content = Content("제목", "<p>글</p>", "글", "0" * 20)
    letter = build_message(spec, content, MINJI, identity, message_id="0f@paperboy.example", now=NOW).data
    assert is_valid(letter)
    for field in ("List-Unsubscribe: <https://else.example>", "Reply-To: somebody@else.example"):
        assert not is_valid(f"{field}\r\n".encode() + letter)


def test_a_change_in_the_text_breaks_the_signature(received: bytes) -> None:
    assert not is_valid(received + b"And buy this\r\n")


@pytest.mark.parametrize("content", [b"", b"no key", None])
def test_an_unusable_key_is_reported_in_one_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DkimKeyError, match="PAPERBOY_DKIM_KEY_FILE") as caught:
        load_signer("mail", path)
    assert "\n" not in str(caught.value)
