"""Makes the forum's texts readable: LaTeX leftovers become what they mean, and endless paragraphs are split."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from issues.parse.addresses import safe_url
from issues.parse.text import Block, TextRun

MAX_PARAGRAPH_BYTES = 6_000  # a mail leaves out whole blocks, so no block may be too long

_FORMATS = {
    "textbf": {"bold": True},
    "textit": {"italic": True},
    "emph": {"italic": True},
    "texttt": {"code": True},
    "underline": {},
    "textsc": {},
    "text": {},
    "mathrm": {},
}
_COMMAND = re.compile(r"\\(" + "|".join(_FORMATS) + r")\s*\{([^{}]*)\}")
_HREF = re.compile(r"\\(?:href|url)\s*\{([^{}]*)\}(?:\s*\{([^{}]*)\})?")
_OPEN_HREF = re.compile(r"\\(?:href|url)\s*\{$")
_MATH = re.compile(r"\$([^$\n]{1,200})\$")
_SYMBOLS = {
    r"\%": "%", r"\&": "&", r"\_": "_", r"\#": "#", r"\$": "$", r"\times": "×", r"\sim": "∼", r"\approx": "≈",
    r"\leq": "≤", r"\geq": "≥", r"\le": "≤", r"\ge": "≥", r"\pm": "±", r"\rightarrow": "→", r"\to": "→",
    r"\alpha": "α", r"\beta": "β", r"\gamma": "γ",
    r"\epsilon": "ε", r"\lambda": "λ", r"\mu": "μ", r"\sigma": "σ",
    r"\pi": "π", r"\infty": "∞", r"\cdot": "·", r"\ldots": "…",
}  # fmt: skip
_SYMBOL = re.compile(
    "|".join(re.escape(name) + (r"(?![A-Za-z])" if name[-1].isalpha() else "") for name in _SYMBOLS)
)
_SENTENCE_END = re.compile(r"[.!?。…][\"')\]”’]*\s+(?=\S)")
_ABBREVIATION = re.compile(r"(?:^|[\s(])(?:[A-Z]|al|etc|e\.g|i\.e|cf|vs|Fig|Figs|Eq|Sec|Dr|Prof|No)\.$")


def readable_blocks(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """The blocks as a mail or a page shows them: without LaTeX, and with no paragraph too long.

    A list item is never split, and neither is a sentence, however long.
    """
    return tuple(
        paragraph for block in blocks for paragraph in _paragraphs(readable(block)) if paragraph.runs
    )


# --- long paragraphs ----------------------------------------------------------------


def _paragraphs(block: Block) -> Iterator[Block]:
    text = block.text
    if block.type == "li" or len(text.encode()) <= MAX_PARAGRAPH_BYTES:
        yield block
        return
    start = end = 0
    for sentence_end in [*_sentence_ends(text), len(text)]:
        if end > start and len(text[start:sentence_end].encode()) > MAX_PARAGRAPH_BYTES:
            yield Block(block.type, _slice(block.runs, start, end))
            start = end
        end = sentence_end
    yield Block(block.type, _slice(block.runs, start, end))


def _sentence_ends(text: str) -> Iterator[int]:
    for found in _SENTENCE_END.finditer(text):
        before = text[max(0, found.start() - 9) : found.start() + 1]
        continues = text[found.end()].islower() or _ABBREVIATION.search(before)
        if not continues:
            yield found.end()


def _slice(runs: Iterable[TextRun], start: int, end: int) -> tuple[TextRun, ...]:
    """The runs of the text from `start` to `end`, without spaces at the end."""
    cut: list[TextRun] = []
    for run in runs:
        kept = run.text[max(0, start) : max(0, end)]
        start, end = start - len(run.text), end - len(run.text)
        if kept:
            cut.append(replace(run, text=kept))
    if cut:
        cut[-1] = replace(cut[-1], text=cut[-1].text.rstrip())
    return tuple(run for run in cut if run.text)


# --- LaTeX --------------------------------------------------------------------------


def readable(block: Block) -> Block:
    """The block with LaTeX's commands, quotes and dollar signs replaced by what they stand for."""
    runs: list[TextRun] = []
    for run in _without_open_href(block.runs):
        runs += [run] if run.code else _without_latex(run)
    return Block(block.type, tuple(run for run in runs if run.text))


def _without_open_href(runs: Iterable[TextRun]) -> Iterator[TextRun]:
    r"""Drop the command and braces of `\href{…}` where the forum turned its address into a link of its own."""
    is_open = False
    for run in runs:
        text = run.text
        if is_open and not run.href:
            text, is_open = re.sub(r"^\}?\{?([^{}]*)\}?", r"\1", text, count=1), False
        if _OPEN_HREF.search(text):
            text, is_open = _OPEN_HREF.sub("", text), True
        yield replace(run, text=text)


def _without_latex(run: TextRun) -> Iterator[TextRun]:
    """The run, split at its commands so that each gets its format."""
    found = _HREF.search(run.text) or _COMMAND.search(run.text) or _MATH.search(run.text)
    if not found:
        yield replace(run, text=_with_symbols(run.text))
        return
    yield from _without_latex(replace(run, text=run.text[: found.start()]))
    if found.re is _HREF:
        address = safe_url(found[1], "")
        yield replace(run, text=found[2] or found[1], href=address or run.href)
    elif found.re is _COMMAND:
        yield from _without_latex(replace(run, text=found[2], **_FORMATS[found[1]]))  # type: ignore[arg-type]  # only booleans
    elif _is_formula(found[1]):
        yield replace(run, text=_with_symbols(found[1]), math=True)
    else:
        yield replace(run, text=_with_symbols(found[0]))
    yield from _without_latex(replace(run, text=run.text[found.end() :]))


def _is_formula(text: str) -> bool:
    """Whether the text between two dollar signs is a formula, and not the words between two prices."""
    return text == text.strip() and not re.search(r"[가-힣]|[A-Za-z]{3,} [A-Za-z]{3,}", text)


def _with_symbols(text: str) -> str:
    text = _SYMBOL.sub(lambda symbol: _SYMBOLS[symbol[0]], text)
    text = re.sub(r"``(.*?)''", "“\\1”", text)
    return re.sub(r"``|''", '"', text)
