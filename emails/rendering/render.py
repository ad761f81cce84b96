"""An edition to a mail's subject, HTML and text, once for all who get the same, within the limit.

The HTML is rendered with every block, measured piece by piece, and cut to the layout that fits, so
that what is measured is what is sent. What differs from reader to reader stays as markers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from emails.edition import Edition
from emails.mime.body import GAP
from emails.rendering.digest_view import DigestPage, Unit, digest_page
from emails.rendering.fit import Layout, Piece, Size, fit, size_of
from emails.rendering.html import to_html
from emails.rendering.optional_sections import cut, sizes
from emails.rendering.placeholders import fill, gaps
from emails.rendering.plaintext import digest_text

LIMIT = 95_000  # bytes of the HTML part, decoded and encoded; Gmail clips at about 102 KB


class RenderError(Exception):
    """An edition that cannot be made to fit a mail."""


@dataclass(frozen=True)
class Rendered:
    """A mail without its reader: `html` and `text` hold a marker wherever one's own part goes.

    `fill` is the share of the limit that the HTML takes, for the reader with the longest parts.
    """

    subject: str
    html: str
    text: str
    nonce: str
    layout: Layout
    fill: float


def render(edition: Edition, *, archive: str, widest: Mapping[str, str], limit: int = LIMIT) -> Rendered:
    """The mail of an edition, its HTML within `limit` bytes, decoded and encoded.

    `archive` is the address of the issues on the web, `widest` holds the longest value of each personal part, so that every reader's mail fits.

    Raises:
        RenderError: not even titles and links fit.
    """
    page = digest_page(edition, archive)
    full = to_html("digest.mjml", page)
    found = sizes(full)
    frame = _filled_size(cut(full, lambda _: False), page.nonce, widest)
    layout = fit(edition.units, frame, _blocks(edition, found), _notes(page, found), limit)
    html = cut(full, _is_kept(page, layout))
    taken = _filled_size(html, page.nonce, widest).most
    if taken > limit:
        raise RenderError(
            f"{len(edition.papers)} papers do not fit a mail of {limit} bytes, even without their texts"
        )
    text = digest_text(page, layout.shown)
    return Rendered(page.subject, html, text, page.nonce, layout, fill=taken / limit)


def _filled_size(html: str, nonce: str, widest: Mapping[str, str]) -> Size:
    around_gaps = GAP * len(gaps(html, nonce)[1])
    return size_of(fill(html, nonce, widest)) + Size(around_gaps, around_gaps)


def _blocks(edition: Edition, found: Mapping[str, Size]) -> dict[Piece, Size]:
    """What each block takes; a text's first block brings its heading."""
    pieces = [
        Piece(part, block) for part, text in enumerate(edition.parts) for block in range(len(text.blocks))
    ]
    sized = {piece: found[f"b{number}"] for number, piece in enumerate(pieces)}
    return {piece: size if piece.block else size + found[f"t{piece.part}"] for piece, size in sized.items()}


def _notes(page: DigestPage, found: Mapping[str, Size]) -> list[Size]:
    """The most that each unit's line about what was left out can take."""
    notes = []
    for unit in _units(page):
        size = found[f"n{unit.index}"]
        for text in unit.texts:
            size += max(found[f"r{text.index}"], found[f"w{text.index}"], key=lambda form: form.most)
        notes.append(size)
    return notes


def _units(page: DigestPage) -> list[Unit]:
    return [unit for issue in page.issues for unit in (issue.unit, *(paper.unit for paper in issue.papers))]


def _is_kept(page: DigestPage, layout: Layout) -> Callable[[str], bool]:
    """Whether a piece of the HTML is in the mail, by its name."""
    kept: set[str] = set()
    for unit in _units(page):
        for text in unit.texts:
            shown = layout.shown[text.index]
            kept |= {f"b{text.first + block}" for block in range(shown)}
            if shown:
                kept.add(f"t{text.index}")
            if shown < len(text.blocks):
                kept |= {f"n{unit.index}", f"r{text.index}" if shown else f"w{text.index}"}
    return kept.__contains__
