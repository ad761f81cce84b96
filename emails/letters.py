"""Renders letters, the mails without papers, to subscribers in their language and to operators.

To a subscriber who reads both languages, a letter says everything in Korean and then in English.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from core.frequencies import Frequency
from core.languages import Language, TextLanguage
from emails.content import Content
from emails.identity import MailIdentity
from emails.kinds import RULES, MailKind
from emails.placeholders import placeholder
from emails.rendering.base_view import LinkText, MailView, sender_lines
from emails.rendering.html import render_html
from emails.rendering.i18n import translate
from emails.rendering.plaintext import RULE, framed, greeted, wrapped
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


def subscriber_letter(
    kind: MailKind, language: Language, frequency: Frequency, identity: MailIdentity
) -> Content:
    """The letter of a kind to subscribers with this language and frequency.

    Raises:
        ValueError: the kind is not a letter to subscribers.
    """
    target = RULES[kind].button
    if target is None:
        raise ValueError(f"there is no letter {kind!r} to subscribers")
    nonce = hashlib.sha256(f"{kind} {language} {frequency} {identity.name}".encode()).hexdigest()[:20]
    sections = []
    for text_language in language.texts:
        names = {
            "language": translate(text_language, f"language_{language}"),
            "frequency": translate(text_language, frequency),
            "name": identity.name,
        }
        sections.append(
            Section(
                text_language,
                translate(text_language, f"{kind}.heading", **names),
                (("", translate(text_language, f"{kind}.text", **names)),),
                LinkText(translate(text_language, f"{kind}.button"), placeholder(nonce, target)),
                _paragraphs(translate(text_language, f"{kind}.note")),
            )
        )
    subject = translate(language, f"{kind}.subject", name=identity.name)
    return _render(kind, language, nonce, subject, sections, identity)


def operator_letter(notice: OperatorNotice, language: Language, identity: MailIdentity) -> Content:
    """The letter that tells an operator about a notice, which is in this language."""
    nonce = hashlib.sha256(repr((notice, identity.name)).encode()).hexdigest()[:20]
    text = partial(translate, language)
    facts = "\n".join(f"{name}: {value}" for name, value in notice.facts.items())
    section = Section(
        language.frame,
        notice.what[:1].upper() + notice.what[1:],
        (
            (text("notice.cause"), notice.cause),
            (text("notice.remedy"), notice.remedy),
            (text("notice.facts"), facts),
        ),
        None,
        _paragraphs(text("notice.note")),
    )
    width = MAX_SUBJECT_COLUMNS - columns(text("notice.subject", name=identity.name, what=""))
    what = notice.what if columns(notice.what) <= width else whole_words(notice.what, width, columns)
    subject = text("notice.subject", name=identity.name, what=what)
    return _render(MailKind.NOTICE, language, nonce, subject, [section], identity)


def _render(
    kind: MailKind,
    language: Language,
    nonce: str,
    subject: str,
    sections: Sequence[Section],
    identity: MailIdentity,
) -> Content:
    view = LetterView(
        language=language,
        nonce=nonce,
        brand=identity.name,
        subject=subject,
        preheader=translate(language, f"{kind}.preheader"),
        masthead=(),
        footer=tuple(sender_lines(language, identity)),
        greets=RULES[kind].greets,
        sections=tuple(sections),
    )
    return Content(subject, render_html("letter.mjml", view), framed(view, _lines(view)), nonce)


def _paragraphs(text: str) -> tuple[str, ...]:
    return tuple(text.strip().split("\n\n"))


def _lines(view: LetterView) -> Iterator[str]:
    for number, section in enumerate(view.sections):
        if number:
            yield from ("", RULE, "")
        yield from wrapped(f"# {section.heading}")
        for heading, paragraph in section.paragraphs:
            yield ""
            if heading:
                yield from wrapped(f"## {heading}")
            if view.greets and not number and not heading:
                yield from greeted(view, paragraph)
            else:
                yield from (line for part in paragraph.split("\n") for line in wrapped(part))
        if section.button:
            yield from ("", f"{section.button.label}:", section.button.url)
        for paragraph in section.notes:
            yield from ("", *wrapped(paragraph))
