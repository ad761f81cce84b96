"""The text part of a mail, written from the same view as the HTML: same order, every heading, every link.

Mail programs show its first 200 characters in their lists (RFC 8970), so it begins with what the papers do. Each
paper's links stand with the paper.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat

from emails.rendering.base_view import Line, LinkText, MailView
from emails.rendering.digest_view import DigestView, IssueView, PaperView
from emails.rendering.text_views import PairView
from emails.rendering.width import columns, wrap
from issues.parse.inline_html import MAX_LIST_DEPTH
from issues.parse.text import Block, TextRun

MAX_LINE_COLUMNS = 72
_BETWEEN_COLUMNS = "  "
_INDENT = "    "
RULE = "=" * MAX_LINE_COLUMNS


class LinkNumbers:
    """The addresses in a text, numbered in the order of their first mention."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def reference(self, url: str) -> str:
        """The address's number in brackets. Every mention of an address has the same number."""
        return f"[{self._numbers.setdefault(url, len(self._numbers) + 1)}]"

    def new_lines(self, after: int) -> list[str]:
        """The addresses that got a number above `after`, one on a line."""
        lines = [f"[{number}] {url}" for url, number in self._numbers.items() if number > after]
        return ["", *lines] if lines else []

    def __len__(self) -> int:
        return len(self._numbers)


def digest_text(view: DigestView, shown: Sequence[int]) -> str:
    """The text of a digest. `shown` says how many blocks of each text it contains.

    Lines are at most MAX_LINE_COLUMNS wide (a Hangul syllable takes two) unless a single word is wider. Links
    inside texts are numbers in brackets, and their addresses follow below the text.
    """
    return framed(view, _digest(view, shown, LinkNumbers()))


def framed(view: MailView, content: Iterable[str]) -> str:
    """The content between what every mail begins and ends with."""
    lines = [
        *wrapped(view.preheader),
        "",
        RULE,
        *_line((LinkText(view.brand), *view.masthead)),
        RULE,
        "",
        *content,
    ]
    lines += ["", RULE]
    for line in view.footer:
        lines += ["", *_line(line)]
    return "\n".join(lines).strip() + "\n"


def _line(line: Line) -> Iterator[str]:
    """The texts of a line in one line, then each link with its address in a line of its own."""
    if texts := [item.label for item in line if not item.url]:
        yield from wrapped(" · ".join(texts))
    for item in line:
        if item.url:
            yield f"{item.label}: {item.url}"


def wrapped(text: str, first: str = "", rest: str = "") -> list[str]:
    """The text in lines of a mail. See `wrap`."""
    return wrap(text, MAX_LINE_COLUMNS, first, rest)


def greeted(view: MailView, text: str) -> list[str]:
    """The text in lines after the recipient's greeting, whose length is not known here."""
    first, *others = wrapped(text)
    return [view.greeting + first, *others]


def _digest(view: DigestView, shown: Sequence[int], links: LinkNumbers) -> Iterator[str]:
    if view.occasion:
        yield view.occasion
    yield from wrapped(f"# {view.heading}")
    if view.opening:
        yield from ("", *greeted(view, view.opening))
    for note in view.notes:
        yield from ("", *wrapped(f"## {note.heading}"))
        for paragraph in note.paragraphs:
            yield from ("", *wrapped(paragraph))
    for paper in view.papers:
        yield from _listed(paper)
    if view.remaining:
        yield from ("", *wrapped(view.translate("remaining", count=view.remaining)))
    for issue in view.issues:
        yield from _issue(issue, view, shown, links)
    if view.following:
        yield from ("", RULE, f"# {view.following_heading}", "")
        for link in view.following:
            yield from wrapped(link.label, first="  * ", rest=_INDENT)
            yield f"{_INDENT}{link.url}"


def _listed(paper: PaperView) -> Iterator[str]:
    """A paper in the list: title, gist and links."""
    marks = "".join(f" ({mark})" for mark in paper.marks)
    yield from ("", *wrapped(f"{paper.title}{marks}", first=f"{paper.number:>2}. ", rest=_INDENT))
    for text in (paper.subtitle, *(gist.text for gist in paper.gists)):
        if text:
            yield from wrapped(text, _INDENT, _INDENT)
    for link in paper.links:
        yield f"{_INDENT}{link.name}: {link.url}"
    for change in paper.changes:
        arrow = " → " if change.before and change.after else ""
        text = f"{change.name} {change.before}{arrow}{change.after}"
        yield from wrapped(text, f"{_INDENT}! ", f"{_INDENT}  ")


def _issue(issue: IssueView, view: DigestView, shown: Sequence[int], links: LinkNumbers) -> Iterator[str]:
    if issue.elsewhere:
        yield from ("", *wrapped(issue.elsewhere), issue.elsewhere_url)
    yield from _texts(issue.opening, shown, links, before=("", RULE))
    if left_out := issue.left_outs_with(shown):
        words = " · ".join(entry.rest if entry.is_begun(shown) else entry.whole for entry in left_out)
        yield from ("", *wrapped(f"{view.translate('left_out')} {words}"))
        yield f"{view.translate('read_on')}: {issue.url}"
    for paper in issue.papers:
        title = wrapped(f"# {paper.number}. {paper.title}") if len(view.papers) > 1 else []
        yield from _texts(paper.texts, shown, links, before=("", RULE, *title))
    yield from _texts(issue.closing, shown, links, before=("", RULE))


def _texts(
    pairs: Sequence[PairView], shown: Sequence[int], links: LinkNumbers, before: Iterable[str]
) -> Iterator[str]:
    """The texts of a paper or of an issue, then the addresses that they link to; with what stands before them, if any."""
    texts = [text for pair in pairs for text in pair.texts if shown[text.index]]
    if not texts:
        return
    yield from before
    known = len(links)
    for text in texts:
        heading = wrapped(f"## {text.heading}")
        yield from ("", *heading, "", *_blocks(text.blocks[: shown[text.index]], links))
    yield from links.new_lines(known)


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
    """Runs as text. What a correction changed stands between `>>` and `<<`."""
    text = ""
    was_changed = False
    for run in runs:
        if run.changed != was_changed:
            text += ">> " if run.changed else "<< " if text.endswith(" ") else " << "
        text += f"{run.plain} {links.reference(run.href)}" if run.href else run.plain
        was_changed = run.changed
    return f"{text} <<" if was_changed else text


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
