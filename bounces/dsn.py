"""Parses delivery status notifications (DSN, RFC 3464): which recipients failed, with what status and action.

The module is pure. It also holds the patterns that find mail addresses in a text.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from bounces.mime_parser import HeaderFields, field_values, parse_header_fields
from delivery.status_codes import first_status_code, status_from_text

MAX_RECIPIENTS = 500  # recipients of one mail that are reported
MAX_DIAGNOSTIC_CHARS = 1_000
ADDRESS = re.compile(
    r"(?<![\w.!#$%&'*+/=?^`{|}~-])"
    r"(?:[\w!#$%&'*+/=?^`{|}~-][\w.!#$%&'*+/=?^`{|}~-]{0,80}|\"[^\"\s@]{1,64}\")"
    r"@(?:[^\W_](?:[\w-]{0,62}[^\W_])?\.){1,8}[^\W\d_](?:[\w-]{0,61}[^\W_])"
)
_LENIENT_ADDRESS = re.compile(r"(?:\"[^\"\n]{1,64}\"|[^\s<>;()\"@]{1,80})@[^\s<>;()\"@]{1,250}")
# Servers spell the actions in several ways ("fail", "failure", "Failed"), so only the beginning counts.
_ACTION_PREFIX_CHARS = 4
# Some servers pass the xtext of ORCPT (RFC 3461, 4) on undecoded. Only these characters are decoded.
_XTEXT = re.compile(r"\+(2B|3D|40|20)")
_UNICODE_ESCAPE = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")  # RFC 6533, 3


class DsnAction(StrEnum):
    """What a server did with a mail, in the Action field of its report (RFC 3464, 2.3.3)."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"


_ACTIONS = {action[:_ACTION_PREFIX_CHARS]: action for action in DsnAction}


@dataclass(frozen=True)
class ReportedRecipient:
    """A recipient that a bounce mail reports on.

    `address` is the address that the server tried. `original_address` is the one that the mail was sent to
    before it was forwarded, if the report names it. `status` is an enhanced status code like 5.1.1, or
    empty. `diagnostic` is the server's explanation.
    """

    address: str
    status: str = ""
    action: DsnAction = DsnAction.FAILED
    diagnostic: str = ""
    original_address: str = ""


def parse_delivery_reports(reports: Iterable[str]) -> list[ReportedRecipient]:
    """The recipients in the texts of `message/delivery-status` parts, or in texts that look like them."""
    blocks = [block for report in reports for block in _split_into_blocks(report)]
    found = [
        _parse_block(block)
        for block in blocks
        if field_values(block, "final-recipient", "original-recipient")
    ]
    if not found:  # some servers leave the recipient out but still give a status
        without_recipient = [
            block for block in blocks if field_values(block, "action", "status", "diagnostic-code")
        ]
        found = [_parse_block(block) for block in without_recipient]
    return list(dict.fromkeys(found))[:MAX_RECIPIENTS]


def find_addresses(text: str) -> list[str]:
    """All mail addresses in a text, in order and without duplicates."""
    return list(dict.fromkeys(address.strip("'`") for address in ADDRESS.findall(text)))


def parse_address_field(value: str) -> str:
    """The address in a recipient field such as `rfc822; <a@b.example>`, or an empty string."""
    value = _UNICODE_ESCAPE.sub(_unescape, value)
    if "@" not in value or _XTEXT.search(value):
        value = _XTEXT.sub(lambda match: chr(int(match[1], 16)), value)
    value = value.partition(";")[2] or value
    found = find_addresses(value) if '"' not in value else []
    # The field is meant for an address, so it may hold one that would not be searched for in a sentence:
    # "a b"@host or a@host.
    lenient = _LENIENT_ADDRESS.search(value)
    return found[0] if found else lenient[0] if lenient else ""


def _unescape(match: re.Match[str]) -> str:
    """The character of an escape, or nothing for control characters and surrogates."""
    number = int(match[1], 16)
    return chr(number) if 0x20 < number < 0xD800 or 0xE000 <= number <= 0x10FFFF else ""


def _split_into_blocks(report: str) -> list[HeaderFields]:
    """Split a report into its groups of fields, one group for each recipient.

    Some servers leave out the empty line between two groups. A second Final-Recipient begins a new one
    there, too.
    """
    blocks: list[HeaderFields] = []
    for text in re.split(r"\r?\n[ \t]*\r?\n", report):
        fields = parse_header_fields(text)
        starts = [at for at, (name, _) in enumerate(fields) if name == "final-recipient"]
        edges = [0, *starts[1:], len(fields)]
        blocks += [fields[begin:end] for begin, end in pairwise(edges)]
    return blocks


def _parse_block(block: HeaderFields) -> ReportedRecipient:
    final = _first_value(block, "final-recipient", "x-actual-recipient")
    original = _first_value(block, "original-recipient")
    diagnostic = " ".join(" ".join(field_values(block, "diagnostic-code", "x-supplementary-info")).split())
    # The type of the diagnostic, as in "smtp; 550 no such user", is cut off.
    diagnostic = re.sub(r"\A(?:smtp|x-[\w-]+|esmtp|local|lmtp)[ ]*;[ ]*", "", diagnostic, flags=re.IGNORECASE)
    stated_status = _first_value(block, "status")
    action = _parse_action(_first_value(block, "action"), first_status_code(stated_status))
    return ReportedRecipient(
        address=parse_address_field(final) or parse_address_field(original),
        status=status_from_text(diagnostic, stated_status, is_delay=action == DsnAction.DELAYED),
        action=action,
        diagnostic=diagnostic[:MAX_DIAGNOSTIC_CHARS],
        original_address=parse_address_field(original),
    )


def _first_value(block: HeaderFields, *names: str) -> str:
    return next(iter(field_values(block, *names)), "")


def _parse_action(stated: str, code: str) -> DsnAction:
    known = _ACTIONS.get(stated.strip().lower()[:_ACTION_PREFIX_CHARS])
    return known or (DsnAction.DELIVERED if code.startswith("2") else DsnAction.FAILED)
