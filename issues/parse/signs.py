"""The signs that a part of a post is a paper: two titles, the address of one work, texts in both languages."""

from collections.abc import Sequence
from dataclasses import replace

from core.languages import TextLanguage
from issues.parse.addresses import leads_to_paper, work_of
from issues.parse.boilerplate import is_lone_link
from issues.parse.labels import CORE_LABELS, label_of
from issues.parse.languages import language_of
from issues.parse.links import addresses_of
from issues.parse.outline import Item
from issues.parse.text import Block, lines_of, strip_emoji
from issues.parse.titles import split_title

MIN_SIGNS_OF_PAPER = 2
MAX_TITLE_CHARACTERS = 300
MAX_ITEMS_OF_HIDDEN_PAPER = 20


def count_signs(heading: Item, inside: Sequence[Item]) -> int:
    """How many signs of a paper a section has. One that leads to several works is a list of papers, and has none."""
    links = [url for item in inside if is_lone_link(item) for url in addresses_of(item)]
    works = {work_of(url) for url in links if leads_to_paper(url)}
    if len(works) > 1:
        return 0
    has_headings = sum(item.kind == "heading" for item in inside) >= 2
    return has_two_titles(heading) + bool(links) + bool(works) + has_both_languages(inside) + has_headings


def may_be_paper(heading: Item, inside: Sequence[Item]) -> bool:
    """Whether a section has one of the signs that little but a paper has."""
    return has_two_titles(heading) or has_address_of_paper(inside) or has_both_languages(inside)


def has_two_titles(item: Item) -> bool:
    """Whether a line has a Korean and an English title."""
    return all(split_title(strip_emoji(item.text)))


def has_address_of_paper(items: Sequence[Item]) -> bool:
    """Whether anything leads to a paper."""
    return any(leads_to_paper(url) for item in items for url in addresses_of(item))


def has_both_languages(items: Sequence[Item]) -> bool:
    """Whether there are texts in Korean and in English."""
    return set(TextLanguage) <= {language_of([item.block]) for item in items if item.kind == "block"}


def is_bold(item: Item) -> bool:
    """Whether all of a text is bold."""
    runs = [run for run in item.block.runs if run.text.strip()]
    return bool(runs) and all(run.bold for run in runs)


def is_swallowed(item: Item) -> bool:
    """Whether code holds a paper's labels, as it does where a fence of code is never closed."""
    lines = item.text.splitlines() if all(run.code for run in item.block.runs) else []
    return len(CORE_LABELS & {label_of(line) for line in lines}) > 1


def hidden_title(items: Sequence[Item], index: int) -> str:
    """The bold first line of a text that has two titles and the address of a paper in or below it, or empty if none is."""
    line = replace(items[index], block=Block("p", tuple(next(lines_of(items[index].block.runs), ()))))
    if not is_bold(line) or len(line.text) > MAX_TITLE_CHARACTERS or not has_two_titles(line):
        return ""
    for other in items[index : index + 1 + MAX_ITEMS_OF_HIDDEN_PAPER]:
        if other.kind == "heading" or other.label:
            return ""
        if has_address_of_paper([other]):
            return line.text
    return ""
