"""Papers as the pages show them: the same gists, links and pictures as in the mails, and the texts of both languages."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from core.frequencies import Frequency
from core.languages import Language, TextLanguage
from core.slots import preview_slot
from emails.compose import compose
from emails.content import MailSpec
from emails.edition import Gist, Part
from emails.rendering.paper_links import LinkView, PictureView, links_of, picture_of
from issues.arrivals import Arrival
from issues.parse.addresses import work_of
from issues.parse.content import PaperContent

MAX_SLUG_CHARACTERS = 60
ARXIV_WORK = "arxiv:"


@dataclass(frozen=True)
class ShownTitle:
    """A title in the language in which the page shows it."""

    text: str
    language: TextLanguage


@dataclass(frozen=True)
class ShownPaper:
    """A paper on a page. `path` is its own page, `arxiv` its arXiv number, or empty if it has none.

    `texts` are those of both languages, in reading order.
    """

    number: int
    position: int
    path: str
    arxiv: str
    title: ShownTitle
    subtitle: str
    gists: tuple[Gist, ...]
    links: tuple[LinkView, ...]
    picture: PictureView | None
    texts: tuple[Part, ...]
    paper: PaperContent

    @property
    def languages(self) -> set[TextLanguage]:
        """The languages in which it has texts."""
        return {part.language for part in self.texts}


def archive_spec(language: Language) -> MailSpec:
    """The mail whose parts the pages show."""
    return MailSpec(preview_slot("archive"), language, Frequency.WEEKLY)


def shown_paper(arrival: Arrival, language: TextLanguage, forum_host: str) -> ShownPaper:
    """A paper for a page in a language. A picture is shown only if the forum itself has it."""
    (unit,) = compose([arrival], 0, archive_spec(Language.BOTH)).papers
    title = title_of(arrival.paper, (language,))
    picture = picture_of(unit, title.text, Language(language))
    is_ours = picture is not None and urlsplit(picture.url).hostname == forum_host
    english = arrival.paper.title_en
    return ShownPaper(
        number=arrival.number,
        position=arrival.position,
        path=paper_path(arrival.number, arrival.paper.name),
        arxiv=arxiv_number(arrival.paper),
        title=title,
        subtitle=english if title.language != TextLanguage.EN else "",
        gists=unit.gists,
        links=tuple(links_of(unit, Language(language))),
        picture=picture if is_ours else None,
        texts=unit.parts,
        paper=arrival.paper,
    )


def title_of(paper: PaperContent, languages: Sequence[TextLanguage]) -> ShownTitle:
    """A paper's title in the first of the languages that has one, or else in any language."""
    for language in (*languages, *TextLanguage):
        title = paper.texts_in(language).title
        if title:
            return ShownTitle(title, language)
    return ShownTitle("", languages[0])


def paper_path(number: int, title: str) -> str:
    """The address of a paper's page: its number, which never changes, and words of its title, which may."""
    ascii_title = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "-", ascii_title.lower()).strip("-")
    slug = words[:MAX_SLUG_CHARACTERS].rstrip("-")
    return f"/papers/{number}-{slug}" if slug else f"/papers/{number}"


def arxiv_number(paper: PaperContent) -> str:
    """The arXiv number of a paper, or empty if it is elsewhere."""
    work = work_of(paper.url) if paper.url else ""
    return work.removeprefix(ARXIV_WORK) if work.startswith(ARXIV_WORK) else ""
