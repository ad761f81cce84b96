"""What a post embeds: oneboxes and videos, which are opaque links, and the pictures of which it gives the size."""

import re
from collections.abc import Iterator, Sequence

from selectolax.lexbor import LexborNode

from issues.parse.addresses import safe_url
from issues.parse.content import Picture
from issues.parse.inline import classes

MEDIA = {"iframe", "video", "audio", "embed"}
_SIZE = re.compile(r"[0-9]{1,5}")


def is_opaque(node: LexborNode) -> bool:
    """Whether the element is one opaque link: a onebox, a video, or a link to another topic of the forum.

    The forum shows its own topics as a quote without a person's name (Discourse, discourse_topic_onebox).
    """
    names = classes(node)
    if node.tag in MEDIA or any(name.endswith("onebox") for name in names):
        return True
    return (
        node.tag == "aside"
        and "quote" in names <= {"quote", "quote-modified"}
        and not node.attributes.get("data-username")
        and node.css_first(".title a[href]") is not None
    )


def target_of(node: LexborNode, base: str) -> str | None:
    """Where a onebox leads. Its first link says so too, since feedparser removes data-onebox-src."""
    links = node.css("header.source a[href], .title a[href]") + node.css("a[href]")
    addresses = [link.attributes.get("href") for link in links]
    sources = [source.attributes.get("src") for source in node.css("source[src]")]
    own = [node.attributes.get(name) for name in ("data-onebox-src", "src", "data-video-src")]
    urls = (safe_url(address, base) for address in [*own, *sources, *addresses])
    return next((url for url in urls if url), None)


def pictures_of(images: Sequence[LexborNode], base: str) -> Iterator[Picture]:
    """The pictures among images. One without a size would move the text while it loads, so it is left out."""
    for image in images:
        url = safe_url(image.attributes.get("src"), base)
        width, height = (_pixels(image, name) for name in ("width", "height"))
        in_lightbox = image.parent is not None and "lightbox" in classes(image.parent)
        if url and "emoji" not in classes(image) and (in_lightbox or (width and height)):
            yield Picture(url, width, height)


def _pixels(image: LexborNode, name: str) -> int:
    value = image.attributes.get(name) or ""
    return int(value) if _SIZE.fullmatch(value) else 0


_ANCHOR = re.compile(r"p-\d+-[\w%-]{1,200}", re.ASCII)


def anchor_of(heading: LexborNode) -> str:
    link = heading.css_first("a.anchor[name]")
    name = (link.attributes.get("name") or "") if link else ""
    return name if _ANCHOR.fullmatch(name) else ""
