"""The text part of a mail, written from the same view as the HTML: same order, every heading, every link."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat

from emails.rendering.base_view import MailView
from emails.rendering.digest_view import DigestView, IssueView, PaperView, TextView, UnitView
from emails.rendering.width import columns, wrap
from issues.parse.inline_html import MAX_LIST_DEPTH
from issues.parse.text import Block, TextRun

MAX_LINE_COLUMNS = 72
_BETWEEN_COLUMNS = "  "
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
    if issue.closing.texts:
        yield from ("", RULE, *_unit(issue.closing, view, shown, links))


def _paper(paper: PaperView, view: DigestView, shown: Sequence[int], links: LinkNumbers) -> Iterator[str]:
    yield " · ".join((f"{paper.number} / {view.total}", *paper.marks))
    yield from wrapped(f"# {paper.title}")
    if paper.subtitle:
        yield from wrapped(paper.subtitle)
    yield from _unit(paper.unit, view, shown, links)
    yield ""
    for link in paper.links:
        yield from wrapped(f"{link.kind}: {link.label} {links.reference(link.url)}", rest="    ")
    yield from _texts([text for text in paper.unit.texts if text.follows_links], shown, links)


def _unit(unit: UnitView, view: DigestView, shown: Sequence[int], links: LinkNumbers) -> Iterator[str]:
    """The texts of a unit before its links, and the line about what was left out of all its texts."""
    yield from _texts([text for text in unit.texts if not text.follows_links], shown, links)
    left_out = [
        view.translate("rest_of", part=text.listed) if shown[text.index] else text.listed
        for text in unit.texts
        if shown[text.index] < len(text.blocks)
    ]
    if left_out:
        words = " · ".join([*left_out, f"{view.translate('read_on')} {links.reference(unit.web)}"])
        yield from ("", *wrapped(f"{view.translate('left_out')} {words}"))


def _texts(texts: Iterable[TextView], shown: Sequence[int], links: LinkNumbers) -> Iterator[str]:
    for text in texts:
        if shown[text.index]:
            heading = wrapped(f"## {text.heading}")
            yield from ("", *heading, "", *_blocks(text.blocks[: shown[text.index]], links))


# --- blocks -------------------------------------------------------------------------


def _blocks(blocks: Sequence[Block], links: LinkNumbers) -> Iterator[str]:
    before: Block | None = None
    for block in blocks:
        if before and not before.type == block.type == "li":
            yield ""
        if block.type == "table":
            yield from _table([[_text(cell, links) for cell in row] for row in block.rows])
        else:
            first, rest = _prefixes(block, before)
            for line in _text(block.runs, links).split("\n"):
                yield from wrapped(line, first, rest)
                first = rest
        before = block


def _text(runs: Iterable[TextRun], links: LinkNumbers) -> str:
    return "".join(f"{run.plain} {links.reference(run.href)}" if run.href else run.plain for run in runs)


def _prefixes(block: Block, before: Block | None) -> tuple[str, str]:
    """What the first line of a block begins with, and every other. An item's further part has no mark of its own."""
    if block.type != "li":
        return "", ""
    indent = "  " + "    " * min(block.depth, MAX_LIST_DEPTH)
    mark = f"{block.number}. " if block.number else "* "
    rest = indent + " " * len(mark)
    is_further_part = (
        before is not None
        and (before.type, before.depth) == ("li", block.depth)
        and before.number == block.number > 0
    )
    return rest if is_further_part else indent + mark, rest


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table in columns if they fit into a line, or else one entry for each row. The first row names the columns."""
    widths: list[int] = []
    for row in rows:
        widths += [0] * (len(row) - len(widths))
        for place, cell in enumerate(row):
            widths[place] = max(widths[place], columns(cell))
    if sum(widths) + len(_BETWEEN_COLUMNS) * (len(widths) - 1) <= MAX_LINE_COLUMNS:
        yield _row(rows[0], widths)
        if len(rows) > 1:
            yield _BETWEEN_COLUMNS.join("-" * width for width in widths)
        for row in rows[1:]:
            yield _row(row, widths)
        return
    names = rows[0][1:] if len(rows) > 1 else ()
    for row in rows[1:] or rows:
        yield from wrapped(row[0], "  * ", "    ")
        for name, cell in zip(chain(names, repeat("")), row[1:], strict=False):
            if cell:
                yield from wrapped(f"{name}: {cell}" if name else cell, "    ", "      ")


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell + " " * (width - columns(cell)) for cell, width in zip(cells, widths, strict=False)]
    return _BETWEEN_COLUMNS.join(padded).rstrip()
