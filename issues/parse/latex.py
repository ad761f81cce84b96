r"""Replaces LaTeX in a text by what it stands for: commands, quotes, and formulas between dollar signs.

A text is read once, from left to right, over the borders of its runs, because the forum may have turned the address in
`\href{…}` into a link of its own. What is not complete, such as a brace that never closes, stays as it is written.
"""

import re
from collections.abc import Iterable
from itertools import accumulate, groupby

from issues.parse.addresses import safe_url
from issues.parse.latex_tokens import FORMATS, LABEL, LINKS, Scanner
from issues.parse.text import TextRun, lowered, raised

_SIGNIFICANT = re.compile(r"[\\$`]|''")
_EMPTY = re.compile(r"\s*+\}")
_ESCAPED = re.compile(r"\\([%&_#~])")


def without_latex(runs: Iterable[TextRun]) -> tuple[TextRun, ...]:
    """The runs with LaTeX replaced by what it stands for. Code stays as it is, and no letter of a text is lost."""
    runs = tuple(run for run in runs if run.text)
    if not any(run.math or _SIGNIFICANT.search(run.text) for run in runs):
        return runs
    return _Conversion(runs).converted()


# The fields of a text run after its text: bold, italic, code, math, href, sup, sub, strike.
_Format = tuple[bool, bool, bool, bool, str | None, bool, bool, bool]
_PLAIN: _Format = (False, False, False, False, None, False, False, False)


class _Conversion:
    """The conversion of one text. Places are counted over all its runs and only ever grow."""

    def __init__(self, runs: tuple[TextRun, ...]) -> None:
        self._runs = runs
        self._ends = list(accumulate(len(run.text) for run in runs))
        self._text = "".join(run.text for run in runs)
        scanner = Scanner(self._text)
        self._tokens, self._closes = scanner.tokens, scanner.closes
        self._scan_all(scanner)
        self._format = _PLAIN
        self._outer_formats: list[_Format] = []
        self._run = 0
        self._unlinked = -1  # the number of a run that the forum linked with more than the address in it
        self._written: list[tuple[_Format, list[str]]] = []
        self._last_run, self._last_format = -1, _PLAIN  # of the last text written

    def converted(self) -> tuple[TextRun, ...]:
        """The runs without LaTeX."""
        at = index = 0
        while index < len(self._tokens):
            start, _, kind, _ = self._tokens[index]
            if kind in {"text", "close"} or index in self._closes:  # else it stays as it is written
                self._copy(at, start)
                index = self._replace(index)
                at = self._tokens[index][1]
            index += 1
        self._copy(at, len(self._text))
        return tuple(TextRun(text, *formats) for formats, parts in self._written if (text := "".join(parts)))

    def _scan_all(self, scanner: Scanner) -> None:
        """Scan everything but code. Formulas of the forum are LaTeX too."""
        start = 0
        for kind, runs in groupby(
            self._runs, key=lambda run: "code" if run.code else "math" if run.math else ""
        ):
            end = start + sum(len(run.text) for run in runs)
            if kind == "math":
                scanner.scan_formula(start, end)
            elif not kind:
                scanner.scan_text(start, end)
            start = end

    def _replace(self, index: int) -> int:
        """Replace a token. Returns the last token that belongs to what has been written."""
        start, _, kind, value = self._tokens[index]
        match kind:
            case "text":
                self._write(value, start)
            case "close":
                self._format = self._outer_formats.pop()
            case "formula":
                self._begin("math")
            case "command":
                return self._link(index) if value in LINKS else self._begin_command(index)
        return index

    def _begin(self, *names: str, href: str | None = None) -> None:
        """Begin a format on top of the present one, until its closing token."""
        bold, italic, code, math, outer_href, sup, sub, strike = self._format
        self._outer_formats.append(self._format)
        self._format = (
            bold or "bold" in names,
            italic or "italic" in names,
            code or "code" in names,
            math or "math" in names,
            href or outer_href,
            sup or "sup" in names,
            sub or "sub" in names,
            strike,
        )

    def _begin_command(self, index: int) -> int:
        _, start, _, name = self._tokens[index]
        close, changes = self._closes[index], FORMATS[name]
        if close == index + 1 and changes & {"sup", "sub"}:
            text = self._text[start : self._tokens[close][0]]
            signs = raised(text) if "sup" in changes else lowered(text)
            if signs is not None:
                self._write(signs, start)
                return close
        self._begin(*changes)
        return index

    def _link(self, index: int) -> int:
        """Begin the label of a link. A link without a label is written as its address.

        A link without a web address stays as it is written.
        """
        close = self._closes[index]
        start, end = self._tokens[index][1], self._tokens[close][0]
        label = close + 1 if close + 1 in self._closes and self._tokens[close + 1][3] == LABEL else None
        last = close if label is None else self._closes[label]
        shown = _ESCAPED.sub(r"\1", self._text[start:end]).strip()
        address = self._address(shown, start, end)
        if address is None:
            self._copy(self._tokens[index][0], self._tokens[last][1])
            return last
        self._begin(href=address)
        if label and not _EMPTY.match(self._text, self._tokens[label][1]):
            return label
        self._write(shown, start)
        self._format = self._outer_formats.pop()
        return last

    def _address(self, shown: str, start: int, end: int) -> str | None:
        """The web address between two places: what is written there, or where the forum's link there leads.

        The forum shows some addresses in another form, and some with the title of what is there. If its link goes on
        after the address, it leads to a mistaken address and is dropped.
        """
        self._move_to(start)
        first = self._runs[self._run]
        begins_here = self._ends[self._run] - len(first.text) >= start
        if first.href and begins_here and self._ends[self._run] > end:
            self._unlinked = self._run
            return safe_url(shown, "")
        return safe_url(shown, "") or first.href

    # --- writing --------------------------------------------------------------------

    def _copy(self, start: int, end: int) -> None:
        """Write the text between two places as it is."""
        while start < end:
            self._move_to(start)
            stop = min(end, self._ends[self._run])
            self._append(self._text[start:stop])
            start = stop

    def _write(self, text: str, at: int) -> None:
        """Write a text in the format of the run at a place."""
        self._move_to(at)
        self._append(text)

    def _move_to(self, place: int) -> None:
        while self._ends[self._run] <= place and self._run + 1 < len(self._runs):
            self._run += 1

    def _append(self, text: str) -> None:
        if self._run != self._last_run or self._format is not self._last_format:
            self._last_run, self._last_format = self._run, self._format
            format_ = self._run_format()
            if not self._written or self._written[-1][0] != format_:
                self._written.append((format_, []))
        self._written[-1][1].append(text)

    def _run_format(self) -> _Format:
        """The formats of the current run together with those of the commands around it."""
        run = self._runs[self._run]
        bold, italic, code, math, href, sup, sub, _ = self._format
        return (
            run.bold or bold,
            run.italic or italic,
            run.code or code,
            run.math or math,
            href or (None if self._run == self._unlinked else run.href),
            run.sup or sup,
            run.sub or sub,
            run.strike,
        )
