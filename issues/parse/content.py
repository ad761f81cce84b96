"""What a parsed post holds: an issue with its overview and papers, as plain values."""

from dataclasses import dataclass
from typing import NamedTuple, assert_never

from core.languages import TextLanguage
from issues.parse.addresses import comparable_url, work_of
from issues.parse.text import Block
from issues.parse.titles import title_key
from issues.parse.weeks import Week


@dataclass(frozen=True)
class Picture:
    """A picture of a paper: its address, and its width and height in CSS pixels (0 if the post gives none)."""

    url: str
    width: int
    height: int


@dataclass(frozen=True)
class Link:
    """An address under 논문 링크 or 더 읽어보기. `label` is the text beside it, if any."""

    url: str
    label: str = ""


@dataclass(frozen=True)
class Section:
    """A section of a paper under a heading of its own, which no other paper need have.

    `after` names the part of the paper that it follows: `title`, `intro`, `abstract`, `link` or `more`.
    """

    heading: str
    after: str
    ko: tuple[Block, ...] = ()
    en: tuple[Block, ...] = ()

    def blocks_in(self, language: TextLanguage) -> tuple[Block, ...]:
        """The section's blocks in a language."""
        match language:
            case TextLanguage.KO:
                return self.ko
            case TextLanguage.EN:
                return self.en
            case _:
                assert_never(language)


class TextsOfPaper(NamedTuple):
    """What a post says about a paper in one language."""

    title: str
    intro: tuple[Block, ...]
    abstract: tuple[Block, ...]
    gist: str


@dataclass(frozen=True)
class PaperContent:
    """One paper as its post gives it. A part that the post does not have in a language is empty.

    `sections` are those that the format does not know, `notes` the texts among the links.
    `anchor` is the fragment of the paper's heading on the forum's page. It changes when headings before it do.
    A gist is one whole sentence of the post that says what the paper does; see `issues.gist`.
    """

    title_ko: str
    title_en: str
    intro_ko: tuple[Block, ...] = ()
    intro_en: tuple[Block, ...] = ()
    abstract_ko: tuple[Block, ...] = ()
    abstract_en: tuple[Block, ...] = ()
    url: str = ""
    links: tuple[Link, ...] = ()
    notes: tuple[Block, ...] = ()
    sections: tuple[Section, ...] = ()
    pictures: tuple[Picture, ...] = ()
    anchor: str = ""
    gist_ko: str = ""
    gist_en: str = ""

    @property
    def key(self) -> str:
        """What identifies the paper through edits: its address, else its English or Korean title."""
        return comparable_url(self.url) if self.url else title_key(self.name)

    @property
    def work(self) -> str:
        """What identifies the work itself, whichever of its addresses the post gives."""
        return work_of(self.url) if self.url else title_key(self.name)

    @property
    def name(self) -> str:
        """How reports name the paper: by its English title, else by its Korean one."""
        return self.title_en or self.title_ko

    def texts_in(self, language: TextLanguage) -> TextsOfPaper:
        """What the post says about the paper in a language."""
        match language:
            case TextLanguage.KO:
                return TextsOfPaper(self.title_ko, self.intro_ko, self.abstract_ko, self.gist_ko)
            case TextLanguage.EN:
                return TextsOfPaper(self.title_en, self.intro_en, self.abstract_en, self.gist_en)
            case _:
                assert_never(language)


@dataclass(frozen=True)
class IssueContent:
    """A parsed weekly post. `closing` is what it says after its papers, `pictures` are those that belong to no paper.

    `problems` says why it should not go out as it is, each with its place.
    """

    title: str
    week: Week
    overview: tuple[Block, ...] = ()
    summary: tuple[Block, ...] = ()
    papers: tuple[PaperContent, ...] = ()
    closing: tuple[Block, ...] = ()
    pictures: tuple[Picture, ...] = ()
    problems: tuple[str, ...] = ()
