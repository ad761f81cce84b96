"""Finds the enhanced status code (RFC 3463) of a bounce, and says what kind of failure it stands for. Pure.

Many servers give a code that is missing, vague or wrong. The phrases in status_phrases.toml recognise the
usual texts of servers in several languages, and complete or correct the code.
"""

import re
import tomllib
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from delivery.transport.smtp.replies import NO_SUCH_ADDRESS, OUR_FAULT

_PHRASES_FILE = Path(__file__).with_name("status_phrases.toml")
_MAX_TEXT_CHARS = 6_000  # characters of a server's text that are searched

# A code after the reply code that it belongs to (550 5.1.1), a code that is marked as one, or a lone code.
_CODE_AFTER_REPLY = re.compile(
    r"(?<![\d.])([245])\d\d[ \-]{1,3}[(\[#<]{0,2}(\1\.\d{1,3}\.\d{1,3})(?![\d.]*\d)"
)
_MARKED_CODE = re.compile(
    r"(?:#|status:?[ ]{0,3}|dsn=|\()([245]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)", re.IGNORECASE
)
_LONE_CODE = re.compile(r"(?<![\d.v/-])([45]\.[0-7]\.\d{1,2})(?![\d.]*\d)(?![\w/-])")
_REPLY_CODE = re.compile(
    r"(?:(?:^|[\s:;>'\"(\[=,])|smtp;|error|code|said)[ ]?([45][0-5]\d)(?=[ \-:;)\]'\",]|$)", re.MULTILINE
)
_ADDRESS = re.compile(r"[^\s<>()\"',;:@]{1,80}@[^\s<>()\"',;:@]{1,250}")
# The enhanced codes that RFC 5321 and RFC 4954 imply for reply codes that come without one.
_STATUS_BY_REPLY_CODE = {
    "421": "4.3.2", "422": "4.2.2", "431": "4.3.1", "441": "4.4.1", "442": "4.4.2", "447": "4.4.7",
    "450": "4.2.0", "451": "4.3.0", "452": "4.3.1", "454": "4.7.0", "511": "5.1.1", "521": "5.3.2",
    "522": "5.2.2", "523": "5.3.4", "530": "5.7.0", "535": "5.7.8", "541": "5.7.1", "551": "5.1.6",
    "552": "5.2.2", "554": "5.0.0", "556": "5.1.10",
}  # fmt: skip


class FailureKind(StrEnum):
    """What kind of failure a status code stands for. Only the first two kinds can lead to a suppression."""

    NO_SUCH_ADDRESS = "no_such_address"
    MAILBOX_FULL = "mailbox_full"  # or disabled
    OUR_FAULT = "our_fault"
    TEMPORARY = "temporary"  # all other failures of class 4
    UNCLEAR = "unclear"


def status_from_text(text: str, stated_status: str = "", *, is_delay: bool = False) -> str:
    """The enhanced status code that fits a server's text and the report's `Status` field, or nothing.

    A code that the refusing server gave with its reply counts first. Then comes the `Status` field, unless
    it is vague: X.Y.0 only says "other", and X.4.7 only says that the server gave up. Other codes and
    phrases in the text come last. The result is a code like 5.1.1, or an empty string.
    """
    text = _on_one_line(text)
    stated_status = first_status_code(stated_status)
    replied = next((match[2] for match in _CODE_AFTER_REPLY.finditer(text) if not _is_vague(match[2])), "")
    code = replied or (stated_status if not _is_vague(stated_status) else "") or _first_exact_code(text)
    phrases = _matching_phrases(text)
    if code and not _is_contradicted(code, phrases, is_made_up=code not in text):
        return code
    status_class = (code or stated_status or first_status_code(text) or _first_reply_code(text))[:1]
    if not status_class:
        status_class = "4" if is_delay else "5"
    if phrases:
        # A server that gave up may quote a temporary error (4.2.2). The class of that error is kept.
        return f"{status_class if status_class in '45' else '5'}.{phrases[0]}"
    return stated_status or first_status_code(text) or _status_of_reply_code(text)


def first_status_code(text: str) -> str:
    """The first enhanced status code in a text, or an empty string."""
    return next(iter(_find_codes(text)), "")


def failure_kind(status: str) -> FailureKind:
    """What kind of failure an enhanced status code like 5.1.1 stands for."""
    if status in NO_SUCH_ADDRESS:
        return FailureKind.NO_SUCH_ADDRESS
    if status.endswith(".2.2") or status == "5.2.1":
        return FailureKind.MAILBOX_FULL
    if OUR_FAULT.match(status):
        return FailureKind.OUR_FAULT
    return FailureKind.TEMPORARY if status.startswith("4") else FailureKind.UNCLEAR


def mentions_failure(text: str) -> bool:
    """Whether a text has a code or a phrase with which servers refuse a mail."""
    line = _on_one_line(text)
    return bool(first_status_code(line) or _first_reply_code(line) or _matching_phrases(line))


def _on_one_line(text: str) -> str:
    return " ".join(text[:_MAX_TEXT_CHARS].split())


def _find_codes(text: str) -> list[str]:
    after_reply = [match[2] for match in _CODE_AFTER_REPLY.finditer(text)]
    others = [match[1] for pattern in (_MARKED_CODE, _LONE_CODE) for match in pattern.finditer(text)]
    return [code for code in after_reply + others if code[0] in "45"] or re.findall(r"\A2\.\d+\.\d+", text)


def _first_exact_code(text: str) -> str:
    return next((code for code in _find_codes(text) if not _is_vague(code)), "")


def _is_vague(code: str) -> bool:
    """Whether a code is missing, or only says "other" (X.Y.0) or "gave up" (X.4.7)."""
    return not code or code.endswith((".0", ".4.7"))


def _is_contradicted(code: str, phrases: Sequence[str], *, is_made_up: bool) -> bool:
    """Whether the server's text says something else than its code for an unknown address or full mailbox.

    Servers that block a sender may call every address unknown. Other servers make the code up from a reply
    that had none (550 becomes 5.1.1, 552 becomes 5.2.2), whatever the text of the reply was.
    """
    if not phrases or any(phrase in phrases for phrase in ("1.1", "1.2", "1.6", code[2:])):
        return False
    if code in NO_SUCH_ADDRESS:
        return phrases[0] in ({"7.1", "2.2", "2.1", "3.4"} if is_made_up else {"7.1"})
    return code == "5.2.2" and is_made_up and phrases[0] in {"7.1", "3.4"}


def _first_reply_code(text: str) -> str:
    found = _REPLY_CODE.search(text)
    return found[1] if found else ""


def _status_of_reply_code(text: str) -> str:
    code = _first_reply_code(text)
    return _STATUS_BY_REPLY_CODE.get(code, f"{code[0]}.0.0") if code else ""


def _matching_phrases(text: str) -> list[str]:
    """The subject and detail, like 1.1, of each group of phrases that matches, in the order of the table."""
    # The dots of an address would end a sentence for the patterns, and names in it could match a phrase.
    lowered = _ADDRESS.sub("<>", text.lower())
    return [detail for detail, pattern in _phrase_groups() if pattern.search(lowered)]


@lru_cache(maxsize=1)
def _phrase_groups() -> list[tuple[str, re.Pattern[str]]]:
    groups = tomllib.loads(_PHRASES_FILE.read_text(encoding="utf-8"))["phrase_group"]
    return [(group["status"].removeprefix("X."), re.compile("|".join(group["phrases"]))) for group in groups]
