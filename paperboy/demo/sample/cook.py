"""Turn a sample week into the HTML that Discourse makes of such a post."""

import hashlib
import re
from collections.abc import Callable
from functools import cache, partial
from itertools import count, groupby
from textwrap import shorten
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from paperboy.demo.sample.data import ITEM, Paper, Week
from paperboy.demo.sample.markup import emoji_html, to_html, to_plain

EMOJI_SET = "fluentui"

_HEADING = Markup(
    '<h{level}><a name="{name}" class="anchor" href="#{name}" aria-label="Heading link"></a>{text}</h{level}>'
)


def cook_week(week: Week, origin: str, emoji_set: str = EMOJI_SET) -> str:
    """The cooked HTML of a weekly post on the forum at `origin`."""
    return _cook("post.html", week.post_id, origin, emoji_set, week=week)


def cook_news(post_id: int, origin: str, emoji_set: str = EMOJI_SET) -> str:
    """The cooked HTML of the one topic that is no weekly post."""
    return _cook("news.html", post_id, origin, emoji_set)


@cache
def templates() -> Environment:
    """The sample's templates, with what they need to show addresses and excerpts."""
    environment = Environment(
        loader=PackageLoader("paperboy.demo.sample"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.globals |= {
        "runs": runs_of_blocks,
        "excerpt": partial(shorten, placeholder="..."),
        "host": lambda address: urlsplit(address).hostname,
        "repository": lambda address: urlsplit(address).path.strip("/"),
        "arxiv_number": lambda address: address.rpartition("/")[2],
        "picture_name": _picture_name,
        "plain": to_plain,
    }
    return environment


def runs_of_blocks(blocks: tuple[str, ...]) -> list[tuple[bool, list[str]]]:
    """Neighbouring blocks of one kind together: whether they are list items, and their texts."""
    return [
        (is_list, [block.removeprefix(ITEM) for block in run])
        for is_list, run in groupby(blocks, key=lambda block: block.startswith(ITEM))
    ]


def anchor_name(heading: str) -> str:
    """What Discourse keeps of a heading in its anchor: ASCII letters, digits, dashes."""
    words = re.sub(r"[^a-z0-9_\- ]", "", heading.lower()).split()
    name = re.sub("-+", "-", "-".join(words)).strip("-")
    if not name:
        return "h"
    return name if name[0].isalpha() else f"h-{name}"


def _cook(template: str, post_id: int, origin: str, emoji_set: str, **data: Week) -> str:
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
    numbers = count(1)

    def heading(level: int, text: str) -> Markup:
        name = f"p-{post_id}-{anchor_name(to_plain(text))}-{next(numbers)}"
        return _HEADING.format(level=level, name=name, text=inline(text))

    return heading


def _picture_name(paper: Paper, number: int) -> str:
    """Forty hexadecimal digits, as uploads are named; the link survives a change of title."""
    return hashlib.sha256(f"{paper.link} {number}".encode()).hexdigest()[:40]
