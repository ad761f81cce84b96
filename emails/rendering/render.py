"""Renders an edition: subject, HTML and text, once for all who get the same, within the size limit.

The HTML is rendered with every block, measured section by section, and then cut to the blocks that fit, so what
is measured is what is sent. What differs between recipients stays as placeholders.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from core.errors import PaperboyError
from emails.content import Content
from emails.edition import Edition
from emails.identity import MailIdentity
from emails.mime.body import PLACEHOLDER_OVERHEAD_BYTES
from emails.placeholders import fill_placeholders, split_at_placeholders
from emails.rendering.digest_view import DigestView, digest_view
from emails.rendering.fit import BlockRef, FittedBlocks, fit
from emails.rendering.html import render_html
from emails.rendering.optional_sections import keep_sections, section_sizes
from emails.rendering.plaintext import digest_text
from emails.rendering.size import NO_SIZE, HtmlSize, size_of

MAX_HTML_BYTES = 95_000  # of the HTML part, decoded and encoded; Gmail clips at about 102 KB


class RenderError(PaperboyError):
    """An edition cannot be made to fit into a mail."""


@dataclass(frozen=True)
class Rendered:
    """A rendered edition. `fill` is the share of the limit that the HTML of the longest recipient takes."""

    content: Content
    fitted: FittedBlocks
    fill: float


def render(
    edition: Edition,
    identity: MailIdentity,
    *,
    longest: Mapping[str, str],
    max_bytes: int = MAX_HTML_BYTES,
) -> Rendered:
    """The mail of an edition, its HTML within `max_bytes`, decoded and encoded.

    `longest` holds the longest possible value of each placeholder, so that the mail of every recipient fits.

    Raises:
        RenderError: not even titles and links fit.
    """
    view = digest_view(edition, identity)
    full = render_html("digest.mjml", view)
    sizes = section_sizes(full)
    frame = _filled_size(keep_sections(full, lambda name: name.startswith("h")), view.nonce, longest)
    fitted = fit(
        edition.parts, frame, _block_sizes(edition, view, sizes), _notes_size(view, sizes), max_bytes
    )
    html = keep_sections(full, _is_kept(view, fitted))
    taken = _filled_size(html, view.nonce, longest).larger
    if taken > max_bytes:
        raise RenderError(
            f"{len(edition.papers)} papers do not fit into a mail of {max_bytes} bytes, even without their texts"
        )
    content = Content(view.subject, html, digest_text(view, fitted.shown), view.nonce)
    return Rendered(content, fitted, fill=taken / max_bytes)


def _filled_size(html: str, nonce: str, longest: Mapping[str, str]) -> HtmlSize:
    overhead = PLACEHOLDER_OVERHEAD_BYTES * len(split_at_placeholders(html, nonce)[1])
    return size_of(fill_placeholders(html, nonce, longest)) + HtmlSize(overhead, overhead)


# The sections of emails/templates/digest.mjml are described there.


def _block_sizes(
    edition: Edition, view: DigestView, sizes: Mapping[str, HtmlSize]
) -> dict[BlockRef, HtmlSize]:
    """The size of each block. The first block of a text includes the frames around it."""
    refs = [
        BlockRef(part, block) for part, text in enumerate(edition.parts) for block in range(len(text.blocks))
    ]
    frames = {text.index: sizes[f"p{pair.index}"] for pair in view.pairs for text in pair.texts}
    blocks = {ref: sizes[f"b{number}"] for number, ref in enumerate(refs)}
    return {
        ref: size if ref.block else size + sizes[f"t{ref.part}"] + frames[ref.part]
        for ref, size in blocks.items()
    }


def _notes_size(view: DigestView, sizes: Mapping[str, HtmlSize]) -> HtmlSize:
    """The maximum size of the lines about what was left out."""
    size = NO_SIZE
    for issue in view.issues:
        size += sizes[f"n{issue.index}"]
        for entry in issue.left_outs:
            size += max(sizes[f"r{entry.index}"], sizes[f"w{entry.index}"], key=lambda form: form.larger)
    return size


def _is_kept(view: DigestView, fitted: FittedBlocks) -> Callable[[str], bool]:
    """Whether the section with a name is in the mail."""
    shown, kept = fitted.shown, set()
    for text in view.texts:
        kept |= {f"b{text.first + block}" for block in range(shown[text.index])}
    kept |= {f"t{text.index}" for text in view.texts if shown[text.index]}
    kept |= {f"p{pair.index}" for pair in view.pairs if pair.is_shown(shown)}
    kept |= {f"h{paper.index}" for paper in view.papers if any(pair.is_shown(shown) for pair in paper.texts)}
    for issue in view.issues:
        for entry in issue.left_outs_with(shown):
            kept |= {f"n{issue.index}", f"r{entry.index}" if entry.is_begun(shown) else f"w{entry.index}"}
    return kept.__contains__
