"""Parses the MIME structure of a bounce mail into header fields, texts and reports.

The parser is pure, bounded in time and memory, and never fails: anyone can send anything to the inbox.
"""

import binascii
import codecs
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser

from selectolax.lexbor import LexborHTMLParser

MAX_MAIL_BYTES = 1_000_000  # bytes of a mail that are read
MAX_NESTED_PARTS = 20  # multiparts and enclosed mails; the standard library's parser recurses for each
MAX_PARTS = 40
MAX_TEXT_CHARS = 60_000  # characters of one part
_MAX_FIELD_LINES = 400
_MAX_REPORT_BLOCKS = 500
_MIN_PLAIN_TEXT_CHARS = 40  # with less plain text than this the HTML part is read as well

HeaderFields = tuple[tuple[str, str], ...]  # pairs of a field's name in lower case and its value

_NESTING_MARKERS = (b"boundary=", b"message/")
# The standard library takes quadratic time for the parameters in this field: minutes for one of a megabyte.
_LONG_CONTENT_TYPE = re.compile(
    rb"(?<![^\r\n])(content-type:(?:[^\r\n]|(?:\r\n|\r|\n)[ \t]){2000})(?:[^\r\n]|(?:\r\n|\r|\n)[ \t])+",
    re.IGNORECASE,
)
_ORIGINAL_TYPES = {
    "message/rfc822", "message/global", "message/partial", "message/x-rfc822", "message/news",
    "text/rfc822-headers", "text/rfc822-header", "text/rfc822", "message/rfc822-headers",
    "message/global-headers", "text/x-rfc822-headers",
}  # fmt: skip
_DELIVERY_STATUS_TYPES = {
    "message/delivery-status", "message/global-delivery-status", "text/delivery-status"
}  # fmt: skip
# The standard library's email package raises any of these on malformed mails.
_PARSE_ERRORS = (
    MessageError, ValueError, LookupError, TypeError, AttributeError, RecursionError, AssertionError
)  # fmt: skip
_CHARSET_ALIASES = {"ks_c_5601-1987": "cp949", "euc-kr": "cp949", "ksc5601": "cp949", "shift_jis": "cp932"}
_FIELD = re.compile(r"([!-9;-~]{1,60})[ \t]*:[ \t]*(.*)")


@dataclass(frozen=True)
class ParsedMail:
    """A mail, split into its parts.

    `header` are the mail's own header fields and `texts` its readable parts. `delivery_reports` are the
    texts of its delivery reports (RFC 3464), `feedback_report` that of its feedback report (RFC 5965).
    `original_header` are the header fields of the original mail, which a bounce usually encloses.
    """

    report_type: str
    header: HeaderFields
    texts: tuple[str, ...]
    delivery_reports: tuple[str, ...]
    feedback_report: str
    is_read_receipt: bool
    original_header: HeaderFields

    def values(self, *names: str) -> list[str]:
        """The values of the header fields with these names, in the order of the names."""
        return field_values(self.header, *names)

    def value(self, name: str) -> str:
        """The value of the first header field with this name, or an empty string."""
        return next(iter(self.values(name)), "")


def field_values(fields: HeaderFields, *names: str) -> list[str]:
    """The values of the fields with these names (in lower case), in the order of the names."""
    return [value for name in names for field, value in fields if field == name]


def parse_mail(raw: bytes) -> ParsedMail:
    """Parse the first MAX_MAIL_BYTES of a mail.

    Bytes that are not a mail, such as JSON, become one with a single text and no header fields.
    """
    # A mail from a pipe or an mbox begins with the line "From sender date", which is not a header field.
    raw = re.sub(rb"\AFrom [^\n]*\n", b"", raw[:MAX_MAIL_BYTES].lstrip(b"\r\n"))
    # In a delivery report the standard library turns every empty line into a message object of its own.
    raw = re.sub(rb"(?:\r?\n){4,}", b"\n\n\n", raw)
    raw = _LONG_CONTENT_TYPE.sub(rb"\1", raw)
    message, parts = Message(), [("text/plain", raw[:MAX_TEXT_CHARS].decode("utf-8", "replace"))]
    if not raw.lstrip().startswith(b"{"):
        with suppress(*_PARSE_ERRORS):
            message = _parse_message(raw)
            parts = list(_parts(message))
    plain = [text for kind, text in parts if kind == "text/plain" and text.strip()]
    html = [text for kind, text in parts if kind == "text/html"]
    originals = [text for kind, text in parts if kind == "original"]
    has_enough_text = sum(map(len, plain)) > _MIN_PLAIN_TEXT_CHARS
    return ParsedMail(
        report_type=_parameter(message, "report-type"),
        header=_header_of(message),
        texts=tuple(plain if has_enough_text else plain + [_text_of_html(page) for page in html]),
        delivery_reports=tuple(text for kind, text in parts if kind == "delivery report"),
        feedback_report="\n".join(text for kind, text in parts if kind == "feedback report"),
        is_read_receipt=any(kind == "read receipt" for kind, _ in parts),
        original_header=parse_header_fields(originals[0]) if originals else (),
    )


def parse_header_fields(text: str) -> HeaderFields:
    """The header fields at the beginning of a text (RFC 5322, 2.2), with names in lower case.

    Folded lines are joined, and encoded words are decoded.
    """
    found: list[list[str]] = []
    for line in text.lstrip("\r\n").splitlines()[:_MAX_FIELD_LINES]:
        if line[:1] in {" ", "\t"} and line.strip() and found:
            found[-1][1] += " " + line.strip()
        elif match := _FIELD.fullmatch(line):
            found.append([match[1].lower(), match[2].strip()])
        elif not line.strip():
            break
    return tuple((name, decode_encoded_words(value[:2_000])) for name, value in found)


def decode_encoded_words(value: str) -> str:
    """Decode the encoded words (RFC 2047) in a header field, or return the value as it is if that fails."""
    if "=?" not in value:
        return value
    try:
        return str(make_header(decode_header(value)))
    except _PARSE_ERRORS:
        return value


def _parse_message(raw: bytes) -> Message:
    lowered = raw.lower()
    if sum(lowered.count(marker) for marker in _NESTING_MARKERS) > MAX_NESTED_PARTS:
        return BytesHeaderParser().parsebytes(raw)
    return message_from_bytes(raw)


def _parts(message: Message) -> Iterator[tuple[str, str]]:
    """The kind and the text of each part. The parts inside the original mail are left out."""
    waiting, seen = [message], 0
    while waiting and seen < MAX_PARTS:
        part, seen = waiting.pop(0), seen + 1
        content_type = part.get_content_type()
        if content_type in _DELIVERY_STATUS_TYPES:
            yield "delivery report", _text_of_report(part)
        elif content_type == "message/feedback-report":
            yield "feedback report", _text_of_report(part)
        elif content_type == "message/disposition-notification":
            yield "read receipt", _text_of_report(part)
        elif content_type in _ORIGINAL_TYPES and part is not message:
            yield "original", _text_of_original(part)
        elif part.is_multipart():
            # The inner parts come next, so that the parts are yielded in the order of the mail.
            waiting[:0] = [inner for inner in part.get_payload() if isinstance(inner, Message)]
        elif content_type in {"text/plain", "text/html"}:
            yield content_type, _text_of(part)
        elif content_type.startswith("text/") or part is message:
            yield "text/plain", _text_of(part)


def _text_of(part: Message) -> str:
    payload = part.get_payload(decode=True)
    return _decode_bytes(payload, part.get_content_charset("")) if isinstance(payload, bytes) else ""


def _decode_bytes(content: bytes, charset: str) -> str:
    """Decode bytes by their declared charset, or else by the charsets that undeclared mails usually use."""
    content = content[: MAX_TEXT_CHARS * 3]  # a Korean or Japanese character takes three bytes in UTF-8
    declared = _CHARSET_ALIASES.get(charset.lower(), charset)
    guesses = ("iso-2022-jp", "utf-8", "cp949") if b"\x1b$" in content else ("utf-8", "cp949")
    for name in (declared, *guesses) if declared and declared != "us-ascii" else guesses:
        try:
            # The incremental decoder accepts a last character that was cut off by the limit above.
            return codecs.lookup(name).incrementaldecoder("strict").decode(content)[:MAX_TEXT_CHARS]
        except _PARSE_ERRORS:
            continue
    return content.decode("latin-1")[:MAX_TEXT_CHARS]


def _text_of_report(part: Message) -> str:
    """The text of a delivery or feedback report.

    The standard library parses each block of a delivery report as a message of its own, so the text has
    to be put together again.
    """
    if not part.is_multipart():
        return _text_of(part)
    blocks = [inner for inner in part.get_payload() if isinstance(inner, Message)][:_MAX_REPORT_BLOCKS]
    if str(part.get("content-transfer-encoding", "")).strip().lower() == "base64":
        payloads = (inner.get_payload() for inner in blocks)
        return _decode_base64("".join(text for text in payloads if isinstance(text, str)))
    return "\n\n".join(_message_as_text(inner) for inner in blocks)[:MAX_TEXT_CHARS]


def _decode_base64(text: str) -> str:
    try:
        return _decode_bytes(binascii.a2b_base64(text), "")
    except ValueError:
        return ""


def _text_of_original(part: Message) -> str:
    inner = part.get_payload()
    if isinstance(inner, list) and inner and isinstance(inner[0], Message):
        return _message_as_text(inner[0])
    return _text_of(part)


def _message_as_text(message: Message) -> str:
    lines = [f"{name}: {value}" for name, value in _raw_fields(message)]
    return "\n".join([*lines, "", _text_of(message)])


def _raw_fields(message: Message) -> list[tuple[str, str]]:
    return [(name, " ".join(_replace_surrogates(str(value)).split())) for name, value in message.raw_items()]


def _replace_surrogates(text: str) -> str:
    """Decode the bytes outside ASCII, which the standard library keeps as surrogates in header fields."""
    return text if text.isascii() else _decode_bytes(text.encode("utf-8", "surrogateescape"), "")


def _header_of(message: Message) -> HeaderFields:
    fields = _raw_fields(message)[:_MAX_FIELD_LINES]
    return tuple((name.lower(), decode_encoded_words(value[:5_000])) for name, value in fields)


def _parameter(message: Message, name: str) -> str:
    """A parameter of the Content-Type field in lower case, or an empty string."""
    try:
        return str(message.get_param(name, "")).lower()
    except _PARSE_ERRORS:
        return ""


def _text_of_html(page: str) -> str:
    """The readable text of an HTML page, with one line for each block."""
    tree = LexborHTMLParser(page)
    for node in tree.css("style, script, title"):
        node.decompose()
    return re.sub(r"[ \t\xa0]+", " ", tree.body.text(separator="\n")) if tree.body else ""
