"""Renders letters, the mails without papers, to subscribers in their language and to operators.

To a subscriber who reads both languages, a letter says everything in Korean and then in English.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from core.frequencies import Frequency
from core.languages import Language, TextLanguage
from emails.content import Content
from emails.kinds import RULES, MailKind
from emails.placeholders import placeholder
from emails.rendering.base_view import LinkText, MailView
from emails.rendering.html import render_html
from emails.rendering.i18n import translate
from emails.rendering.plaintext import RULE, LinkNumbers, framed, wrapped
from emails.rendering.subject import MAX_SUBJECT_COLUMNS
from emails.rendering.width import columns, whole_words


@dataclass(frozen=True)
class OperatorNotice:
    """Something that an operator must know.

    `what` says it in a few words, `cause` and `remedy` have one line each, and `facts` are details by name.
    """

    what: str
    cause: str
    remedy: str
    facts: Mapping[str, str]


@dataclass(frozen=True)
class Section:
    """A letter in one language. A paragraph is a pair of a heading, which may be empty, and a text."""

    language: TextLanguage
    heading: str
    paragraphs: tuple[tuple[str, str], ...]
    button: LinkText | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class LetterView(MailView):
    """A letter as its template sees it."""

    greets: bool
    sections: tuple[Section, ...]


def subscriber_letter(kind: MailKind, language: Language, frequency: Frequency) -> Content:
    """The letter of a kind to subscribers with this language and frequency.

    Raises:
        ValueError: the kind is not a letter to subscribers.
    """
    target = RULES[kind].button
    if target is None:
        raise ValueError(f"there is no letter {kind!r} to subscribers")
    nonce = hashlib.sha256(f"{kind} {language} {frequency}".encode()).hexdigest()[:20]
    sections = []
    for text_language in language.texts:
        names = {
            "language": translate(text_language, f"language_{language}"),
            "frequency": translate(text_language, frequency),
        }
        sections.append(
            Section(
                text_language,
                translate(text_language, f"{kind}.heading"),
                (("", translate(text_language, f"{kind}.text", **names)),),
                LinkText(translate(text_language, f"{kind}.button"), placeholder(nonce, target)),
                _paragraphs(translate(text_language, f"{kind}.note")),
            )
        )
    return _render(kind, language, nonce, translate(language, f"{kind}.subject"), sections)


def operator_letter(notice: OperatorNotice, language: Language) -> Content:
    """The letter that tells an operator about a notice."""
    nonce = hashlib.sha256(repr(notice).encode()).hexdigest()[:20]
    facts = "\n".join(f"{name}: {value}" for name, value in notice.facts.items())
    sections = [
        Section(
            text_language,
            notice.what[:1].upper() + notice.what[1:],
            (
                (translate(text_language, "notice.cause"), notice.cause),
                (translate(text_language, "notice.remedy"), notice.remedy),
                (translate(text_language, "notice.facts"), facts),
            ),
            None,
            _paragraphs(translate(text_language, "notice.note")),
        )
        for text_language in language.texts
    ]
    width = MAX_SUBJECT_COLUMNS - columns(translate(language, "notice.subject", what=""))
    what = notice.what if columns(notice.what) <= width else whole_words(notice.what, width, columns)
    subject = translate(language, "notice.subject", what=what)
    return _render(MailKind.NOTICE, language, nonce, subject, sections)


def _render(kind: MailKind, language: Language, nonce: str, subject: str, sections: list[Section]) -> Content:
    view = LetterView(
        language=language,
        nonce=nonce,
        subject=subject,
        preheader=translate(language, f"{kind}.preheader"),
        top=(),
        bottom=(),
        footer=(),
        greets=RULES[kind].greets,
        sections=tuple(sections),
    )
    text = framed(view, _lines(view), LinkNumbers())
    return Content(subject, render_html("letter.mjml", view), text, nonce)


def _paragraphs(text: str) -> tuple[str, ...]:
    return tuple(text.strip().split("\n\n"))


def _lines(view: LetterView) -> Iterator[str]:
    for number, section in enumerate(view.sections):
        if number:
            yield from ("", RULE, "")
        yield from wrapped(f"# {section.heading}")
        if view.greets and not number:
            yield from ("", view.greeting)
        for heading, paragraph in section.paragraphs:
            yield ""
            if heading:
                yield from wrapped(f"## {heading}")
            for line in paragraph.split("\n"):
                yield from wrapped(line)
        if section.button:
            yield from ("", f"{section.button.label}:", section.button.url)
        for paragraph in section.notes:
            yield from ("", *wrapped(paragraph))
