"""The mails that are no digest, in the reader's language: confirmation, welcome without papers,
settings link, reminder, change of address, farewell, notice to operators.

For readers of both languages a letter says everything in Korean, then in English.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from emails.rendering.base_view import Anchor, Page
from emails.rendering.html import to_html
from emails.rendering.i18n import say
from emails.rendering.placeholders import marker
from emails.rendering.plaintext import RULE, Links, framed, lines_of
from emails.rendering.subject import SUBJECT_WIDTH
from emails.rendering.width import columns, whole_words

SPOKEN = {"ko": ("ko",), "en": ("en",), "both": ("ko", "en")}
READER_LETTERS = {  # and where the button of each leads
    "confirmation": "confirm",
    "welcome": "preferences",
    "preferences_link": "preferences",
    "reminder": "preferences",
    "move": "move",
    "farewell": "unsubscribe",
}


@dataclass(frozen=True)
class Notice:
    """What an operator must know: `what` in a few words, one line each of what happened and what to do,
    and details by name."""

    what: str
    cause: str
    remedy: str
    facts: Mapping[str, str]


@dataclass(frozen=True)
class Section:
    """A letter in one language; a paragraph can have a heading of its own."""

    language: str
    heading: str
    paragraphs: tuple[tuple[str, str], ...]
    button: Anchor | None
    after: tuple[str, ...]


@dataclass(frozen=True)
class LetterPage(Page):
    """A letter as its template sees it."""

    greets: bool
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class Letter:
    """A letter without its reader: `html` and `text` hold markers for the reader's own parts."""

    kind: str
    language: str
    subject: str
    html: str
    text: str
    nonce: str


def reader_letter(kind: str, language: str, frequency: str) -> Letter:
    """The letter of a kind in READER_LETTERS to someone with this language and frequency.

    A confirmation greets nobody by name: whoever signed up wrote it, perhaps for someone else.
    """
    nonce = hashlib.sha256(f"{kind} {language} {frequency}".encode()).hexdigest()[:20]
    target = marker(nonce, READER_LETTERS[kind])
    sections = []
    for spoken in SPOKEN[language]:
        names = {
            "language": say(spoken, f"language_{language}"),
            "frequency": say(spoken, frequency),
        }
        sections.append(
            Section(
                spoken,
                say(spoken, f"{kind}.heading"),
                (("", say(spoken, f"{kind}.text", **names)),),
                Anchor(say(spoken, f"{kind}.button"), target),
                _paragraphs(say(spoken, f"{kind}.note")),
            )
        )
    return _letter(
        kind, language, nonce, say(language, f"{kind}.subject"), sections, greets=kind != "confirmation"
    )


def operator_notice(notice: Notice, language: str) -> Letter:
    """The notice to operators about one trouble."""
    nonce = hashlib.sha256(repr(notice).encode()).hexdigest()[:20]
    sections = [
        Section(
            spoken,
            notice.what[:1].upper() + notice.what[1:],
            (
                (say(spoken, "notice.cause"), notice.cause),
                (say(spoken, "notice.remedy"), notice.remedy),
                (
                    say(spoken, "notice.facts"),
                    "\n".join(f"{name}: {value}" for name, value in notice.facts.items()),
                ),
            ),
            None,
            _paragraphs(say(spoken, "notice.note")),
        )
        for spoken in SPOKEN[language]
    ]
    width = SUBJECT_WIDTH - columns(say(language, "notice.subject", what=""))
    what = notice.what if columns(notice.what) <= width else whole_words(notice.what, width, columns)
    subject = say(language, "notice.subject", what=what)
    return _letter("notice", language, nonce, subject, sections, greets=False)


def _letter(
    kind: str, language: str, nonce: str, subject: str, sections: list[Section], *, greets: bool
) -> Letter:
    page = LetterPage(
        language=language,
        nonce=nonce,
        subject=subject,
        preheader=say(language, f"{kind}.preheader"),
        top=(),
        bottom=(),
        ending=(),
        greets=greets,
        sections=tuple(sections),
    )
    text = framed(page, _lines(page), Links())
    return Letter(kind, language, subject, to_html("letter.mjml", page), text, nonce)


def _paragraphs(text: str) -> tuple[str, ...]:
    return tuple(text.strip().split("\n\n"))


def _lines(page: LetterPage) -> Iterator[str]:
    for number, section in enumerate(page.sections):
        if number:
            yield from ("", RULE, "")
        yield from lines_of(f"# {section.heading}")
        if page.greets and not number:
            yield from ("", page.greeting)
        for heading, paragraph in section.paragraphs:
            yield ""
            if heading:
                yield from lines_of(f"## {heading}")
            for line in paragraph.split("\n"):
                yield from lines_of(line)
        if section.button:
            yield from ("", f"{section.button.label}:", section.button.url)
        for paragraph in section.after:
            yield from ("", *lines_of(paragraph))
