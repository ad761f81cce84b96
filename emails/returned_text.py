"""Reports without parts for programs: whom a server's text says it could not reach, and why. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from emails.dsn import ADDRESS, addresses_in
from emails.unpacking import Fields, fields_of_text

MOST_LINES = 600
MOST_FOUND = 100

_RETURNED_FIELD = re.compile(
    r"[>|\s]{0,8}(received|from|to|subject|date|message-id|return-path|mime-version|content-type|"
    r"x-mailer|reply-to|cc|sender|dkim-signature|list-unsubscribe|x-[a-z-]{1,40})[ \t]*:",
    re.IGNORECASE,
)
_SURE_FIELDS = {"received", "message-id", "return-path", "mime-version", "dkim-signature", "content-type"}
_CUT = re.compile(
    r"[-=_*#> ]{0,20}(?:below this line is a copy|this is a copy of (?:the|your)|original message|"
    r"(?:the )?(?:header|body)s? of (?:the )?(?:original|your)|unsent message below|"
    r"original (?:e?mail|headers?|text)|copy of (?:the )?(?:original )?message|message (?:header|text) follows|"
    r"(?:the )?(?:returned|undelivered|original|your) (?:message|e?mail)(?: headers?| is| text)? (?:follows?|attached|below)|"
    r"원본 ?(?:메일|메시지)|원래 ?메시지|元のメッセージ)",
    re.IGNORECASE,
)
# `<a@b.example>: host said: 550 …` as qmail and Postfix write, `a@b.example ... User unknown` as Sendmail.
_WITH_REASON = re.compile(
    rf"[\s\"'*>]{{0,12}}(?:\d{{3}}[ -](?:\d\.\d\.\d )?)?<?({ADDRESS.pattern})>?[\"']?(?::|\s*\.\.\.)(.*)",
    re.DOTALL,
)
_BY_ITSELF = re.compile(
    rf"[\s\"'*>\[(•·-]{{0,20}}(?:rfc822;|smtp:|mailto:)?\s?<?({ADDRESS.pattern})>?[\s\"'\])(;,.]{{0,6}}"
    r"(?:\((?:generated|ultimately|expanded|reason|originally|mailto:|<mailto:)[^\n]*|<mailto:[^\n]*|on \d[^\n]*|"
    r"\([^\n]{0,80}\)|at \d[^\n]*)?\s*",
    re.IGNORECASE | re.DOTALL,
)
_LABELLED = re.compile(
    r"(?:recipients?|addressee|user|mailbox|account|address(?:es)?|rcpt to|forwarding|alias|deliver(?:ed)? to|"
    r"delivery to|message to|mail to|email to|reach|sent to|send to|to|for|받는 ?사람|수신인?자?|주소|사용자|宛先|受信者|宛|あて|"
    r"destinatari[oa]s?|empf.{1,2}nger|destinataires?|收件人|получател[ья])[^\n<@]{0,40}?[\s:=<'\"(\[]{1,8}"
    rf"({ADDRESS.pattern})",
    re.IGNORECASE,
)
_GENERATED_FROM = re.compile(
    rf"\((?:ultimately )?(?:generated|expanded) from:?[ \t]*<?({ADDRESS.pattern})", re.IGNORECASE
)
_NOT_A_READER = re.compile(
    r"(?:post-?master|mailer-daemon|mail-?daemon|hostmaster|webmaster|abuse|support|help-?desk|no-?reply|"
    r"mail-?admin|admin|administrator|root|info)[^@]{0,12}@|@[\d.]+$",
    re.IGNORECASE,
)
_NOT_ABOUT_READERS = re.compile(
    r"\s*(?:message-id|mts-id|from|sender|reply-to|return-path|reporting-mta|in-reply-to|references)\b|"
    r".*(?:contact|write to|e-?mail to (?:the )?postmaster|forward this|for (?:further )?(?:help|assistance))",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Notice:
    """What a report says in words, and the header fields of the mail it returns."""

    text: str
    original: Fields


@dataclass(frozen=True)
class Found:
    """An address that a text names, what is said of it, and the address it was forwarded from."""

    address: str
    words: str
    original: str = ""


def split(text: str) -> Notice:
    """A text cut before the mail that it returns: at a line that says so, or where header fields begin."""
    lines = text.splitlines()[:MOST_LINES]
    for at, line in enumerate(lines):
        if (fields := _fields_at(lines, at)) or (at > 1 and _CUT.match(line)):
            return Notice("\n".join(lines[:at]), fields or _fields_after(lines, at))
    return Notice("\n".join(lines), ())


def _fields_after(lines: Sequence[str], at: int) -> Fields:
    return next(
        (fields for place in range(at, min(at + 12, len(lines))) if (fields := _fields_at(lines, place))), ()
    )


def _fields_at(lines: Sequence[str], at: int) -> Fields:
    """The header of a mail that begins at a line, if one does: three fields, one of them no person writes."""
    if not _RETURNED_FIELD.match(lines[at]):
        return ()
    margin = re.match(r"[>|\s]*", lines[at])
    width = len(margin[0]) if margin else 0
    fields = fields_of_text("\n".join(line[width:] for line in lines[at : at + 200]))
    names = {name for name, _ in fields}
    return fields if len(names) >= 3 and names & _SURE_FIELDS and names & {"from", "to", "subject"} else ()


def failures(notice: str, not_readers: Iterable[str], sent_to: Iterable[str]) -> list[Found]:
    """Those whom the text of a report says it could not reach.

    What a line says of one address by itself counts before addresses in sentences; of these, whom the mail
    was `sent_to` counts first. `not_readers` are the sender's addresses, and the reporting server's.
    """
    lines = notice.splitlines()
    ours = {address.lower() for address in not_readers}
    known = {address.lower() for address in sent_to}
    for tier in (
        _with_reasons(lines),
        _by_themselves(lines),
        _in_sentences(notice, _LABELLED),
        _mentioned(lines),
    ):
        readers = [found for found in tier if found.address.lower() not in ours]
        wanted = [found for found in readers if not _NOT_A_READER.search(found.address)]
        # A server's own address is a reader's only where the mail was sent there.
        wanted = wanted or [found for found in readers if found.address.lower() in known]
        meant = [found for found in wanted if found.address.lower() in known]
        if chosen := (meant if meant and len(wanted) > len(meant) and tier is not None else wanted):
            return _each_once(chosen)[:MOST_FOUND]
    return []


def _with_reasons(lines: Sequence[str]) -> list[Found]:
    found = []
    for at, line in enumerate(lines):
        match = _WITH_REASON.fullmatch(line)
        if match and not match[2].lstrip().startswith("//"):
            found.append(Found(match[1], " ".join([match[2], *_until(lines, at + 1, blanks=1)]), ""))
    return [entry for entry in found if entry.words.strip()]


def _by_themselves(lines: Sequence[str]) -> list[Found]:
    found = []
    for at, line in enumerate(lines):
        match = _BY_ITSELF.fullmatch(line)
        if match:
            words = " ".join([line[match.end(1) :], *_until(lines, at + 1, blanks=2)])
            forwarded = _GENERATED_FROM.search(line)
            found.append(Found(match[1], words, forwarded[1] if forwarded else ""))
    return found


def _until(lines: Sequence[str], begin: int, *, blanks: int) -> list[str]:
    """The lines that belong to an address: up to so many empty ones, or the next address."""
    taken: list[str] = []
    for line in lines[begin : begin + 30]:
        if _BY_ITSELF.fullmatch(line) or _WITH_REASON.fullmatch(line):
            break
        if not line.strip() and any(taken):
            blanks -= 1
            if blanks == 0:
                break
        taken.append(line.strip())
    return taken


def _in_sentences(notice: str, pattern: re.Pattern[str]) -> list[Found]:
    lines = [line for line in notice.splitlines() if not _NOT_ABOUT_READERS.match(line)]
    return [Found(match[1], "") for line in lines for match in pattern.finditer(line[:1_000])]


def _mentioned(lines: Iterable[str]) -> list[Found]:
    about_readers = [line for line in lines if not _NOT_ABOUT_READERS.match(line)]
    return [Found(address, "") for line in about_readers for address in addresses_in(line[:1_000])]


def _each_once(found: Iterable[Found]) -> list[Found]:
    """One entry for each address, with all that is said of it."""
    merged: dict[str, Found] = {}
    for entry in found:
        key = entry.address.lower()
        before = merged.get(key)
        words = f"{before.words} {entry.words}".strip() if before else entry.words
        first = before or entry
        merged[key] = Found(first.address, words, first.original or entry.original)
    return list(merged.values())


def words_about(address: str, notice: str) -> str:
    """The lines of a text that name an address, each with what follows it in its paragraph."""
    paragraphs = re.split(r"\n\s*\n", notice)
    lowered = address.lower()
    return "\n".join(paragraph for paragraph in paragraphs if lowered in paragraph.lower())
