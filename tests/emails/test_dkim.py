"""Signatures made here, as a mailbox provider checks them."""

import base64
from dataclasses import replace
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from emails.message import Recipient, build_message
from emails.mime.dkim_signing import DkimKeyError, load_signer
from tests.support.factories import IDENTITY, NOW, content_of_edition, edition_of, issue_of, send_messages
from tests.support.servers.smtp import ScriptedServer

MINJI = Recipient("minji@example.com", "김민지", "0123456789abcdef", "ko")
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key.pem"
    path.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    return path


@pytest.fixture
def arrived(key_file: Path) -> bytes:
    """A signed mail as the server got it."""
    identity = replace(IDENTITY, signer=load_signer("mail", key_file))
    content = content_of_edition(edition_of(issue_of()))
    with ScriptedServer() as server:
        send_messages(
            server, [build_message(content, MINJI, identity, message_id="0f0f@paperboy.example", now=NOW)]
        )
    return server.messages[0].data


def in_dns(name: bytes, timeout: int = 0) -> bytes:
    """The public key, where providers look for it."""
    assert (name, timeout >= 0) == (b"mail._domainkey.paperboy.example.", True)
    public = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)


def is_valid(data: bytes) -> bool:
    return bool(dkim.verify(data, dnsfunc=in_dns))


def test_a_signed_mail_passes_as_it_arrives(arrived: bytes) -> None:
    assert is_valid(arrived)


@pytest.mark.parametrize(
    "field", ["List-Unsubscribe", "List-Unsubscribe-Post", "From", "To", "Subject", "Date", "Message-ID"]
)
def test_a_change_in_a_field_that_counts_breaks_the_signature(arrived: bytes, field: str) -> None:
    """In particular in both of one-click unsubscribing (RFC 8058, 4)."""
    start = f"\r\n{field}: ".encode()
    assert arrived.count(start) == 1
    assert not is_valid(arrived.replace(start, start + b"x"))


def test_a_change_in_the_text_breaks_the_signature(arrived: bytes) -> None:
    assert not is_valid(arrived + b"And buy this\r\n")


@pytest.mark.parametrize("content", [b"", b"no key", None])
def test_a_key_that_cannot_be_used_is_told_in_one_line_before_any_mail(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DkimKeyError, match="PAPERBOY_DKIM_KEY_FILE") as caught:
        load_signer("mail", path)
    assert "\n" not in str(caught.value)
