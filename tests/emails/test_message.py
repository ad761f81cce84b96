"""A whole mail, read back with the standard library: its headers, its two bodies and its envelope."""

import base64
import re
from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern_policy

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from delivery.editions import content_of
from delivery.models import EditionRow
from emails.content import Content
from emails.message import Message, Recipient, build_message, personalized
from emails.mime.body import Body
from emails.rendering.placeholders import NAMES, placeholder
from subscribers.tokens import read_token
from tests.support.factories import IDENTITY, NOW, content_of_edition, edition_of, issue_of

HANDLE = "0123456789abcdef"
MINJI = Recipient("minji@example.com", "김민지", HANDLE, "ko")
MESSAGE_ID = "0f0f@paperboy.example"


def encode(text: str) -> tuple[str, bytes]:
    """A text without gaps: its encoding, and its bytes on the wire."""
    body = Body(text)
    return body.encoding, b"".join(body.personalized({}))


@pytest.fixture(scope="module")
def korean() -> Content:
    return content_of_edition(edition_of(issue_of(), language="ko"))


@pytest.fixture(scope="module")
def english() -> Content:
    return content_of_edition(edition_of(issue_of(), language="en", frequency="daily"))


def mail_of(content: Content, reader: Recipient = MINJI) -> Message:
    return build_message(content, reader, IDENTITY, message_id=MESSAGE_ID, now=NOW)


def parsed(message: Message) -> EmailMessage:
    return message_from_bytes(message.data, policy=modern_policy)


def raw_field(message: Message, name: str) -> str:
    """A field as it stands on the wire, unfolded."""
    head = message.data.partition(b"\r\n\r\n")[0].decode("ascii")
    unfolded = re.sub(r"\r\n[ \t]+", " ", head)
    (value,) = re.findall(rf"(?m)^{name}: (.*?)\r?$", unfolded)
    return str(value)


def test_a_mail_has_every_header_that_mailbox_providers_ask_for(korean: Content) -> None:
    message = mail_of(korean)
    token = re.search(r"/u/([\w-]+)>", raw_field(message, "List-Unsubscribe"))
    assert token
    assert read_token(IDENTITY.key, "unsubscribe", token[1], NOW.date()) == HANDLE
    expected = {
        "From": "Paperboy <news@paperboy.example>",
        "List-Unsubscribe": f"<https://paperboy.example/u/{token[1]}>, "
        f"<mailto:unsubscribe+{token[1]}@paperboy.example?subject=unsubscribe>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "List-Id": "Paperboy weekly <weekly.paperboy.paperboy.example>",
        "List-Help": "<https://paperboy.example/>",
        "List-Owner": "<mailto:news@paperboy.example>",
        "List-Archive": "<https://paperboy.example/archive>",
        "List-Post": "NO",
        "Feedback-ID": "weekly-2025-W32:weekly:weekly:paperboy",
        "Message-ID": f"<{MESSAGE_ID}>",
        "Auto-Submitted": "auto-generated",
        "MIME-Version": "1.0",
        "Content-Language": "ko",
        "Date": "Mon, 04 Aug 2025 08:00:00 -0000",
    }
    assert {name: raw_field(message, name) for name in expected} == expected
    assert parsed(message)["Subject"] == korean.subject
    assert str(parsed(message)["To"]) == "김민지 <minji@example.com>"
    assert len(parsed(message).keys()) == len(set(parsed(message).keys()))


def test_the_envelope_names_the_reader_by_a_token_that_only_a_bounce_can_use(korean: Content) -> None:
    message = mail_of(korean)
    token = message.envelope_from.removeprefix("bounces+").removesuffix("@paperboy.example")
    assert read_token(IDENTITY.key, "bounce", token, NOW.date()) == HANDLE
    assert message.envelope_to == "minji@example.com"


def test_nothing_that_providers_collect_names_the_reader(korean: Content) -> None:
    others = Recipient("jihoon@example.com", "박지훈", "f" * 16, "ko")
    for name in ("Feedback-ID", "List-Id", "List-Archive", "List-Owner", "List-Help"):
        assert raw_field(mail_of(korean), name) == raw_field(mail_of(korean, others), name)


def test_both_bodies_arrive_exactly_as_they_were_written(korean: Content, english: Content) -> None:
    for content in (korean, english):
        html, text = personalized(content, MINJI, IDENTITY, NOW)
        body = parsed(mail_of(content))
        assert body.get_content_type() == "multipart/alternative"
        plain, page = body.iter_parts()
        assert (plain.get_content_type(), page.get_content_type()) == ("text/plain", "text/html")
        for part, written in ((plain, text), (page, html)):
            assert part.get_content_charset() == "utf-8"
            decoded = part.get_payload(decode=True)
            assert isinstance(decoded, bytes)
            assert decoded.decode() == written.replace("\n", "\r\n")


def test_each_reader_has_their_own_name_and_links_in_both_bodies(korean: Content) -> None:
    html, text = personalized(korean, MINJI, IDENTITY, NOW)
    jihoon = Recipient("j@example.com", "박지훈", "f" * 16, "ko")
    other_html, other_text = personalized(korean, jihoon, IDENTITY, NOW)
    for mine, theirs in ((html, other_html), (text, other_text)):
        assert "김민지 님" in mine
        assert "박지훈 님" in theirs
        assert not set(links_of_one(mine)) & set(links_of_one(theirs))
        assert {path for path, _ in links_of_one(mine)} == {"u", "p"}
        assert korean.nonce not in mine


def links_of_one(body: str) -> list[tuple[str, str]]:
    return re.findall(r"https://paperboy\.example/([up])/([\w-]{22,24})", body)


def test_the_same_arguments_give_the_same_bytes(korean: Content) -> None:
    assert mail_of(korean).data == mail_of(korean).data


def test_a_mail_has_no_line_over_998_octets_and_no_bare_line_break(korean: Content, english: Content) -> None:
    for content in (korean, english):
        wild = replace(content, html=content.html + "긴" * 5000 + "x" * 5000 + "\r\rx", text="y" * 5000)
        data = mail_of(wild).data
        assert max(map(len, data.split(b"\r\n"))) <= 998
        assert not re.search(rb"\r(?!\n)|(?<!\r)\n", data)
        assert data.isascii()


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("An English page. " * 50, "quoted-printable"), ("주간 논문 소식입니다. " * 50, "base64")],
)
def test_the_smaller_encoding_is_chosen(text: str, encoding: str) -> None:
    chosen, body = encode(text)
    assert chosen == encoding
    assert len(body) <= len(base64.encodebytes(text.encode())) * 78 / 77 + 2


LINES = st.lists(
    st.sampled_from(
        [".", "..", ". x", "From ", "From the start", ">From ", "from", "한", "", "x" * 75 + "From "]
    )
)


@given(LINES)
@example(["From me"])
@example(["y" * 74 + " From the soft line break on"])
@example([".", "x" * 75 + ".", "y" * 74 + ".." + "z" * 74])
@example([".From here on"])
def test_no_line_begins_so_that_a_server_or_a_mailbox_would_change_it(lines: list[str]) -> None:
    text = "\n".join(lines)
    encoding, body = encode(text)
    assert not re.search(rb"(?m)^(From |\.)", body)
    assert max(map(len, body.split(b"\r\n"))) <= 76
    part = message_from_bytes(f"Content-Transfer-Encoding: {encoding}\r\n\r\n".encode() + body)
    assert part.get_payload(decode=True) == text.replace("\n", "\r\n").encode()


@given(st.text(alphabet=st.sampled_from("ab 한😀=.\n\r\t"), max_size=300))
@example("a\r\n.\r\nb")
@example("trailing \nspace ")
@example("lone\rreturn")
def test_every_text_survives_its_encoding(text: str) -> None:
    encoding, body = encode(text)
    part = message_from_bytes(f"Content-Transfer-Encoding: {encoding}\r\n\r\n".encode() + body)
    decoded = part.get_payload(decode=True)
    assert isinstance(decoded, bytes)
    assert decoded.decode() == re.sub(r"\r\n|\r|\n", "\r\n", text)


PIECES = st.text(alphabet=st.sampled_from("ab 한😀=.\n"), max_size=200)


@given(
    st.lists(st.tuples(PIECES, st.sampled_from(NAMES)), max_size=6),
    PIECES,
    st.lists(PIECES, min_size=5, max_size=5),
)
def test_every_gap_is_filled_where_it_stands_whatever_lies_around_it(
    pieces: list[tuple[str, str]], end: str, values: list[str]
) -> None:
    text = "".join(piece + placeholder("n0nce", name) for piece, name in pieces) + end
    personalized = {name: value.replace("\n", " ") for name, value in zip(NAMES, values, strict=True)}
    body = Body(text, "n0nce")
    encoded = b"".join(body.personalized({name: value.encode() for name, value in personalized.items()}))
    assert encoded == b"".join(
        body.personalized({name: value.encode() for name, value in personalized.items()})
    )
    assert max(len(line) for line in encoded.split(b"\r\n")) <= 76
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n|(?m:^\.)", encoded)
    part = message_from_bytes(f"Content-Transfer-Encoding: {body.encoding}\r\n\r\n".encode() + encoded)
    expected = "".join(piece + personalized[name] for piece, name in pieces) + end
    assert part.get_payload(decode=True) == expected.replace("\n", "\r\n").encode()


def test_a_korean_sender_and_reader_domain_go_out_in_ascii(korean: Content) -> None:
    identity = replace(IDENTITY, sender="논문 소식 <news@소식.한국>")
    reader = replace(MINJI, email="minji@xn--vv4b11d.xn--3e0b707e")
    message = build_message(korean, reader, identity, message_id=f"0f@{identity.domain}", now=NOW)
    assert identity.domain.startswith("xn--")
    assert message.envelope_from.endswith(f"@{identity.domain}")
    assert message.envelope_from.isascii()
    (sender,) = parsed(message)["From"].addresses
    assert (sender.display_name, sender.addr_spec) == ("논문 소식", f"news@{identity.domain}")
    assert f"<news@{identity.domain}>".encode() in message.data


@settings(max_examples=30)
@given(st.text(max_size=80))
@example('"Robert"\r\nBcc: everyone@example.com\r\n\r\n<script>alert(1)</script>')
@example("a@b, c@d; <e@f>")
def test_no_name_breaks_a_mail(korean: Content, name: str) -> None:
    mail = parsed(mail_of(korean, replace(MINJI, name=name)))
    (to,) = mail["To"].addresses
    assert to.addr_spec == "minji@example.com"
    assert mail["Bcc"] is None
    page = mail.get_body(("html",))
    assert page
    assert "<script" not in page.get_content()


def test_a_stored_edition_gives_the_same_mail(korean: Content) -> None:
    row = EditionRow(
        slot=korean.slot,
        language=korean.language,
        frequency=korean.frequency,
        subject=korean.subject,
        html=korean.html,
        text=korean.text,
        nonce=korean.nonce,
        after=0,
        papers=[1],
        created_at=NOW,
    )
    assert content_of(row) == korean
