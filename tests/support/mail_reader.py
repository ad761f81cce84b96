"""Reads a rendered mail back: what both bodies say, link and leave out."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from functools import cached_property
from urllib.parse import unquote

import pytest
from selectolax.lexbor import LexborHTMLParser

from core.languages import Language
from emails.edition import Edition, Part
from emails.message import PREVIEW_RECIPIENT, Recipient, build_message, personalized
from emails.rendering.i18n import translate
from emails.rendering.render import Rendered
from issues.parse.text import Block
from tests.support.factories import IDENTITY, NOW, rendered

languages = pytest.mark.parametrize("language", Language)

WIDEST_NAMES = ("😀" * 80, "&" * 80, "한" * 80)


@dataclass(frozen=True)
class ShownPart:
    """A part of an edition: its blocks that the mail shows, and those that it leaves out."""

    part: Part
    blocks: tuple[Block, ...]
    left_out: tuple[Block, ...]


class Mail:
    """The mail of an edition, as a subscriber without a name gets it."""

    def __init__(self, edition: Edition) -> None:
        self.edition = edition
        self.rendered: Rendered = rendered(edition)
        self.content = self.rendered.content
        self.html, self.text = personalized(edition.spec, self.content, PREVIEW_RECIPIENT, IDENTITY, NOW)
        self.tree = LexborHTMLParser(self.html)

    @cached_property
    def visible_text(self) -> str:
        """The text that the HTML shows, on one line."""
        body = self.tree.body
        assert body
        return " ".join(body.text(separator=" ").split())

    @cached_property
    def hrefs(self) -> set[str]:
        """The URLs that the HTML links to."""
        return {unquote(node.attributes["href"] or "") for node in self.tree.css("a")}

    @cached_property
    def listed_urls(self) -> set[str]:
        """The URLs that end a line of the text."""
        return {unquote(found) for found in re.findall(r"(?m)((?:https?://|mailto:)\S+)$", self.text)}

    @cached_property
    def titles(self) -> list[str]:
        """The titles of the papers in the list at the top, in order."""
        found = [on_one_line(node.text()) for node in self.tree.css("h2[lang] > a")]
        return found[: len(self.edition.papers)]

    @cached_property
    def texts(self) -> list[tuple[str, str, str]]:
        """Each text in the HTML: its language, its heading, and its words without spaces."""
        return [
            (
                node.attributes["lang"] or "",
                next(on_one_line(heading.text()) for heading in node.css("h2, h3")),
                without_spaces("".join(part.text() for part in node.iter() if part.tag not in {"h2", "h3"})),
            )
            for node in self.tree.css("div[lang]:not([role]), td[lang]")
        ]

    @cached_property
    def left_out(self) -> list[tuple[str, str]]:
        """The lines about what was left out of an issue, each with the URL that it links to."""
        words = translate(self.edition.spec.language, "left_out")
        lines = [node for node in self.tree.css("p") if node.text().startswith(words)]
        return [(on_one_line(line.text()), line.css_first("a").attributes["href"] or "") for line in lines]  # type: ignore[union-attr]

    @cached_property
    def by_issue(self) -> list[tuple[str, list[ShownPart]]]:
        """The permalink of each issue in the archive, and the parts of its overview, its papers and its closing."""
        counts = iter(self.rendered.fitted.shown)
        return [
            (
                f"{IDENTITY.archive}/{issue.topic_id}?text={self.edition.spec.language}",
                [
                    ShownPart(part, part.blocks[:count], part.blocks[count:])
                    for unit in (issue.parts, *(paper.parts for paper in issue.papers), issue.closing)
                    for part, count in zip(unit, counts, strict=False)
                ],
            )
            for issue in self.edition.issues
        ]

    @property
    def parts(self) -> Iterator[ShownPart]:
        """All parts, in order."""
        for _, parts in self.by_issue:
            yield from parts

    @cached_property
    def max_html_bytes(self) -> int:
        """The size of the HTML part in bytes, decoded or encoded, whichever is larger, for any recipient."""
        sizes = []
        for name in WIDEST_NAMES:
            recipient = Recipient("reader@example.org", name, "0" * 16)
            spec = self.edition.spec
            html, _ = personalized(spec, self.content, recipient, IDENTITY, NOW)
            message = build_message(spec, self.content, recipient, IDENTITY, message_id="0@x", now=NOW)
            sizes += [len(html.replace("\n", "\r\n").encode()), len(encoded_html(message.data))]
        return max(sizes)


def encoded_html(data: bytes) -> str:
    """The HTML part of a message as it goes over the wire, encoded."""
    page = message_from_bytes(data).get_payload(1)
    assert isinstance(page, Message)
    return str(page.get_payload())


def on_one_line(text: str) -> str:
    """The text with single spaces."""
    return " ".join(text.split())


def without_spaces(text: str) -> str:
    """The text without spaces and numbers of links, so that it is the same in both bodies."""
    return "".join(re.sub(r"\[\d+\]", "", text).split())
