"""A mail's bytes to its header fields and the parts that tell why it came back. Pure, bounded, never fails."""

import binascii
import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser

from selectolax.lexbor import LexborHTMLParser

MOST_BYTES = 1_000_000  # of a mail that are read
MOST_CONTAINERS = 20  # multiparts and enclosed mails; the parser calls itself for each
MOST_TEXT = 60_000  # characters of a part
MOST_PARTS = 40

Fields = tuple[tuple[str, str], ...]

_MARKS = (b"boundary=", b"message/")
_ORIGINALS = {
    "message/rfc822", "message/global", "message/partial", "message/x-rfc822", "message/news",
    "text/rfc822-headers", "text/rfc822-header", "text/rfc822", "message/rfc822-headers",
    "message/global-headers", "text/x-rfc822-headers",
}  # fmt: skip
_STATUSES = {"message/delivery-status", "message/global-delivery-status", "text/delivery-status"}
_FAULTS = (MessageError, ValueError, LookupError, TypeError, AttributeError, RecursionError, AssertionError)
_CHARSETS = {"ks_c_5601-1987": "cp949", "euc-kr": "cp949", "ksc5601": "cp949", "shift_jis": "cp932"}
_FIELD = re.compile(r"([!-9;-~]{1,60})[ \t]*:[ \t]*(.*)")


@dataclass(frozen=True)
class Unpacked:
    """A mail in parts: `fields` of its header, its texts, what delivery reports (RFC 3464) and feedback
    reports (RFC 5965) say, and the header fields of the mail that is returned in it."""

    content_type: str
    report_type: str
    fields: Fields
    texts: tuple[str, ...]
    reports: tuple[str, ...]
    feedback: str
    is_receipt: bool
    original: Fields

    def values(self, *names: str) -> list[str]:
        """What the header's fields of these names hold, in the order of the names."""
        return values(self.fields, *names)

    def value(self, name: str) -> str:
        """The first field of a name, or nothing."""
        return next(iter(self.values(name)), "")


def values(fields: Fields, *names: str) -> list[str]:
    """What the fields of these names (in lower case) hold, in the order of the names."""
    return [value for name in names for field, value in fields if field == name]


def unpack(raw: bytes) -> Unpacked:
    """The parts of a mail, of its first MOST_BYTES; bytes that are no mail give what little there is."""
    raw = re.sub(rb"\AFrom [^\n]*\n", b"", raw[:MOST_BYTES].lstrip(b"\r\n"))
    raw = re.sub(rb"(?:\r?\n){4,}", b"\n\n\n", raw)  # of a report, each empty line would be a mail of its own
    try:
        message = _parsed(raw)
        parts = list(_parts(message))
    except _FAULTS:
        message, parts = Message(), [("text/plain", raw[:MOST_TEXT].decode("utf-8", "replace"))]
    plain = [text for kind, text in parts if kind == "text/plain" and text.strip()]
    html = [text for kind, text in parts if kind == "text/html"]
    originals = [text for kind, text in parts if kind == "original"]
    return Unpacked(
        content_type=message.get_content_type(),
        report_type=_parameter(message, "report-type"),
        fields=_fields_of(message),
        texts=tuple(plain if sum(map(len, plain)) > 40 else plain + [_text_of_html(page) for page in html]),
        reports=tuple(text for kind, text in parts if kind == "report"),
        feedback="\n".join(text for kind, text in parts if kind == "feedback"),
        is_receipt=any(kind == "receipt" for kind, _ in parts),
        original=fields_of_text(originals[0]) if originals else (),
    )


def fields_of_text(text: str) -> Fields:
    """The header fields that a text begins with (RFC 5322, 2.2), names in lower case, lines unfolded."""
    found: list[list[str]] = []
    for line in text.lstrip("\r\n").splitlines()[:400]:
        if line[:1] in {" ", "\t"} and line.strip() and found:
            found[-1][1] += " " + line.strip()
        elif match := _FIELD.fullmatch(line):
            found.append([match[1].lower(), match[2].strip()])
        elif not line.strip():
            break
    return tuple((name, decoded(value[:2_000])) for name, value in found)


def decoded(value: str) -> str:
    """A header's value with its encoded words (RFC 2047) in plain text, as far as they can be read."""
    if "=?" not in value:
        return value
    try:
        return str(make_header(decode_header(value)))
    except _FAULTS:
        return value


def _parsed(raw: bytes) -> Message:
    lowered = raw.lower()
    if sum(lowered.count(mark) for mark in _MARKS) > MOST_CONTAINERS:
        return BytesHeaderParser().parsebytes(raw)
    return message_from_bytes(raw)


def _parts(message: Message) -> Iterator[tuple[str, str]]:
    """What kind each part is, and its text; nothing of what is in the returned mail."""
    waiting, seen = [message], 0
    while waiting and seen < MOST_PARTS:
        part, seen = waiting.pop(0), seen + 1
        kind = part.get_content_type()
        if kind in _STATUSES:
            yield "report", _text_of_blocks(part)
        elif kind == "message/feedback-report":
            yield "feedback", _text_of_blocks(part)
        elif kind == "message/disposition-notification":
            yield "receipt", _text_of_blocks(part)
        elif kind in _ORIGINALS and part is not message:
            yield "original", _text_of_original(part)
        elif part.is_multipart():
            waiting[:0] = [inner for inner in part.get_payload() if isinstance(inner, Message)]
        elif kind in {"text/plain", "text/html"}:
            yield kind, _text_of(part)
        elif kind.startswith("text/") or part is message:
            yield "text/plain", _text_of(part)


def _text_of(part: Message) -> str:
    payload = part.get_payload(decode=True)
    return _as_text(payload, part.get_content_charset("")) if isinstance(payload, bytes) else ""


def _as_text(content: bytes, charset: str) -> str:
    """Bytes as text by their charset, or by those that mails without one are likely to be in."""
    content = content[: MOST_TEXT * 3]
    named = _CHARSETS.get(charset.lower(), charset)
    guesses = ("iso-2022-jp", "utf-8", "cp949") if b"\x1b$" in content else ("utf-8", "cp949")
    for name in (named, *guesses) if named and named != "us-ascii" else guesses:
        try:
            return codecs.lookup(name).incrementaldecoder("strict").decode(content)[:MOST_TEXT]
        except _FAULTS:
            continue
    return content.decode("latin-1")[:MOST_TEXT]


def _text_of_blocks(part: Message) -> str:
    """The text of a report: the standard library takes each of its blocks for a mail of its own."""
    if not part.is_multipart():
        return _text_of(part)
    blocks = [inner for inner in part.get_payload() if isinstance(inner, Message)][:500]
    if str(part.get("content-transfer-encoding", "")).strip().lower() == "base64":
        payloads = (inner.get_payload() for inner in blocks)
        return _from_base64("".join(text for text in payloads if isinstance(text, str)))
    return "\n\n".join(_as_lines(inner) for inner in blocks)[:MOST_TEXT]


def _from_base64(text: str) -> str:
    try:
        return _as_text(binascii.a2b_base64(text), "")
    except ValueError:
        return ""


def _text_of_original(part: Message) -> str:
    inner = part.get_payload()
    if isinstance(inner, list) and inner and isinstance(inner[0], Message):
        return _as_lines(inner[0])
    return _text_of(part)


def _as_lines(message: Message) -> str:
    lines = [f"{name}: {value}" for name, value in _raw_fields(message)]
    return "\n".join([*lines, "", _text_of(message)])


def _raw_fields(message: Message) -> list[tuple[str, str]]:
    return [(name, " ".join(_mended(str(value)).split())) for name, value in message.raw_items()]


def _mended(text: str) -> str:
    """Text of the parser's, which keeps the bytes that are not ASCII as surrogates."""
    return text if text.isascii() else _as_text(text.encode("utf-8", "surrogateescape"), "")


def _fields_of(message: Message) -> Fields:
    return tuple((name.lower(), decoded(value[:5_000])) for name, value in _raw_fields(message)[:400])


def _parameter(message: Message, name: str) -> str:
    try:
        return str(message.get_param(name, "")).lower()
    except _FAULTS:
        return ""


def _text_of_html(page: str) -> str:
    """What a page says, a line for each block."""
    tree = LexborHTMLParser(page)
    for node in tree.css("style, script, title"):
        node.decompose()
    return re.sub(r"[ \t\xa0]+", " ", tree.body.text(separator="\n")) if tree.body else ""
