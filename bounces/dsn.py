"""Delivery reports with parts for programs (RFC 3464): their recipients, statuses and actions. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from bounces.mime_parser import Fields, fields_of_text, values
from bounces.status_codes import first_code, status_of

Action = Literal["failed", "delayed", "delivered", "relayed", "expanded"]

MOST_RECIPIENTS = 500
ADDRESS = re.compile(
    r"(?<![\w.!#$%&'*+/=?^`{|}~-])"
    r"(?:[\w!#$%&'*+/=?^`{|}~-][\w.!#$%&'*+/=?^`{|}~-]{0,80}|\"[^\"\s@]{1,64}\")"
    r"@(?:[^\W_](?:[\w-]{0,62}[^\W_])?\.){1,8}[^\W\d_](?:[\w-]{0,61}[^\W_])"
)
_ANY_ADDRESS = re.compile(r"(?:\"[^\"\n]{1,64}\"|[^\s<>;()\"@]{1,80})@[^\s<>;()\"@]{1,250}")
_ACTIONS: dict[str, Action] = {
    "fail": "failed", "dela": "delayed", "deli": "delivered", "rela": "relayed", "expa": "expanded"
}  # fmt: skip
_XTEXT = re.compile(r"\+(2B|3D|40|20)")  # RFC 3461, 4: what an Original-Recipient should not hold any more
_UNICODE = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")  # RFC 6533, 3


@dataclass(frozen=True)
class Recipient:
    """One recipient of a report.

    `address` is whom the server tried, `original` whom the mail was sent to where the report says so (it
    was forwarded then). `status` is an enhanced status code like 5.1.1 or nothing, `diagnostic` what the
    server said.
    """

    address: str
    status: str = ""
    action: Action = "failed"
    diagnostic: str = ""
    original: str = ""


def recipients_of_reports(reports: Iterable[str]) -> list[Recipient]:
    """The recipients in the parts `message/delivery-status` of a mail, or in a text that looks like one."""
    blocks = [block for report in reports for block in _blocks(report)]
    found = [_recipient(block) for block in blocks if values(block, "final-recipient", "original-recipient")]
    if not found:  # some servers write no recipient, but a status all the same
        bare = [block for block in blocks if values(block, "action", "status", "diagnostic-code")]
        found = [_recipient(block) for block in bare]
    return list(dict.fromkeys(found))[:MOST_RECIPIENTS]


def addresses_in(text: str) -> list[str]:
    """All addresses in a text, in order, each once."""
    return list(dict.fromkeys(address.strip("'`") for address in ADDRESS.findall(text)))


def address_of(value: str) -> str:
    """The address in a recipient field such as `rfc822; <a@b.example>`, or nothing."""
    value = _UNICODE.sub(_character, value)
    if "@" not in value or _XTEXT.search(value):
        value = _XTEXT.sub(lambda match: chr(int(match[1], 16)), value)
    value = value.partition(";")[2] or value
    found = addresses_in(value) if '"' not in value else []
    # In a field meant for it, what no sentence would be searched for is an address too: "a b"@host, a@host.
    bare = _ANY_ADDRESS.search(value)
    return found[0] if found else bare[0] if bare else ""


def _character(match: re.Match[str]) -> str:
    number = int(match[1], 16)
    return chr(number) if 0x20 < number < 0xD800 or 0xE000 <= number <= 0x10FFFF else ""


def _blocks(report: str) -> list[Fields]:
    """The groups of fields in a report; a second recipient begins one even where the empty line is missing."""
    blocks: list[Fields] = []
    for text in re.split(r"\r?\n[ \t]*\r?\n", report):
        fields = fields_of_text(text)
        starts = [at for at, (name, _) in enumerate(fields) if name == "final-recipient"]
        edges = [0, *starts[1:], len(fields)]
        blocks += [fields[begin:end] for begin, end in pairwise(edges)]
    return blocks


def _recipient(block: Fields) -> Recipient:
    final = _first(block, "final-recipient", "x-actual-recipient")
    original = _first(block, "original-recipient")
    diagnostic = " ".join(" ".join(values(block, "diagnostic-code", "x-supplementary-info")).split())
    diagnostic = re.sub(r"\A(?:smtp|x-[\w-]+|esmtp|local|lmtp)[ ]*;[ ]*", "", diagnostic, flags=re.IGNORECASE)
    stated = _first(block, "status")
    action = _action(_first(block, "action"), first_code(stated))
    return Recipient(
        address=address_of(final) or address_of(original),
        status=status_of(diagnostic, stated, is_delay=action == "delayed"),
        action=action,
        diagnostic=diagnostic[:1_000],
        original=address_of(original),
    )


def _first(block: Fields, *names: str) -> str:
    return next(iter(values(block, *names)), "")


def _action(stated: str, code: str) -> Action:
    known = _ACTIONS.get(stated.strip().lower()[:4])
    return known or ("delivered" if code.startswith("2") else "failed")
