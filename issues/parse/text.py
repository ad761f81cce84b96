"""Text as Paperboy keeps it: blocks of inline text runs.

A block is a paragraph, a list item or a table. A text run is a piece of text with one format. Nothing else of the
forum's HTML is kept, so stored text needs no further sanitising, only escaping on output.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import emoji

from core.characters import storable
from core.errors import PaperboyError

HANGUL = re.compile(r"[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]")
CELL_END, ROW_END = "\t", "\n"
_TABLE_SIGN = " · "

BlockType = Literal["p", "li", "table"]


class TextError(PaperboyError):
    """A post's HTML is larger, or nested more deeply, than any editor would write."""


@dataclass(frozen=True)
class TextRun:
    """A piece of text with one format. `href` is an absolute http(s) address or None.

    `sup` and `sub` are raised and lowered text that Unicode has no characters for; `strike` is struck out. In a
    correction, `changed` marks what is new.
    """

    text: str
    bold: bool = False
    italic: bool = False
    code: bool = False
    math: bool = False
    href: str | None = None
    sup: bool = False
    sub: bool = False
    strike: bool = False
    changed: bool = False

    @property
    def plain(self) -> str:
        """The run without formats, but so that its meaning stays: `x^(th)`, `~~struck~~`."""
        text = self.text
        if self.strike and text.strip():
            text = f"~~{text}~~"
        if self.sup and text.strip():
            text = f"^({text})"
        if self.sub and text.strip():
            text = f"_({text})"
        return text


@dataclass(frozen=True)
class Block:
    """A paragraph (`p`), a list item (`li`) or a `table`.

    `depth` is how many lists a list item's own list is nested in; `number` is its number in an ordered list, or 0.
    In a table, a tab ends a cell and a line feed a row, each as a run of its own.
    """

    type: BlockType
    runs: tuple[TextRun, ...]
    depth: int = 0
    number: int = 0

    @property
    def text(self) -> str:
        """The block's text without formats. Line breaks are newlines, and ` · ` stands between cells."""
        text = "".join(run.plain for run in self.runs)
        return text.replace(CELL_END, _TABLE_SIGN) if self.type == "table" else text

    @property
    def links(self) -> tuple[str, ...]:
        """The addresses linked from inside the block, in order."""
        return tuple(run.href for run in self.runs if run.href)

    @property
    def rows(self) -> list[list[tuple[TextRun, ...]]]:
        """The rows of a table, each with its cells."""
        rows: list[list[list[TextRun]]] = [[[]]]
        for run in self.runs:
            if run.text == ROW_END:
                rows.append([[]])
            elif run.text == CELL_END:
                rows[-1].append([])
            else:
                rows[-1][-1].append(run)
        return [[tuple(cell) for cell in row] for row in rows]


def table_of(rows: Iterable[Iterable[Iterable[TextRun]]]) -> Block:
    """The table with these rows of cells."""
    runs: list[TextRun] = []
    for row_number, row in enumerate(rows):
        if row_number:
            runs.append(TextRun(ROW_END))
        for cell_number, cell in enumerate(row):
            if cell_number:
                runs.append(TextRun(CELL_END))
            runs += [replace(run, text=re.sub(r"[\t\n]+", " ", run.text)) for run in cell]
    return Block("table", tuple(runs))


def lines_of(runs: Iterable[TextRun]) -> Iterator[list[TextRun]]:
    """The runs of each line of a text."""
    line: list[TextRun] = []
    for run in runs:
        first, *others = run.text.split("\n")
        line.append(replace(run, text=first))
        for text in others:
            yield line
            line = [replace(run, text=text)]
    yield line


def to_json(blocks: Iterable[Block]) -> list[Any]:
    """Blocks as JSON values. Attributes that are false, zero or empty are left out."""
    return [
        {name: value for name, value in asdict(block).items() if value and name != "runs"}
        | {"runs": [{name: value for name, value in asdict(run).items() if value} for run in block.runs]}
        for block in blocks
    ]


def from_json(value: list[Any]) -> tuple[Block, ...]:
    """The blocks that `to_json` wrote."""
    return tuple(Block(**{**item, "runs": tuple(TextRun(**run) for run in item["runs"])}) for item in value)


def has_hangul(text: str) -> bool:
    """Whether any letter is Korean."""
    return bool(HANGUL.search(text))


# Whatever may belong to an emoji, in short pieces: the library reads character by character, and a chain of joined emoji in
# quadratic time.
_EMOJI = re.compile(
    "(?:[0-9#*](?=\ufe0f?\u20e3)|[\u00a9\u00ae\u200d\u203c-\u3299\ufe0f\U0001f004-\U0001faff\U000e0020-\U000e007f]){1,40}"
)


def strip_emoji(text: str) -> str:
    """The text without emoji, leftover `**` and repeated spaces, which is what comparisons look at.

    Characters that are emoji only on request, like © and ↔, are text and stay.
    """
    return " ".join(without_emoji(text).replace("**", "").split())


def without_emoji(text: str) -> str:
    """The text without emoji, and with everything else as it was."""
    without = _EMOJI.sub(lambda found: emoji.replace_emoji(found[0], _keep_text_character), text)
    return without.replace("\ufe0f", "").replace("\u200d", "")


def _keep_text_character(character: str, data: dict[str, Any]) -> str:
    return character if data["status"] == emoji.STATUS["unqualified"] else ""


def clean(text: str) -> str:
    """The text on one line, without characters that must not be stored and without repeated spaces."""
    return " ".join(storable(text).split())


# --- tidying ------------------------------------------------------------------------

_SPACES = re.compile(r"[ \t\r\f\v\u00a0]+")
_SPACES_AT_LINE_BREAK = re.compile(r" ?\n ?")
_LEFTOVER_BOLD = re.compile(r"\*\*(?!\d)|(?<![A-Za-z0-9])\*\*")  # but not the power in `2**10`


def tidy(runs: Iterable[TextRun]) -> tuple[TextRun, ...]:
    """Text runs with spaces collapsed, edges trimmed, leftover Markdown bold applied, and equal neighbours joined."""
    return _trim(_join(_apply_leftover_bold(_join(_collapse(runs)))))


def _collapse(runs: Iterable[TextRun]) -> Iterator[TextRun]:
    at_space = True
    for run in runs:
        text = storable(run.text)
        if not run.code:
            text = _SPACES_AT_LINE_BREAK.sub("\n", _SPACES.sub(" ", text))
            if at_space:
                text = text.lstrip(" ")
        if text:
            at_space = text[-1] in " \n"
            yield replace(run, text=text)


def _join(runs: Iterable[TextRun]) -> list[TextRun]:
    """The runs with neighbours of one format joined, in time that is linear in the length of their texts."""
    joined: list[TextRun] = []
    texts: list[list[str]] = []
    for run in runs:
        if not run.text:
            continue
        if joined and _same_format(joined[-1], run):
            texts[-1].append(run.text)
        else:
            joined.append(run)
            texts.append([run.text])
    return [replace(run, text="".join(parts)) for run, parts in zip(joined, texts, strict=True)]


def _same_format(one: TextRun, other: TextRun) -> bool:
    return (
        one.bold, one.italic, one.code, one.math, one.href, one.sup, one.sub, one.strike
    ) == (
        other.bold, other.italic, other.code, other.math, other.href, other.sup, other.sub, other.strike
    )  # fmt: skip


def _apply_leftover_bold(runs: list[TextRun]) -> Iterator[TextRun]:
    """Make `**text**` bold where Markdown did not, because a Korean particle follows; drop an unpaired `**`."""
    parts = [[run.text] if run.code or run.math else _LEFTOVER_BOLD.split(run.text) for run in runs]
    marks = sum(len(texts) - 1 for texts in parts)
    paired = marks - marks % 2
    seen = 0
    for run, texts in zip(runs, parts, strict=True):
        for number, text in enumerate(texts):
            seen += number > 0
            yield replace(run, text=text, bold=run.bold or (seen % 2 == 1 and seen <= paired))


def _trim(runs: list[TextRun]) -> tuple[TextRun, ...]:
    written = [index for index, run in enumerate(runs) if run.text.strip()]
    if not written:
        return ()
    runs = runs[written[0] : written[-1] + 1]
    runs[0] = replace(runs[0], text=runs[0].text.lstrip())
    runs[-1] = replace(runs[-1], text=runs[-1].text.rstrip())
    return tuple(runs)


# --- raised and lowered text -------------------------------------------------------

_RAISED = str.maketrans("0123456789+-−=()ni", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿⁱ")
_LOWERED = str.maketrans("0123456789+-−=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")


def raised(text: str) -> str | None:
    """The text in Unicode's superscript characters, if it has them all."""
    return text.translate(_RAISED) if all(ord(character) in _RAISED for character in text) else None


def lowered(text: str) -> str | None:
    """The text in Unicode's subscript characters, if it has them all."""
    return text.translate(_LOWERED) if all(ord(character) in _LOWERED for character in text) else None
