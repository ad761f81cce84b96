"""The links and the picture of a paper as a mail shows them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import sqrt
from urllib.parse import urlsplit

from core.languages import Language, TextLanguage
from emails.compose import MIN_PICTURE_WIDTH
from emails.edition import PaperUnit
from emails.rendering.i18n import translate
from emails.rendering.width import shorten
from issues.parse.content import Link
from issues.parse.text import has_hangul

MAX_LABEL_CHARACTERS = 100
COLUMN_WIDTH = 600  # pixels
_PICTURE_AREA = 100  # square pixels for each character of the paper's texts: pictures serve the text
_CODE_HOSTS = {"github.com", "gitlab.com", "codeberg.org", "bitbucket.org"}
_SITE_NAMES = {
    "arxiv.org": "arXiv",
    "huggingface.co": "Hugging Face",
    "openreview.net": "OpenReview",
    "twitter.com": "X",
    "x.com": "X",
    "youtube.com": "YouTube",
}
_PATH_PARTS_SHOWN = {"github.com": 2, "gitlab.com": 2, "huggingface.co": 2, "arxiv.org": 2, "x.com": 1}


@dataclass(frozen=True)
class LinkView:
    """A link of a paper, with the name that a reader sees: `arXiv`, `Code`, `Discussion`."""

    name: str
    url: str
    is_code: bool = False


@dataclass(frozen=True)
class PictureView:
    """A picture fitted to the column: width and height in pixels."""

    url: str
    width: int
    height: int
    alt: str


def links_of(paper: PaperUnit, language: Language) -> list[LinkView]:
    """The paper itself and its PDF, then code, project and other links, then its discussion on the forum."""
    links = [*_own_links(paper, language), *_further_links(paper, language)]
    links.append(LinkView(translate(language, "link_discuss"), paper.forum))
    uses = Counter(link.name for link in links)
    return [
        replace(link, name=f"{link.name} ({url_label(link.url)})") if uses[link.name] > 1 else link
        for link in links
    ]


def _own_links(paper: PaperUnit, language: Language) -> Iterator[LinkView]:
    if not paper.url:
        return
    parts = urlsplit(paper.url)
    if parts.path.lower().endswith(".pdf"):
        yield LinkView("PDF", paper.url)
        return
    host = _host(paper.url)
    yield LinkView(_SITE_NAMES.get(host) or translate(language, "link_paper"), paper.url)
    if host == "arxiv.org" and parts.path.startswith("/abs/"):
        yield LinkView("PDF", f"https://arxiv.org/pdf/{parts.path.removeprefix('/abs/')}")


def _further_links(paper: PaperUnit, language: Language) -> Iterator[LinkView]:
    for kind in ("code", "project", "more"):
        for link in paper.links:
            if _kind_of(link) == kind:
                yield LinkView(_name(link, kind, language), link.url, is_code=kind == "code")


def _kind_of(link: Link) -> str:
    host = _host(link.url)
    if host in _CODE_HOSTS:
        return "code"
    return "project" if host.endswith((".github.io", ".gitlab.io")) else "more"


def _name(link: Link, kind: str, language: Language) -> str:
    """The name of a link: its own label, if the mail is in the label's language, or else what is there.

    That is `Code`, `Project`, or the name of the site.
    """
    is_foreign = TextLanguage.KO not in language.texts and has_hangul(link.label)
    if link.label and not is_foreign:
        return shorten(link.label, MAX_LABEL_CHARACTERS)
    if kind != "more":
        return translate(language, f"link_{kind}")
    return _SITE_NAMES.get(_host(link.url)) or url_label(link.url)


def url_label(url: str) -> str:
    """An address as people name it: `github.com/owner/name`, `arxiv.org/abs/2505.91234`, `example.org`."""
    host = _host(url)
    path = [part for part in urlsplit(url).path.split("/") if part][: _PATH_PARTS_SHOWN.get(host, 0)]
    return shorten("/".join([host, *path]), MAX_LABEL_CHARACTERS)


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").removeprefix("www.")


def picture_of(paper: PaperUnit, title: str, language: Language) -> PictureView | None:
    """The paper's picture, at most as wide as the column and no larger than its texts justify."""
    picture = paper.picture
    if picture is None:
        return None
    characters = sum(len(block.text) for part in paper.parts for block in part.blocks)
    scale_by_text = sqrt(_PICTURE_AREA * characters / (picture.width * picture.height))
    scale = min(1, COLUMN_WIDTH / picture.width, scale_by_text)
    width, height = round(picture.width * scale), max(1, round(picture.height * scale))
    if width < MIN_PICTURE_WIDTH:
        return None
    return PictureView(picture.url, width, height, alt=translate(language, "picture", title=title))
