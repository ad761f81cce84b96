"""The text part of a mail, written from the same view as the HTML: same order, every heading, every link."""

from collections.abc import Iterable, Iterator, Sequence

from emails.rendering.base_view import MailView
from emails.rendering.digest_view import DigestView, IssueView, PaperView, UnitView
from emails.rendering.width import wrap
from issues.parse.text import Block

MAX_LINE_COLUMNS = 72
RULE = "=" * MAX_LINE_COLUMNS


class LinkNumbers:
    """The addresses in a mail, numbered in the order of their first mention."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def reference(self, url: str) -> str:
        """The address's number in brackets. Every mention of an address has the same number."""
        return f"[{self.numbers.setdefault(url, len(self.numbers) + 1)}]"


def digest_text(view: DigestView, shown: Sequence[int]) -> str:
    """The text of a digest. `shown` says how many blocks of each text it contains.

    Lines are at most MAX_LINE_COLUMNS wide (a Hangul syllable takes two) unless a single word is wider. Links
    are numbers in brackets, and their addresses follow at the end.
    """
    links = LinkNumbers()
    return framed(view, _digest(view, shown, links), links)


def framed(view: MailView, content: Iterable[str], links: LinkNumbers) -> str:
    """The content between what every mail begins and ends with, followed by the addresses of all links."""
    lines = [f"{link.label} {links.reference(link.url)}" for link in view.top]
    lines += ["", *wrapped(view.brand), *wrapped(view.tagline), RULE, "", *content]
    if view.bottom:
        lines += ["", RULE, *(f"{link.label} {links.reference(link.url)}" for link in view.bottom)]
    for line in view.footer:
        lines += ["", *wrapped(line)]
    if links.numbers:
        lines += ["", RULE, view.translate("links"), ""]
        lines += [f"[{number}] {url}" for url, number in links.numbers.items()]
    return "\n".join(lines).strip() + "\n"


def wrapped(text: str, first: str = "", rest: str = "") -> list[str]:
    """The text in lines of a mail. See `wrap`."""
    return wrap(text, MAX_LINE_COLUMNS, first, rest)


def _digest(view: DigestView, shown: Sequence[int], links: LinkNumbers) -> Iterator[str]:
    yield from (view.kicker, *wrapped(view.heading))
    for portion in view.portions:
        yield from wrapped(portion)
    yield from ("", view.greeting, *wrapped(view.opening), "", f"# {view.translate('contents')}", "")
    for paper in view.papers:
        marks = "".join(f" ({mark})" for mark in paper.marks)
        yield from wrapped(
            f"{paper.title} {links.reference(paper.web)}{marks}", first=f"{paper.number:>2}. ", rest="    "
        )
    if view.remaining:
        yield from ("", *wrapped(view.translate("remaining", count=view.remaining)))
    for issue in view.issues:
        yield from _issue(issue, view, shown, links)
    if view.following:
        yield from ("", RULE, f"# {view.following_heading}", "")
        for link in view.following:
            yield from wrapped(f"{link.label} {links.reference(link.url)}", first="  * ", rest="    ")


def _issue(issue: IssueView, view: DigestView, shown: Sequence[int], links: LinkNumbers) -> Iterator[str]:
    if issue.elsewhere:
        yield from ("", *wrapped(f"{issue.elsewhere} {links.reference(issue.web)}"))
    if issue.unit.texts:
        yield from ("", RULE, *_unit(issue.unit, view, shown, links))
    for paper in issue.papers:
        yield from ("", RULE, *_paper(paper, view, shown, links))


def _paper(paper: PaperView, view: DigestView, shown: Sequence[int], links: LinkNumbers) -> Iterator[str]:
    yield " · ".join((f"{paper.number} / {view.total}", *paper.marks))
    yield from wrapped(f"# {paper.title}")
    if paper.subtitle:
        yield from wrapped(paper.subtitle)
    yield from _unit(paper.unit, view, shown, links)
    yield ""
    for link in paper.links:
        yield from wrapped(f"{link.kind}: {link.label} {links.reference(link.url)}", rest="    ")


def _unit(unit: UnitView, view: DigestView, shown: Sequence[int], links: LinkNumbers) -> Iterator[str]:
    left_out = []
    for text in unit.texts:
        blocks = text.blocks[: shown[text.index]]
        if blocks:
            yield from ("", f"## {text.heading}", "", *_blocks(blocks, links))
        if len(blocks) < len(text.blocks):
            left_out.append(view.translate("rest_of", part=text.listed) if blocks else text.listed)
    if left_out:
        words = " · ".join([*left_out, f"{view.translate('read_on')} {links.reference(unit.web)}"])
        yield from ("", *wrapped(f"{view.translate('left_out')} {words}"))


def _blocks(blocks: Sequence[Block], links: LinkNumbers) -> Iterator[str]:
    for index, block in enumerate(blocks):
        if index and not (block.type == "li" and blocks[index - 1].type == "li"):
            yield ""
        text = "".join(
            f"{run.text} {links.reference(run.href)}" if run.href else run.text for run in block.runs
        )
        first, rest = ("  * ", "    ") if block.type == "li" else ("", "")
        for line in text.split("\n"):
            yield from wrapped(line, first, rest)
            first = rest
