"""What people call a paper: the name before the colon of its title, in the brackets at its end, or its acronym. Pure."""

import re

from core.languages import Language, TextLanguage
from issues.parse.content import PaperContent
from issues.parse.text import has_hangul

MAX_NAME_CHARACTERS = 28
_MAX_INTRODUCTION_CHARACTERS = 2_000  # within which a paper's acronym is explained
_BEFORE_SUBTITLE = re.compile(rf"(.{{2,{MAX_NAME_CHARACTERS}}}?)(?:: | [-–—] )")
_CAPITALIZED = r"[A-Za-z0-9]*[A-Z][\w.+-]*"
_NAME = rf"(?=[^()]{{2,{MAX_NAME_CHARACTERS}}}\)){_CAPITALIZED}(?: (?:{_CAPITALIZED}|\d+)){{0,2}}"
_IN_BRACKETS = re.compile(rf"\s?\(({_NAME})\)")
_AT_END = re.compile(rf".{_IN_BRACKETS.pattern}$")


def short_name(paper: PaperContent, language: Language) -> str:
    """The paper's short name as a mail in this language gives it, or empty if it has none."""
    order = (language.frame, language.frame.other)
    for each in order:
        if acronym := _acronym(paper, each):
            return acronym
    for each in order:
        if name := _name_in_title(paper.texts_in(each).title):
            is_foreign = has_hangul(name) and TextLanguage.KO not in language.texts
            if not is_foreign:
                return name
    return ""


def _name_in_title(title: str) -> str:
    """The name that a title gives: the Latin one in brackets, what stands before its colon or dash, or a short title."""
    title = " ".join(title.split())
    before = _BEFORE_SUBTITLE.match(title)
    head = before[1] if before else title
    if bracketed := _AT_END.search(head):
        return bracketed[1]
    is_name = len(head) <= MAX_NAME_CHARACTERS and not head.endswith(("?", "!"))
    return head if is_name else ""


def _acronym(paper: PaperContent, language: TextLanguage) -> str:
    """What stands in brackets directly after the title in the paper's texts: `Hierarchical Reasoning Model (HRM)`."""
    title, intro, abstract, _ = paper.texts_in(language)
    if not title:
        return ""
    text = " ".join(block.text for block in (*intro, *abstract))[:_MAX_INTRODUCTION_CHARACTERS]
    start = text.lower().find(title.lower())
    if start < 0:
        return ""
    found = _IN_BRACKETS.match(text, start + len(title))
    return found[1] if found else ""
