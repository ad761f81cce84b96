"""Enhanced status codes (RFC 3463): read from a server's words, and what they ask to be done. Pure."""

import re
import tomllib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

from delivery.transport.smtp.replies import NO_SUCH_ADDRESS, OUR_FAULT

Meaning = Literal["dead", "full", "ours", "later", "unclear"]

_PHRASES = Path(__file__).with_name("status_phrases.toml")
_MOST_WORDS = 6_000  # characters of a server's words that are looked at

# With a reply code before it, or marked as what it is; then one that stands alone.
_REPLY_WITH_CODE = re.compile(
    r"(?<![\d.])([245])\d\d[ \-]{1,3}[(\[#<]{0,2}(\1\.\d{1,3}\.\d{1,3})(?![\d.]*\d)"
)
_MARKED = re.compile(r"(?:#|status:?[ ]{0,3}|dsn=|\()([245]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)", re.IGNORECASE)
_ALONE = re.compile(r"(?<![\d.v/-])([45]\.[0-7]\.\d{1,2})(?![\d.]*\d)(?![\w/-])")
_REPLY = re.compile(
    r"(?:(?:^|[\s:;>'\"(\[=,])|smtp;|error|code|said)[ ]?([45][0-5]\d)(?=[ \-:;)\]'\",]|$)", re.MULTILINE
)
_AN_ADDRESS = re.compile(r"[^\s<>()\"',;:@]{1,80}@[^\s<>()\"',;:@]{1,250}")
# Of reply codes that say no more than "no": what RFC 5321 and 4954 mean by them.
_BY_REPLY = {
    "421": "4.3.2", "422": "4.2.2", "431": "4.3.1", "441": "4.4.1", "442": "4.4.2", "447": "4.4.7",
    "450": "4.2.0", "451": "4.3.0", "452": "4.3.1", "454": "4.7.0", "511": "5.1.1", "521": "5.3.2",
    "522": "5.2.2", "523": "5.3.4", "530": "5.7.0", "535": "5.7.8", "541": "5.7.1", "551": "5.1.6",
    "552": "5.2.2", "554": "5.0.0", "556": "5.1.10",
}  # fmt: skip


def status_of(words: str, stated: str = "", *, is_delay: bool = False) -> str:
    """The status that a report's words and its `Status` field come to, like 5.1.1; nothing if none.

    A code that the refusing server gave with its reply counts first, then the field, unless it says "other"
    (X.Y.0) or only how long it was tried (X.4.7), then other codes and phrases in the words.
    """
    words = _on_one_line(words)
    stated = first_code(stated)
    replied = next((match[2] for match in _REPLY_WITH_CODE.finditer(words) if not _is_vague(match[2])), "")
    code = replied or (stated if not _is_vague(stated) else "") or _specific(words)
    phrases = _phrases_in(words)
    phrase = next(iter(phrases), "")
    if code and not _is_contradicted(code, phrases, is_made_up=code not in words):
        return code
    found_class = (code or stated or first_code(words) or _reply(words))[:1] or ("4" if is_delay else "5")
    if phrase:
        # What a server tried until it gave up may have been said to pass (4.2.2), and stays so.
        return f"{found_class if found_class in '45' else '5'}.{phrase}"
    return stated or first_code(words) or _by_reply(words)


def first_code(words: str) -> str:
    """The first enhanced status code in the words, or nothing."""
    return next(iter(_codes(words)), "")


def meaning(status: str) -> Meaning:
    """What a status says: the address is dead, its mailbox full or off, the fault is ours, or none of these.

    `later` are failures that may pass (4.X.X), `unclear` all the rest: nobody is suppressed for either.
    """
    if status in NO_SUCH_ADDRESS:
        return "dead"
    if status.endswith(".2.2") or status == "5.2.1":
        return "full"
    if OUR_FAULT.match(status):
        return "ours"
    return "later" if status.startswith("4") else "unclear"


def tells_of_failure(words: str) -> bool:
    """Whether a text has a code or a phrase of a server that did not take a mail."""
    line = _on_one_line(words)
    return bool(first_code(line) or _reply(line) or _phrases_in(line))


def _on_one_line(words: str) -> str:
    return " ".join(words[:_MOST_WORDS].split())


def _codes(words: str) -> list[str]:
    with_reply = [match[2] for match in _REPLY_WITH_CODE.finditer(words)]
    others = [match[1] for pattern in (_MARKED, _ALONE) for match in pattern.finditer(words)]
    return [code for code in with_reply + others if code[0] in "45"] or re.findall(r"\A2\.\d+\.\d+", words)


def _specific(words: str) -> str:
    return next((code for code in _codes(words) if not _is_vague(code)), "")


def _is_vague(code: str) -> bool:
    return not code or code.endswith((".0", ".4.7"))


def _is_contradicted(code: str, phrases: Sequence[str], *, is_made_up: bool) -> bool:
    """Whether a code for a dead address stands against words that tell of something else.

    Servers that block a sender may call every address unknown; and some make the code up from a reply that
    had none (550 to 5.1.1, 552 to 5.2.2), whatever the reply said.
    """
    if not phrases or any(phrase in phrases for phrase in ("1.1", "1.2", "1.6", code[2:])):
        return False
    if code in NO_SUCH_ADDRESS:
        return phrases[0] in ({"7.1", "2.2", "2.1", "3.4"} if is_made_up else {"7.1"})
    return code == "5.2.2" and is_made_up and phrases[0] in {"7.1", "3.4"}


def _reply(words: str) -> str:
    found = _REPLY.search(words)
    return found[1] if found else ""


def _by_reply(words: str) -> str:
    code = _reply(words)
    return _BY_REPLY.get(code, f"{code[0]}.0.0") if code else ""


def _phrases_in(words: str) -> list[str]:
    """Subject and detail, like 1.1, of each kind of phrase that the words hold, in the order of the table."""
    lowered = _AN_ADDRESS.sub(
        "<>", words.lower()
    )  # whose dots would end a sentence, and names mean something
    return [detail for detail, pattern in _phrases() if pattern.search(lowered)]


@lru_cache(maxsize=1)
def _phrases() -> list[tuple[str, re.Pattern[str]]]:
    table = tomllib.loads(_PHRASES.read_text(encoding="utf-8"))["meaning"]
    return [(entry["status"], re.compile("|".join(entry["phrases"]))) for entry in table]
