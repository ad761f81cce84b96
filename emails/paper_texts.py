"""All texts of a paper in reading order, each in every language it has: introduction, abstract, notes, further sections."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from core.languages import TextLanguage
from emails.edition import Part
from issues.parse.content import PaperContent, Section
from issues.parse.readable import readable_blocks
from issues.parse.text import Block, TextRun, has_hangul
from issues.parse.titles import split_title

MAX_SECTIONS = 8  # at a place of a paper; further ones are joined, so that lists of their headings stay short


def texts_of(paper: PaperContent) -> Iterator[list[Part]]:
    """All texts of a paper in reading order, each in all languages. A text can lack blocks in a language."""
    texts = {each: paper.texts_in(each) for each in TextLanguage}
    yield from _sections_after("title", paper)
    yield [Part("intro", each, readable_blocks(texts[each].intro)) for each in TextLanguage]
    yield from _sections_after("intro", paper)
    yield [Part("abstract", each, readable_blocks(texts[each].abstract)) for each in TextLanguage]
    yield from _sections_after("abstract", paper)
    yield [Part("notes", each, readable_blocks(_notes(paper, each))) for each in TextLanguage]
    yield from _sections_after("link", paper)
    yield from _sections_after("more", paper)


def _notes(paper: PaperContent, language: TextLanguage) -> tuple[Block, ...]:
    """The texts among a paper's links in one language."""
    return tuple(block for block in paper.notes if has_hangul(block.text) == (language == TextLanguage.KO))


def _sections_after(place: str, paper: PaperContent) -> Iterator[list[Part]]:
    """The further sections at a place of a paper, each in all languages."""
    for section in _joined_sections(place, paper):
        yield [
            Part(
                "section",
                each,
                readable_blocks(section.blocks_in(each)),
                heading=_heading(section, each),
            )
            for each in TextLanguage
        ]


def _joined_sections(place: str, paper: PaperContent) -> list[Section]:
    """The further sections at a place of a paper, at most MAX_SECTIONS; the last of them has the texts of all others.

    A heading without a text of its own goes before the next heading.
    """
    sections: list[Section] = []
    upper: list[str] = []
    for section in paper.sections:
        if section.after != place:
            continue
        upper.append(section.heading)
        if section.ko or section.en:
            sections.append(replace(section, heading=" · ".join(upper)))
            upper = []
    shown, last = sections[: MAX_SECTIONS - 1], sections[MAX_SECTIONS - 1 :]
    return [*shown, _joined(last)] if last else shown


def _joined(sections: Sequence[Section]) -> Section:
    """The first section with the texts of the others, whose headings become paragraphs."""
    korean, english = (
        tuple(
            block
            for section in sections[1:]
            if section.blocks_in(language)
            for block in (
                Block("p", (TextRun(_heading(section, language), bold=True),)),
                *section.blocks_in(language),
            )
        )
        for language in TextLanguage
    )
    first = sections[0]
    return replace(first, ko=first.ko + korean, en=first.en + english)


def _heading(section: Section, language: TextLanguage) -> str:
    """A section's heading for its text in a language: a half of it, if it is in both; empty if there is none in English."""
    korean, english = split_title(section.heading)
    return english if language == TextLanguage.EN else korean or section.heading
