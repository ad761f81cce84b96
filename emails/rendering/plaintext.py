"""The text part of a mail, written from the content: same order, every heading, every link."""

from collections.abc import Iterable, Iterator, Sequence

from emails.rendering.base_view import Page
from emails.rendering.digest_view import DigestPage, IssuePage, PaperPage, Unit
from emails.rendering.width import wrap
from issues.parse.text import Block

WIDTH = 72


class Links:
    """The addresses of a mail, numbered as they come."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def mark(self, url: str) -> str:
        """The address's number in brackets, the same at every mention."""
        return f"[{self.numbers.setdefault(url, len(self.numbers) + 1)}]"


def digest_text(page: DigestPage, shown: Sequence[int]) -> str:
    """The text of a digest; `shown` says how many blocks of each text are in it.

    Lines are at most WIDTH columns wide (a Hangul syllable takes two) unless one word is wider.
    Links stand as numbers in brackets, with their addresses at the end.
    """
    links = Links()
    return framed(page, _digest(page, shown, links), links)


def framed(page: Page, content: Iterable[str], links: Links) -> str:
    """The content between what every mail begins and ends with, and the addresses of its links."""
    lines = [f"{anchor.label} {links.mark(anchor.url)}" for anchor in page.top]
    lines += ["", *lines_of(page.brand), *lines_of(page.tagline), RULE, "", *content]
    if page.bottom:
        lines += ["", RULE, *(f"{anchor.label} {links.mark(anchor.url)}" for anchor in page.bottom)]
    for line in page.ending:
        lines += ["", *lines_of(line)]
    if links.numbers:
        lines += ["", RULE, page.say("links"), ""]
        lines += [f"[{number}] {url}" for url, number in links.numbers.items()]
    return "\n".join(lines).strip() + "\n"


RULE = "=" * WIDTH


def lines_of(text: str, first: str = "", rest: str = "") -> list[str]:
    """The text in the lines of a mail."""
    return wrap(text, WIDTH, first, rest)


def _digest(page: DigestPage, shown: Sequence[int], links: Links) -> Iterator[str]:
    yield from (page.kicker, *lines_of(page.heading))
    for portion in page.portions:
        yield from lines_of(portion)
    yield from ("", page.greeting, *lines_of(page.opening), "", f"# {page.say('contents')}", "")
    for paper in page.papers:
        marks = "".join(f" ({mark})" for mark in paper.marks)
        yield from lines_of(
            f"{paper.title} {links.mark(paper.web)}{marks}", first=f"{paper.number:>2}. ", rest="    "
        )
    if page.remaining:
        yield from ("", *lines_of(page.say("remaining", count=page.remaining)))
    for issue in page.issues:
        yield from _issue(issue, page, shown, links)
    if page.following:
        yield from ("", RULE, f"# {page.say('following')}", "")
        for anchor in page.following:
            yield from lines_of(f"{anchor.label} {links.mark(anchor.url)}", first="  * ", rest="    ")


def _issue(issue: IssuePage, page: DigestPage, shown: Sequence[int], links: Links) -> Iterator[str]:
    if issue.elsewhere:
        yield from ("", *lines_of(f"{issue.elsewhere} {links.mark(issue.web)}"))
    if issue.unit.texts:
        yield from ("", RULE, *_unit(issue.unit, page, shown, links))
    for paper in issue.papers:
        yield from ("", RULE, *_paper(paper, page, shown, links))


def _paper(paper: PaperPage, page: DigestPage, shown: Sequence[int], links: Links) -> Iterator[str]:
    yield " · ".join((f"{paper.number} / {page.total}", *paper.marks))
    yield from lines_of(f"# {paper.title}")
    if paper.subtitle:
        yield from lines_of(paper.subtitle)
    yield from _unit(paper.unit, page, shown, links)
    yield ""
    for link in paper.links:
        yield from lines_of(f"{link.kind}: {link.label} {links.mark(link.url)}", rest="    ")


def _unit(unit: Unit, page: DigestPage, shown: Sequence[int], links: Links) -> Iterator[str]:
    left_out = []
    for text in unit.texts:
        blocks = text.blocks[: shown[text.index]]
        if blocks:
            yield from ("", f"## {text.heading}", "", *_blocks(blocks, links))
        if len(blocks) < len(text.blocks):
            left_out.append(page.say("rest_of", part=text.listed) if blocks else text.listed)
    if left_out:
        words = " · ".join([*left_out, f"{page.say('read_on')} {links.mark(unit.web)}"])
        yield from ("", *lines_of(f"{page.say('left_out')} {words}"))


def _blocks(blocks: Sequence[Block], links: Links) -> Iterator[str]:
    for place, block in enumerate(blocks):
        if place and not (block.type == "li" and blocks[place - 1].type == "li"):
            yield ""
        text = "".join(f"{run.text} {links.mark(run.href)}" if run.href else run.text for run in block.runs)
        first, rest = ("  * ", "    ") if block.type == "li" else ("", "")
        for line in text.split("\n"):
            yield from lines_of(line, first, rest)
            first = rest
