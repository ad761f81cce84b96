"""A whole message, read back with the standard library: its headers, its two bodies and its envelope."""

import base64
import re
from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern_policy
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.frequencies import Frequency
from core.languages import Language
from delivery.editions import content_of, edition_row, spec_of
from emails.content import Content, MailSpec
from emails.kinds import RULES, WITH_PAPERS, MailKind
from emails.message import Message, Recipient, build_message, personalized
from emails.mime.body import Body
from emails.placeholders import NAMES, placeholder
from subscribers.tokens import LinkPurpose, read_token
from tests.support.factories import IDENTITY, NOW, content_of_edition, digest_spec, edition_of, issue_of

HANDLE = "0123456789abcdef"
MINJI = Recipient("minji@example.com", "김민지", HANDLE)
MESSAGE_ID = "0f0f@paperboy.example"


def encode(text: str) -> tuple[str, bytes]:
    """The encoding of a text without placeholders, and its encoded bytes."""
    body = Body(text)
    return body.encoding, b"".join(body.filled({}))


KOREAN, ENGLISH = digest_spec("ko"), digest_spec("en", "daily")


@pytest.fixture(scope="module")
def korean() -> Content:
    return content_of_edition(edition_of(issue_of(), language="ko"))


@pytest.fixture(scope="module")
def english() -> Content:
    return content_of_edition(edition_of(issue_of(), language="en", frequency="daily"))


def message_of(content: Content, recipient: Recipient = MINJI, spec: MailSpec = KOREAN) -> Message:
    return build_message(spec, content, recipient, IDENTITY, message_id=MESSAGE_ID, now=NOW)


def parsed(message: Message) -> EmailMessage:
    return message_from_bytes(message.data, policy=modern_policy)


def raw_field(message: Message, name: str) -> str:
    """A header field as it is sent, unfolded."""
    head = message.data.partition(b"\r\n\r\n")[0].decode("ascii")
    unfolded = re.sub(r"\r\n[ \t]+", " ", head)
    (value,) = re.findall(rf"(?m)^{name}: (.*?)\r?$", unfolded)
    return str(value)


def test_a_mail_has_every_header_that_mailbox_providers_require(korean: Content) -> None:
    message = message_of(korean)
    token = re.search(r"/u/([\w-]+)>", raw_field(message, "List-Unsubscribe"))
    assert token
    assert read_token(IDENTITY.key, LinkPurpose.UNSUBSCRIBE, token[1], NOW.date()) == HANDLE
    expected = {
        "From": "Paperboy <news@paperboy.example>",
        "List-Unsubscribe": f"<https://paperboy.example/u/{token[1]}>, "
        f"<mailto:unsubscribe+{token[1]}@paperboy.example?subject=unsubscribe>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "List-Id": "Paperboy <paperboy.paperboy.example>",
        "List-Help": "<https://paperboy.example/>",
        "List-Owner": "<mailto:news@paperboy.example>",
        "List-Archive": "<https://paperboy.example/archive>",
        "List-Post": "NO",
        "Precedence": "bulk",
        "Feedback-ID": "digest-ko:weekly:digest:paperboy",
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


def headers_of(kind: MailKind, **choices: Any) -> EmailMessage:
    spec = replace(KOREAN, kind=kind, **choices)
    return parsed(message_of(Content("제목", "<p>글</p>", "글", "0" * 20), spec=spec))


def test_a_reader_can_file_all_mails_by_one_list_identifier_that_never_changes() -> None:
    list_mails = [kind for kind in MailKind if RULES[kind].has_list_headers]
    assert {*WITH_PAPERS, MailKind.WELCOME} <= set(list_mails)
    assert {
        str(headers_of(kind, frequency=frequency)["List-Id"])
        for kind in list_mails
        for frequency in Frequency
    } == {"Paperboy <paperboy.paperboy.example>"}


def test_the_feedback_identifier_is_the_same_every_week_and_differs_by_kind_and_language() -> None:
    names = {
        str(headers_of(kind, language=language, slot=slot)["Feedback-ID"])
        for kind in MailKind
        for language in Language
        for slot in ("weekly:2025-W32", "weekly:2025-W33")
    }
    assert len(names) == len(MailKind) * len(Language)
    assert all(name.count(":") == 3 and name.endswith(":paperboy") for name in names)


@pytest.mark.parametrize("kind", MailKind)
def test_every_welcome_can_be_unsubscribed_by_one_click_and_no_letter_is_bulk(kind: MailKind) -> None:
    mail = headers_of(kind)
    is_list_mail = kind in {*WITH_PAPERS, MailKind.WELCOME, MailKind.PROBE}
    assert ("List-Unsubscribe" in mail, "List-Unsubscribe-Post" in mail) == (is_list_mail, is_list_mail)
    assert (mail["Precedence"] == "bulk") == (kind in {*WITH_PAPERS, MailKind.PROBE})


def test_replies_go_where_the_settings_say(korean: Content) -> None:
    assert "Reply-To" not in parsed(message_of(korean))
    identity = replace(IDENTITY, reply_to="editors@신문.example", contact="hello@신문.example")
    message = build_message(KOREAN, korean, MINJI, identity, message_id=MESSAGE_ID, now=NOW)
    assert raw_field(message, "Reply-To") == "editors@xn--z92b13l.example"
    assert raw_field(message, "List-Owner") == "<mailto:hello@xn--z92b13l.example>"


def test_the_envelope_sender_has_a_token_that_only_a_bounce_can_use(korean: Content) -> None:
    message = message_of(korean)
    token = message.envelope_from.removeprefix("bounces+").removesuffix("@paperboy.example")
    assert read_token(IDENTITY.key, LinkPurpose.BOUNCE, token, NOW.date()) == HANDLE
    assert message.envelope_to == "minji@example.com"


def test_the_headers_that_providers_collect_do_not_identify_the_subscriber(korean: Content) -> None:
    other = Recipient("jihoon@example.com", "박지훈", "f" * 16)
    for name in ("Feedback-ID", "List-Id", "List-Archive", "List-Owner", "List-Help"):
        assert raw_field(message_of(korean), name) == raw_field(message_of(korean, other), name)


def test_both_bodies_arrive_exactly_as_they_were_rendered(korean: Content, english: Content) -> None:
    for spec, content in ((KOREAN, korean), (ENGLISH, english)):
        html, text = personalized(spec, content, MINJI, IDENTITY, NOW)
        body = parsed(message_of(content, spec=spec))
        assert body.get_content_type() == "multipart/alternative"
        plain, page = body.iter_parts()
        assert (plain.get_content_type(), page.get_content_type()) == ("text/plain", "text/html")
        for part, written in ((plain, text), (page, html)):
            assert part.get_content_charset() == "utf-8"
            decoded = part.get_payload(decode=True)
            assert isinstance(decoded, bytes)
            assert decoded.decode() == written.replace("\n", "\r\n")


def test_each_recipient_has_their_own_links_in_both_bodies(korean: Content) -> None:
    html, text = personalized(KOREAN, korean, MINJI, IDENTITY, NOW)
    jihoon = Recipient("j@example.com", "박지훈", "f" * 16)
    other_html, other_text = personalized(KOREAN, korean, jihoon, IDENTITY, NOW)
    for mine, theirs in ((html, other_html), (text, other_text)):
        assert not set(personal_links(mine)) & set(personal_links(theirs))
        assert {path for path, _ in personal_links(mine)} == {"u", "p"}
        assert korean.nonce not in mine


def personal_links(body: str) -> list[tuple[str, str]]:
    return re.findall(r"https://paperboy\.example/([up])/([\w-]{22,24})", body)


def test_the_same_arguments_give_the_same_bytes(korean: Content) -> None:
    assert message_of(korean).data == message_of(korean).data


def test_no_line_has_over_998_octets_and_no_line_break_is_bare(korean: Content, english: Content) -> None:
    for content in (korean, english):
        hostile = replace(content, html=content.html + "긴" * 5000 + "x" * 5000 + "\r\rx", text="y" * 5000)
        data = message_of(hostile).data
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
def test_no_line_begins_with_a_dot_or_the_word_from(lines: list[str]) -> None:
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


TEXTS = st.text(alphabet=st.sampled_from("ab 한😀=.\n"), max_size=200)


@given(
    st.lists(st.tuples(TEXTS, st.sampled_from(NAMES)), max_size=6),
    TEXTS,
    st.lists(TEXTS, min_size=5, max_size=5),
)
def test_every_placeholder_is_replaced_whatever_is_around_it(
    fragments: list[tuple[str, str]], end: str, values: list[str]
) -> None:
    text = "".join(fragment + placeholder("n0nce", name) for fragment, name in fragments) + end
    by_name = {name: value.replace("\n", " ") for name, value in zip(NAMES, values, strict=True)}
    encoded_by_name = {name: value.encode() for name, value in by_name.items()}
    body = Body(text, "n0nce")
    encoded = b"".join(body.filled(encoded_by_name))
    assert encoded == b"".join(body.filled(encoded_by_name)), "a plan that is used again gives the same"
    assert max(len(line) for line in encoded.split(b"\r\n")) <= 76
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n|(?m:^\.)", encoded)
    part = message_from_bytes(f"Content-Transfer-Encoding: {body.encoding}\r\n\r\n".encode() + encoded)
    expected = "".join(fragment + by_name[name] for fragment, name in fragments) + end
    assert part.get_payload(decode=True) == expected.replace("\n", "\r\n").encode()


def test_korean_domains_of_sender_and_recipient_are_sent_in_ascii(korean: Content) -> None:
    identity = replace(IDENTITY, sender="논문 소식 <news@소식.한국>")
    recipient = MINJI._replace(email="minji@xn--vv4b11d.xn--3e0b707e")
    message_id = f"0f@{identity.domain}"
    message = build_message(KOREAN, korean, recipient, identity, message_id=message_id, now=NOW)
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
    mail = parsed(message_of(korean, MINJI._replace(name=name)))
    (to,) = mail["To"].addresses
    assert to.addr_spec == "minji@example.com"
    assert mail["Bcc"] is None
    page = mail.get_body(("html",))
    assert page
    assert "<script" not in page.get_content()


def test_a_stored_edition_gives_the_same_mail(korean: Content) -> None:
    row = edition_row(ENGLISH, korean, NOW)
    assert (spec_of(row), content_of(row)) == (ENGLISH, korean)
