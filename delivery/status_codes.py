"""Finds the enhanced status code (RFC 3463) of a reply or a bounce, and says what kind of failure it stands for. Pure.

Many servers give a code that is missing, vague or wrong. The phrases in status_phrases.toml recognise the
usual texts of servers in several languages, and complete or correct the code.
"""

import re
import tomllib
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

NO_SUCH_ADDRESS = {"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"}
# 5.6.7 is not our fault: this server cannot take one recipient's address (RFC 6531), but it takes the others'.
OUR_FAULT = re.compile(r"5\.(?:7\.\d+|6\.(?!7$)\d+|3\.4|1\.7|1\.8|2\.3|5\.\d+)$")
# 5.4.1 and 5.1.351 are how Microsoft 365 refuses recipients that it does not know, 5.4.4 and 5.4.310 are domains that
# take no mail. What says only "other" (5.1.0), or can be our server's fault (a loop, no connection), is none of these.
DEAD_END = re.compile(r"5\.(?:1\.[1-9]\d*|4\.(?:1|4|310))$")

_UNKNOWN_ADDRESS = {"1.1", "1.2", "1.6"}  # subjects and details that phrases can stand for
_PHRASES_FILE = Path(__file__).with_name("status_phrases.toml")
_MAX_TEXT_CHARS = 6_000  # characters of a server's text that are searched

# A code after the reply code that it belongs to (550 5.1.1), a code that is marked as one, or a lone code.
_CODE_AFTER_REPLY = re.compile(
    r"(?<![\d.])([245])\d\d[ \-]{1,3}[(\[#<]{0,2}(\1\.\d{1,3}\.\d{1,3})(?![\d.]*\d)"
)
_MARKED_CODE = re.compile(
    r"(?:#|status:?[ ]{0,3}|dsn=|\()([245]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)", re.IGNORECASE
)
_LONE_CODE = re.compile(r"(?<![\d.v/-])([45]\.[0-7]\.\d{1,3})(?![\d.]*\d)(?![\w/-])")
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


class _PhraseGroup(NamedTuple):
    """Phrases that stand for a subject and detail, such as 1.1. The table explains the weights."""

    detail: str
    pattern: re.Pattern[str]
    weight: Literal["strong", "normal", "weak"]


class FailureKind(StrEnum):
    """What kind of failure a status code stands for.

    The first kind suppresses an address at once, and the next two if they stay. No other kind does.
    """

    NO_SUCH_ADDRESS = "no_such_address"
    MAILBOX_FULL = "mailbox_full"  # or disabled
    DEAD_END = "dead_end"  # no mail arrives at the address, and the code does not say for how long
    OUR_FAULT = "our_fault"
    TEMPORARY = "temporary"  # all other failures of class 4
    UNCLEAR = "unclear"


LASTING = frozenset({FailureKind.MAILBOX_FULL, FailureKind.DEAD_END})  # they suppress an address if they stay


def status_from_text(text: str, stated_status: str = "", *, is_delay: bool = False) -> str:
    """The enhanced status code that fits a server's text and the report's `Status` field, or nothing.

    A code that the refusing server gave with its reply counts first. Then comes the `Status` field, unless
    it is vague: X.Y.0 only says "other", and X.4.7 only says that the server gave up. Other codes and
    phrases in the text come last. Phrases can contradict a code. The result is a code like 5.1.1, or an empty string.
    """
    text = _on_one_line(text)
    stated_status = first_status_code(stated_status)
    replied = next((match[2] for match in _CODE_AFTER_REPLY.finditer(text) if not _is_vague(match[2])), "")
    code = replied or (stated_status if not _is_vague(stated_status) else "") or _first_exact_code(text)
    groups = _matching_groups(text)
    contradicting = _contradicting_group(code, groups, is_made_up=code not in text)
    if not code or contradicting:
        status_class = (code or stated_status or first_status_code(text) or _first_reply_code(text))[:1]
        if not groups:
            return stated_status or first_status_code(text) or _status_of_reply_code(text)
        # A server that gave up may quote a temporary error (4.2.2). The class of that error is kept.
        if status_class not in {"4", "5"}:
            status_class = "4" if is_delay and not status_class else "5"
        code = f"{status_class}.{(contradicting or _deciding_group(groups)).detail}"
    if code == "5.4.1" and any(group.detail == "4.1" for group in groups):
        return "4.4.1"  # no connection is a temporary failure, also after a server gave up (RFC 3463, 3.5)
    return code


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
    if DEAD_END.match(status):
        return FailureKind.DEAD_END
    return FailureKind.TEMPORARY if status.startswith("4") else FailureKind.UNCLEAR


def mentions_failure(text: str) -> bool:
    """Whether a text has a code or a phrase with which servers refuse a mail."""
    line = _on_one_line(text)
    return bool(first_status_code(line) or _first_reply_code(line) or _matching_groups(line))


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


def _contradicting_group(
    code: str, groups: Sequence[_PhraseGroup], *, is_made_up: bool
) -> _PhraseGroup | None:
    """The phrases that say something else than a code for an unknown address, or than one for a full mailbox.

    Servers that block a sender may call every address unknown. Other servers make the code up from a reply
    that had none (550 becomes 5.1.1, 552 becomes 5.2.2), whatever the text of the reply was.
    """
    strong = _first_strong(groups)
    is_about_sender = strong is not None and strong.detail == "7.1" and code.startswith("5.")
    if strong and (is_about_sender or code.startswith("5.1.")) and not OUR_FAULT.match(code):
        return strong
    firm = [group for group in groups if group.weight != "weak"]
    if not firm or any(group.detail in {*_UNKNOWN_ADDRESS, code[2:]} for group in firm):
        return None
    others: set[str] = set()
    if code == "5.4.1" and not any(group.detail in _UNKNOWN_ADDRESS for group in groups):
        others = {"7.1"}
    elif code in NO_SUCH_ADDRESS:
        others = {"7.1", "2.2", "2.1", "3.4"} if is_made_up else {"7.1"}
    elif code == "5.2.2" and is_made_up:
        others = {"7.1", "3.4"}
    return firm[0] if firm[0].detail in others else None


def _deciding_group(groups: Sequence[_PhraseGroup]) -> _PhraseGroup:
    """The group that decides where there is no code: the first one, unless strong phrases say that the address exists."""
    first = groups[0]
    return _first_strong(groups) or first if first.detail in _UNKNOWN_ADDRESS else first


def _first_strong(groups: Sequence[_PhraseGroup]) -> _PhraseGroup | None:
    return next((group for group in groups if group.weight == "strong"), None)


def _first_reply_code(text: str) -> str:
    found = _REPLY_CODE.search(text)
    return found[1] if found else ""


def _status_of_reply_code(text: str) -> str:
    code = _first_reply_code(text)
    return _STATUS_BY_REPLY_CODE.get(code, f"{code[0]}.0.0") if code else ""


def _matching_groups(text: str) -> list[_PhraseGroup]:
    """The groups of phrases that match, in the order of the table."""
    # The dots of an address would end a sentence for the patterns, and names in it could match a phrase.
    lowered = _ADDRESS.sub("<>", text.lower())
    return [group for group in _phrase_groups() if group.pattern.search(lowered)]


@lru_cache(maxsize=1)
def _phrase_groups() -> list[_PhraseGroup]:
    groups = tomllib.loads(_PHRASES_FILE.read_text(encoding="utf-8"))["phrase_group"]
    return [
        _PhraseGroup(
            group["status"].removeprefix("X."),
            re.compile("|".join(group["phrases"])),
            group.get("weight", "normal"),
        )
        for group in groups
    ]
