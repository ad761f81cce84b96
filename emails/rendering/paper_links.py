"""The links and the picture of a paper as a mail shows them."""

from collections.abc import Iterator
from dataclasses import dataclass
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
_PATH_PARTS_SHOWN = {"github.com": 2, "gitlab.com": 2, "huggingface.co": 2, "arxiv.org": 2, "x.com": 1}


@dataclass(frozen=True)
class LinkView:
    """A link of a paper. `kind` says what is there."""

    kind: str
    label: str
    url: str


@dataclass(frozen=True)
class PictureView:
    """A picture fitted to the column: width and height in pixels."""

    url: str
    width: int
    height: int
    alt: str


def links_of(paper: PaperUnit, language: Language) -> Iterator[LinkView]:
    """The paper's own address, then code, project and other links, then its discussion on the forum."""
    if paper.url:
        yield LinkView(translate(language, "link_paper"), url_label(paper.url), paper.url)
    for kind in ("code", "project", "more"):
        for link in paper.links:
            if _kind_of(link) == kind:
                yield LinkView(translate(language, f"link_{kind}"), _label(link, language), link.url)
    yield LinkView(translate(language, "link_discuss"), translate(language, "discuss"), paper.forum)


def _kind_of(link: Link) -> str:
    host = _host(link.url)
    if host in _CODE_HOSTS:
        return "code"
    return "project" if host.endswith((".github.io", ".gitlab.io")) else "more"


def _label(link: Link, language: Language) -> str:
    """A link's own label, unless it is in a language that the mail is not in; then its address."""
    is_foreign = TextLanguage.KO not in language.texts and has_hangul(link.label)
    if link.label and not is_foreign:
        return shorten(link.label, MAX_LABEL_CHARACTERS)
    return url_label(link.url)


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
