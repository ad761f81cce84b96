"""DKIM signatures of our own, verified as a mailbox provider does."""

import base64
import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from emails.content import Content
from emails.kinds import MailKind
from emails.message import MessageTemplate, Recipient, build_message
from emails.mime.dkim_keys import load_signer
from emails.mime.dkim_signing import DkimKeyError
from emails.placeholders import placeholder
from subscribers.tokens import LinkPurpose
from tests.support.factories import (
    IDENTITY,
    NOW,
    content_of_edition,
    digest_spec,
    edition_of,
    issue_of,
    send_messages,
)
from tests.support.programs import MAIL_CHECKS, node_module, output_of
from tests.support.servers.smtp import ScriptedServer

MINJI = Recipient("minji@example.com", "김민지", "0123456789abcdef")
LIST_FIELDS = ("Id", "Unsubscribe", "Unsubscribe-Post", "Help", "Owner", "Archive", "Post")
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
MODERN_KEY = ed25519.Ed25519PrivateKey.generate()
RECORDS = {
    "mail._domainkey.paperboy.example": "v=DKIM1; k=rsa; p="
    + base64.b64encode(
        KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).decode(),
    "modern._domainkey.paperboy.example": "v=DKIM1; k=ed25519; p="
    + base64.b64encode(MODERN_KEY.public_key().public_bytes_raw()).decode(),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of both keys."""
    folder = tmp_path_factory.mktemp("keys")
    (folder / "rsa.pem").write_bytes(
        KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    )
    (folder / "modern.pem").write_bytes(
        MODERN_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return folder


@pytest.fixture(scope="module")
def received(folder: Path) -> bytes:
    """A mail with one signature as the server received it."""
    return receive(folder, ["mail"], ["rsa.pem"])


def receive(folder: Path, selectors: list[str], files: list[str]) -> bytes:
    """A mail that was signed with the keys, as the server received it."""
    identity = replace(IDENTITY, signer=load_signer(selectors, [folder / file for file in files]))
    content = content_of_edition(edition_of(issue_of()))
    message = build_message(
        digest_spec(), content, MINJI, identity, message_id="0f0f@paperboy.example", now=NOW
    )
    with ScriptedServer() as server:
        send_messages(server, [message])
    return server.messages[0].data


def is_valid(data: bytes) -> bool:
    """Whether dkimpy finds the first signature valid, with the public key at the name where providers look for it."""
    return bool(dkim.verify(data, dnsfunc=look_up))


def look_up(name: bytes, timeout: int = 0) -> bytes:  # noqa: ARG001  dkimpy names it
    """The record of a key."""
    return RECORDS[name.decode().rstrip(".")].encode()


def results_of_mailauth(data: bytes, home: Path) -> dict[str, str]:
    """What mailauth says about each signature, by its selector."""
    node_module("mailauth")
    mail = {"mail": base64.b64encode(data).decode(), "keys": RECORDS}
    output = output_of(
        "node", MAIL_CHECKS / "verify_dkim.mjs", standard_input=json.dumps(mail).encode(), home=home
    )
    results: dict[str, str] = json.loads(output)
    return results


def test_the_signature_of_a_received_mail_is_valid(received: bytes) -> None:
    assert is_valid(received)


def test_two_verifiers_accept_the_signature_of_each_key(folder: Path, tmp_path: Path) -> None:
    """An RSA key for every receiver and an Ed25519 key for modern ones (RFC 8463), of which dkimpy knows the first."""
    data = receive(folder, ["mail", "modern"], ["rsa.pem", "modern.pem"])
    assert is_valid(data)
    assert results_of_mailauth(data, tmp_path) == {"mail": "pass", "modern": "pass"}
    changed = data.replace(b"Subject: ", b"Subject: x")
    assert not is_valid(changed)
    assert results_of_mailauth(changed, tmp_path) == {"mail": "fail", "modern": "fail"}


WORDS = st.text(st.characters(blacklist_categories=["Cs"]), max_size=60)
BODIES = st.lists(WORDS | st.sampled_from(["\n", " \n", "\t", ".", "From ", "가나다" * 40]), max_size=12).map(
    "".join
)


@settings(deadline=None, max_examples=60)
@given(subject=WORDS, name=WORDS, html=BODIES, text=BODIES)
def test_every_mail_that_can_be_written_has_a_valid_signature(
    folder: Path, subject: str, name: str, html: str, text: str
) -> None:
    nonce = "0123456789abcdef0123"
    link = placeholder(nonce, LinkPurpose.UNSUBSCRIBE)
    content = Content(subject, f"{html}{link}{html}", f"{text}{link}", nonce)
    identity = replace(IDENTITY, signer=load_signer(["mail"], [folder / "rsa.pem"]))
    template = MessageTemplate(digest_spec(), content, identity)
    recipients = (MINJI._replace(name=name), MINJI)
    mails = [template.build(recipient, message_id="0f@paperboy.example", now=NOW) for recipient in recipients]
    assert all(is_valid(mail.data) for mail in mails)


def test_a_signature_says_when_it_was_made(folder: Path) -> None:
    identity = replace(IDENTITY, signer=load_signer(["mail"], [folder / "rsa.pem"]))
    template = MessageTemplate(digest_spec(), Content("제목", "<p>글</p>", "글", "0" * 20), identity)
    later = NOW + timedelta(days=2)
    written = (template.build(MINJI, message_id="0f@paperboy.example", now=now).data for now in (NOW, later))
    times = [int(dkim.util.parse_tag_value(signature_of(data))[b"t"]) for data in written]
    assert times == [int(NOW.timestamp()), int(later.timestamp())]


def signature_of(data: bytes) -> bytes:
    """The value of the first DKIM-Signature field."""
    return data.partition(b"DKIM-Signature:")[2].partition(b"\r\nDate:")[0]


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


def test_a_letter_without_list_fields_is_signed_so_that_none_can_be_added(folder: Path) -> None:
    signer = load_signer(["mail"], [folder / "rsa.pem"])
    identity = replace(IDENTITY, signer=signer, reply_to="editors@paperboy.example")
    spec = replace(digest_spec(), kind=MailKind.CONFIRMATION)
    content = Content("제목", "<p>글</p>", "글", "0" * 20)
    letter = build_message(spec, content, MINJI, identity, message_id="0f@paperboy.example", now=NOW).data
    assert is_valid(letter)
    for field in ("List-Unsubscribe: <https://else.example>", "Reply-To: somebody@else.example"):
        assert not is_valid(f"{field}\r\n".encode() + letter)


def test_a_change_in_the_text_breaks_the_signature(received: bytes) -> None:
    assert not is_valid(received + b"And buy this\r\n")


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, password: bytes = b"") -> bytes:
    """The file of a key."""
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


UNUSABLE_KEYS: Iterable[bytes | None] = (
    None,
    b"",
    b"no key",
    pem(ec.generate_private_key(ec.SECP256R1())),
    pem(KEY, password=b"secret"),
)


@pytest.mark.parametrize(
    "content", UNUSABLE_KEYS, ids=["missing", "empty", "no key", "other kind", "password"]
)
def test_an_unusable_key_is_reported_in_one_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DkimKeyError, match="PAPERBOY_DKIM_KEY_FILE") as caught:
        load_signer(["mail"], [path])
    assert "\n" not in str(caught.value)


def test_as_many_selectors_as_keys_are_needed(folder: Path) -> None:
    with pytest.raises(
        DkimKeyError, match="PAPERBOY_DKIM_SELECTOR: name one selector for each of the 2 keys"
    ):
        load_signer(["mail"], [folder / "rsa.pem", folder / "modern.pem"])
