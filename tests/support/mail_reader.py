"""A rendered mail as its reader finds it: what both bodies say, link and leave out."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from functools import cached_property
from urllib.parse import unquote

import pytest
from selectolax.lexbor import LexborHTMLParser

from emails.edition import Edition, IssueUnit, Part
from emails.message import Reader, build, personalized
from emails.rendering.i18n import translate
from emails.rendering.plaintext import WIDTH
from emails.rendering.render import Rendered
from issues.parse.text import Block
from tests.support.factories import IDENTITY, NOW, rendered, stored

LANGUAGES = ("ko", "en", "both")
languages = pytest.mark.parametrize("language", LANGUAGES)

WIDEST_NAMES = ("😀" * 80, "&" * 80, "한" * 80)


@dataclass(frozen=True)
class Shown:
    """One text of an edition: its blocks in the mail, and those left out."""

    part: Part
    blocks: tuple[Block, ...]
    left: tuple[Block, ...]


class Mail:
    """The mail of an edition, read by somebody without a name."""

    def __init__(self, edition: Edition) -> None:
        self.edition = edition
        self.rendered: Rendered = rendered(edition)
        self.content = stored(edition, self.rendered)
        reader = Reader("reader@example.org", "", "0" * 16, edition.language)
        self.html, self.text = personalized(self.content, reader, IDENTITY, NOW)
        self.tree = LexborHTMLParser(self.html)

    @cached_property
    def seen(self) -> str:
        """What the HTML shows, on one line."""
        body = self.tree.body
        assert body
        return " ".join(body.text(separator=" ").split())

    @cached_property
    def hrefs(self) -> set[str]:
        """The addresses that the HTML links."""
        return {unquote(node.attributes["href"] or "") for node in self.tree.css("a")}

    @cached_property
    def addresses(self) -> set[str]:
        """The addresses that the text lists."""
        listed = self.text.rpartition("=" * WIDTH)[2]
        return {unquote(found) for found in re.findall(r"(?m)^\[\d+\] (.+)$", listed)}

    @cached_property
    def titles(self) -> list[str]:
        """The headings of papers, in order."""
        return [squeezed(node.text()) for node in self.tree.css("h2[lang]")]

    @cached_property
    def texts(self) -> list[tuple[str, str, list[str]]]:
        """Each text in the HTML: its language, its heading, and its paragraphs and list items."""
        return [
            (
                node.attributes["lang"] or "",
                next(squeezed(heading.text()) for heading in node.css("h2, h3")),
                [bare(block.text()) for block in node.css("p, li")],
            )
            for node in self.tree.css("div[lang]:not([role]), td[lang]")
        ]

    @cached_property
    def left_out(self) -> list[tuple[str, str]]:
        """The lines about what was left out, each with where it leads."""
        words = translate(self.edition.language, "left_out")
        lines = [node for node in self.tree.css("p") if node.text().startswith(words)]
        return [(squeezed(line.text()), line.css_first("a").attributes["href"] or "") for line in lines]  # type: ignore[union-attr]

    @cached_property
    def units(self) -> list[tuple[str, list[Shown]]]:
        """Each issue's opening and each paper: its place in the archive, and its texts."""
        counts = iter(self.rendered.fitted.shown)
        webs = [web for issue in self.edition.issues for web in webs_of(issue, self.edition.language)]
        return [
            (
                web,
                [
                    Shown(part, part.blocks[:count], part.blocks[count:])
                    for part in unit
                    for count in [next(counts)]
                ],
            )
            for web, unit in zip(webs, self.edition.units, strict=True)
        ]

    @property
    def shown(self) -> Iterator[Shown]:
        """Each text, in order."""
        for _, texts in self.units:
            yield from texts

    @cached_property
    def biggest(self) -> int:
        """The most that the HTML part takes, decoded or encoded, for any reader."""
        sizes = []
        for name in WIDEST_NAMES:
            reader = Reader("reader@example.org", name, "0" * 16, "ko")
            html, _ = personalized(self.content, reader, IDENTITY, NOW)
            sizes += [
                len(html.replace("\n", "\r\n").encode()),
                len(sent_html(build(self.content, reader, IDENTITY, message_id="0@x", now=NOW).data)),
            ]
        return max(sizes)


def sent_html(data: bytes) -> str:
    """The HTML part of a message as it goes over the wire, encoded."""
    page = message_from_bytes(data).get_payload(1)
    assert isinstance(page, Message)
    return str(page.get_payload())


def webs_of(issue: IssueUnit, language: str) -> list[str]:
    """Where an issue and each of its papers stand in the archive."""
    web = f"{IDENTITY.archive}/{issue.topic_id}?text={language}"
    return [web, *(f"{web}#paper-{paper.number}" for paper in issue.papers)]


def squeezed(text: str) -> str:
    return " ".join(text.split())


def bare(text: str) -> str:
    """A text without spaces and numbers of links: the same in both bodies, wherever lines are broken."""
    return "".join(re.sub(r"\[\d+\]", "", text).split())
