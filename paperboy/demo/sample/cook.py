"""Renders a sample week as the HTML that Discourse makes of such a post (the `cooked` field of its API)."""

import hashlib
import re
from collections.abc import Callable
from functools import cache, partial
from itertools import count, groupby
from textwrap import shorten
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from paperboy.demo.sample.data import LIST_ITEM_PREFIX, SamplePaper, SampleWeek
from paperboy.demo.sample.markup import emoji_html, to_html, to_plain

EMOJI_SET = "fluentui"

_HEADING = Markup(
    '<h{level}><a name="{name}" class="anchor" href="#{name}" aria-label="Heading link"></a>{text}</h{level}>'
)


def cook_week(week: SampleWeek, origin: str, emoji_set: str = EMOJI_SET) -> str:
    """The cooked HTML of a weekly post on the forum at `origin`."""
    return _cook("post.html", week.post_id, origin, emoji_set, week=week)


def cook_news(post_id: int, origin: str, emoji_set: str = EMOJI_SET) -> str:
    """The cooked HTML of the only topic that is not a weekly post."""
    return _cook("news.html", post_id, origin, emoji_set)


@cache
def templates() -> Environment:
    """The templates of the sample forum, with the functions that they call."""
    environment = Environment(
        loader=PackageLoader("paperboy.demo.sample"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.globals |= {
        "grouped": group_list_items,
        "excerpt": partial(shorten, placeholder="..."),
        "host": lambda url: urlsplit(url).hostname,
        "repository": lambda url: urlsplit(url).path.strip("/"),
        "arxiv_number": lambda url: url.rpartition("/")[2],
        "picture_name": _picture_name,
        "plain": to_plain,
    }
    return environment


def group_list_items(blocks: tuple[str, ...]) -> list[tuple[bool, list[str]]]:
    """Group neighbouring blocks of one kind, as (whether they are list items, their texts)."""
    return [
        (is_list, [block.removeprefix(LIST_ITEM_PREFIX) for block in group])
        for is_list, group in groupby(blocks, key=lambda block: block.startswith(LIST_ITEM_PREFIX))
    ]


def anchor_name(heading: str) -> str:
    """The part of a heading's anchor that Discourse makes from its text: ASCII letters, digits and dashes.

    An anchor begins with a letter. A heading without any of these characters gets "h".
    """
    words = re.sub(r"[^a-z0-9_\- ]", "", heading.lower()).split()
    name = re.sub("-+", "-", "-".join(words)).strip("-")
    if not name:
        return "h"
    return name if name[0].isalpha() else f"h-{name}"


def _cook(template: str, post_id: int, origin: str, emoji_set: str, **data: SampleWeek) -> str:
    folder = f"{origin}/images/emoji/{emoji_set}"
    inline = partial(to_html, emoji_folder=folder)
    return (
        templates()
        .get_template(template)
        .render(
            origin=origin,
            inline=inline,
            emoji=partial(emoji_html, emoji_folder=folder),
            heading=_numbered_headings(post_id, inline),
            **data,
        )
    )


def _numbered_headings(post_id: int, inline: Callable[[str], Markup]) -> Callable[[int, str], Markup]:
    """A function that renders headings with anchors, which Discourse numbers through the whole post."""
    numbers = count(1)

    def heading(level: int, text: str) -> Markup:
        name = f"p-{post_id}-{anchor_name(to_plain(text))}-{next(numbers)}"
        return _HEADING.format(level=level, name=name, text=inline(text))

    return heading


def _picture_name(paper: SamplePaper, number: int) -> str:
    """The file name of an upload: forty hexadecimal digits, as in the URLs of Discourse."""
    # The link stays the same in an edit, unlike the title.
    return hashlib.sha256(f"{paper.link} {number}".encode()).hexdigest()[:40]
