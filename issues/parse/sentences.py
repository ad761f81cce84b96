"""Finds where the sentences of a text end, in Korean and in English, in time that is linear in the text's length.

A full stop ends no sentence in an abbreviation, a decimal, a version, a list's number or a short bracket or quotation. A
Korean ending such as `합니다.` ends one even if the next word follows without a space.
"""

import re
from collections import deque
from collections.abc import Iterator
from itertools import pairwise

MAX_ASIDE = 400  # characters of a bracket or quotation; a longer one is one that was never closed
_WINDOW = 24  # characters on each side of a full stop that tell whether it ends a sentence

_STOP = re.compile(r"""(?<![.!?。…])[.!?。…]++["')\]”’」』]*+(\s*+)(?=\S)""")
_KOREAN_END = re.compile(r"[가-힣](?:다|요|까|죠)[\"')\]”’」』]*$|[가-힣](?:함|임|음|됨)$")
# English words that open a sentence, for full stops that may belong to an abbreviation or have no space after them.
_OPENER = re.compile(
    r"(?:We|Our|The|These|This|That|Those|In|It|Its|To|However|Moreover|Furthermore|Additionally|Finally|Specifically|"
    r"Experiments?|Extensive|Results|For|By|On|With|While|Although|Despite|Such|They|As|Recent|Existing|Here|Yet)\b"
)
_NEVER_LAST = re.compile(
    r"(?:^|[\s(\[“‘\"'])(?:e\.?g|i\.e|cf|vs|viz|ca|approx|resp|Figs?|Eqs?|Secs?|Tabs?|Refs?|Thm|Dr|Prof|Mrs?|Ms|St|Yahoo|"
    r"w\.r\.t|a\.k\.a|s\.t|Vol|pp)$"
)
_SELDOM_LAST = re.compile(
    r"(?:^|[\s(\[“‘\"'])(?:[A-Z]|et al|al|etc|Inc|Ltd|Corp|Jr|Sr|avg|max|min|i\.i\.d|(?:[A-Z]\.)+[A-Z]|Ph\.D|p\.m|a\.m)$"
)
_NUMBER_SIGN = re.compile(r"(?:^|[\s(\[])(?:No|Nos|no|p|ch|Ch|App|Alg|Def|Lem|Prop)$")
_LIST_NUMBER = re.compile(r"(?:^|[.!?:;。…)\]]\s+)(?:\d{1,2}|[ivx]{1,4}|[a-z]|[가나다라마바사아])$")
# A word that begins with a small letter and is a name all the same: `vLLM`, `iw-SFT`, `o1`, `gpt-oss`.
_SMALL_NAME = re.compile(r"[a-z][a-z-]*(?:[A-Z0-9]|-[a-z]+\b(?=[\s-]*\d))")
# Korean words that go on with what was quoted before them: `왜 그럴까?`라는 질문.
_GOES_ON = re.compile(
    r"(?:이?라는|이?라고|이?란|이?라며|에 대(?:한|해)|와 같은|는 질문|하는|[을를의로도만])(?:\s|$)"
)


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text, without the spaces between them."""
    for start, end in pairwise([0, *sentence_ends(text), len(text)]):
        if sentence := text[start:end].strip():
            yield sentence


def sentence_ends(text: str) -> Iterator[int]:
    """The places in a text where a sentence begins after another one. Spaces belong to the sentence before them."""
    asides = _asides(text)
    aside_start, aside_end = next(asides, (len(text), len(text)))
    for found in _STOP.finditer(text):
        while found.start() > aside_end:
            aside_start, aside_end = next(asides, (len(text), len(text)))
        if not (aside_start < found.start() < aside_end) and _ends_sentence(text, found):
            yield found.end()


def _ends_sentence(text: str, found: re.Match[str]) -> bool:
    """Whether a full stop, or what else may end a sentence, ends one."""
    before = text[max(0, found.start() - _WINDOW) : found.start()]
    after = text[found.end() : found.end() + _WINDOW]
    sign = found[0].rstrip()
    if not found[1]:
        return sign == "." and _is_space_missing(before, after)
    if after[0] in ".,;:!?)]”’" or _LIST_NUMBER.search(before):
        return False
    if sign[0] in "?!":
        return not _GOES_ON.match(after) and not before.endswith("Yahoo") and _may_open(after)
    if _KOREAN_END.search(before):
        return True
    if sign.startswith(("...", "…")) or before.rstrip().endswith("."):
        return after[0].isupper()
    return _may_open(after) and not _is_abbreviation(before, after)


def _may_open(after: str) -> bool:
    """Whether a sentence may begin so."""
    return not after[0].islower() or bool(_SMALL_NAME.match(after))


def _is_space_missing(before: str, after: str) -> bool:
    """Whether a sentence ends although no space follows, as in `합니다.다음` and `models.Our findings`."""
    if _KOREAN_END.search(before):
        return after[0].isalpha() and not after[0].islower()
    return before[-2:].isalpha() and before[-2:].islower() and bool(_OPENER.match(after))


def _is_abbreviation(before: str, after: str) -> bool:
    if _NEVER_LAST.search(before):
        return True
    if _NUMBER_SIGN.search(before):
        return after[0].isdecimal()
    return bool(_SELDOM_LAST.search(before)) and not _OPENER.match(after)


_ASIDE_SIGN = re.compile(r"[()\[\]“”「」『』\"]")
_CLOSING = {")": "(", "]": "[", "”": "“", "」": "「", "』": "『"}


def _asides(text: str) -> Iterator[tuple[int, int]]:
    """The first and last place of each outermost bracket or quotation that is closed soon."""
    opened: deque[tuple[str, int]] = deque()
    spans: list[tuple[int, int]] = []
    for found in _ASIDE_SIGN.finditer(text):
        sign, at = found[0], found.start()
        while opened and at - opened[0][1] > MAX_ASIDE:
            opened.popleft()
        if opened and opened[-1][0] == _CLOSING.get(sign, sign if sign == '"' else ""):
            start = opened.pop()[1]
            while spans and spans[-1][0] > start:
                spans.pop()
            spans.append((start, at))
        elif sign not in _CLOSING and (sign != '"' or _opens_quotation(text, at)):
            opened.append((sign, at))
    return iter(spans)


def _opens_quotation(text: str, at: int) -> bool:
    """Whether a straight quotation mark stands where a quotation begins."""
    return not text[at + 1 : at + 2].isspace() and (at == 0 or text[at - 1].isspace() or text[at - 1] in "([")
