"""The forum's texts made readable: leftovers of LaTeX become what they meant, endless paragraphs
become several; HTML of runs."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from markupsafe import Markup, escape

from issues.parse.text import Block, Run, safe_url

_LOOKS = {
    "textbf": {"bold": True},
    "textit": {"italic": True},
    "emph": {"italic": True},
    "texttt": {"code": True},
    "underline": {},
    "textsc": {},
    "text": {},
    "mathrm": {},
}
_COMMAND = re.compile(r"\\(" + "|".join(_LOOKS) + r")\s*\{([^{}]*)\}")
_HREF = re.compile(r"\\(?:href|url)\s*\{([^{}]*)\}(?:\s*\{([^{}]*)\})?")
_OPEN_HREF = re.compile(r"\\(?:href|url)\s*\{$")
_MATH = re.compile(r"\$([^$\n]{1,200})\$")
_SIGNS = {
    r"\%": "%", r"\&": "&", r"\_": "_", r"\#": "#", r"\$": "$", r"\times": "×", r"\sim": "∼", r"\approx": "≈",
    r"\leq": "≤", r"\geq": "≥", r"\le": "≤", r"\ge": "≥", r"\pm": "±", r"\rightarrow": "→", r"\to": "→",
    r"\alpha": "α", r"\beta": "β", r"\gamma": "γ",
    r"\epsilon": "ε", r"\lambda": "λ", r"\mu": "μ", r"\sigma": "σ",
    r"\pi": "π", r"\infty": "∞", r"\cdot": "·", r"\ldots": "…",
}  # fmt: skip
_SIGN = re.compile(
    "|".join(re.escape(sign) + (r"(?![A-Za-z])" if sign[-1].isalpha() else "") for sign in _SIGNS)
)


_LONGEST = 6_000  # bytes of a paragraph; whole blocks are what a mail can leave out
_SENTENCE_END = re.compile(r"[.!?。…][\"')\]”’]*\s+(?=\S)")
_NO_END = re.compile(r"(?:^|[\s(])(?:[A-Z]|al|etc|e\.g|i\.e|cf|vs|Fig|Figs|Eq|Sec|Dr|Prof|No)\.$")


def prose(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """The blocks as a mail shows them: readable, and no paragraph endless.

    A list item stays whole, and so does a sentence, however long.
    """
    return tuple(piece for block in blocks for piece in _paragraphs(readable(block)) if piece.runs)


def _paragraphs(block: Block) -> Iterator[Block]:
    text = block.text
    if block.type == "li" or len(text.encode()) <= _LONGEST:
        yield block
        return
    start = end = 0
    for sentence_end in [*_sentence_ends(text), len(text)]:
        if end > start and len(text[start:sentence_end].encode()) > _LONGEST:
            yield Block(block.type, _stretch(block.runs, start, end))
            start = end
        end = sentence_end
    yield Block(block.type, _stretch(block.runs, start, end))


def _sentence_ends(text: str) -> Iterator[int]:
    for found in _SENTENCE_END.finditer(text):
        goes_on = text[found.end()].islower() or _NO_END.search(
            text[max(0, found.start() - 9) : found.start() + 1]
        )
        if not goes_on:
            yield found.end()


def _stretch(runs: Iterable[Run], start: int, end: int) -> tuple[Run, ...]:
    """The runs of the text from `start` to `end`, without the spaces at its edges."""
    cut: list[Run] = []
    for run in runs:
        kept = run.text[max(0, start) : max(0, end)]
        start, end = start - len(run.text), end - len(run.text)
        if kept:
            cut.append(replace(run, text=kept))
    if cut:
        cut[-1] = replace(cut[-1], text=cut[-1].text.rstrip())
    return tuple(run for run in cut if run.text)


def readable(block: Block) -> Block:
    """The block with LaTeX's commands, quotes and dollar signs turned into what they stand for."""
    runs: list[Run] = []
    for run in _without_open_href(block.runs):
        runs += [run] if run.code else _spelled(run)
    return Block(block.type, tuple(run for run in runs if run.text))


def _without_open_href(runs: Iterable[Run]) -> Iterator[Run]:
    r"""`\href{` whose address became a link of its own: the command and its brace go, the link stays."""
    is_open = False
    for run in runs:
        text = run.text
        if is_open and not run.href:
            text, is_open = re.sub(r"^\}?\{?([^{}]*)\}?", r"\1", text, count=1), False
        if _OPEN_HREF.search(text):
            text, is_open = _OPEN_HREF.sub("", text), True
        yield replace(run, text=text)


def _spelled(run: Run) -> Iterator[Run]:
    """A run cut at its commands, each with its look."""
    found = _HREF.search(run.text) or _COMMAND.search(run.text) or _MATH.search(run.text)
    if not found:
        yield replace(run, text=_signs(run.text))
        return
    yield from _spelled(replace(run, text=run.text[: found.start()]))
    if found.re is _HREF:
        address = safe_url(found[1], "")
        yield replace(run, text=found[2] or found[1], href=address or run.href)
    elif found.re is _COMMAND:
        yield from _spelled(replace(run, text=found[2], **_LOOKS[found[1]]))  # type: ignore[arg-type]  # booleans only
    elif _is_formula(found[1]):
        yield replace(run, text=_signs(found[1]), math=True)
    else:
        yield replace(run, text=_signs(found[0]))
    yield from _spelled(replace(run, text=run.text[found.end() :]))


def _is_formula(text: str) -> bool:
    """Whether what stands between two dollar signs is a formula and not the text between two prices."""
    return text == text.strip() and not re.search(r"[가-힣]|[A-Za-z]{3,} [A-Za-z]{3,}", text)


def _signs(text: str) -> str:
    text = _SIGN.sub(lambda sign: _SIGNS[sign[0]], text)
    text = re.sub(r"``(.*?)''", "“\\1”", text)
    return re.sub(r"``|''", '"', text)


def inline_html(block: Block) -> Markup:
    """The block's runs as escaped inline HTML."""
    return Markup("").join(_run_html(run) for run in block.runs)


def _run_html(run: Run) -> Markup:
    html = Markup("<br>").join(escape(line) for line in run.text.split("\n"))
    if run.code:
        html = Markup("<code>{}</code>").format(html)
    if run.italic or run.math:
        html = Markup("<em>{}</em>").format(html)
    if run.bold:
        html = Markup("<strong>{}</strong>").format(html)
    if run.href:
        html = Markup('<a href="{}">{}</a>').format(run.href, html)
    return html
