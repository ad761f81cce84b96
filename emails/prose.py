"""The forum's texts made readable: leftovers of LaTeX become what they meant; HTML of runs."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from markupsafe import Markup, escape

from issues.text import Block, Run, safe_url

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
