"""The text part of a mail, written from the content: same order, every heading, every link."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from issues.text import Block

WIDTH = 72


class _Links:
    """The addresses of a mail, numbered as they come."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def mark(self, url: str) -> str:
        return f"[{self.numbers.setdefault(url, len(self.numbers) + 1)}]"


def plain_text(context: Mapping[str, Any], shown: Sequence[int]) -> str:
    """The text of a mail; `shown` says how many blocks of each part are in it.

    Lines are at most WIDTH columns wide (a Hangul syllable takes two) unless one word is wider.
    Links stand as numbers in brackets, with their addresses at the end.
    """
    links = _Links()
    lines = list(_body(context, shown, links))
    lines += ["", _rule("="), context["say"]("links"), ""]
    lines += [f"[{number}] {url}" for url, number in links.numbers.items()]
    return "\n".join(lines).strip() + "\n"


def _body(context: Mapping[str, Any], shown: Sequence[int], links: _Links) -> Iterator[str]:
    say, personal = context["say"], context["personal"]
    yield f"{say('web')} {links.mark(context['web'])}"
    yield f"{say('preferences')} {links.mark(personal('preferences'))}"
    yield f"{say('unsubscribe')} {links.mark(personal('unsubscribe'))}"
    yield from ("", say("brand"), *_wrap(context["heading"]), f"{context['week']} · {context['kind']}")
    yield from (*(line for portion in context["portions"] for line in _wrap(portion)), "")
    yield from (personal("greeting"), *_wrap(context["opening"]), "", say("contents"), "")
    for issue in context["issues"]:
        for paper in issue["papers"]:
            mark = links.mark(paper["url"] or issue["url"])
            yield from _wrap(f"{paper['title']} {mark}", first=f"{paper['place']:>2}. ", rest="    ")
    if context["remaining"]:
        yield from ("", *_wrap(say("remaining", count=context["remaining"])))
    for issue in context["issues"]:
        if issue["parts"]:
            yield from ("", _rule("="))
            yield from _texts(issue["parts"], issue["url"], context, shown, links)
        for paper in issue["papers"]:
            yield from ("", _rule("="))
            yield from _paper(paper, issue, context, shown, links)
    yield from ("", _rule("="), *_wrap(context["why"]), *_wrap(say("switch_line")))
    if context["language"] != "both":
        yield f"{say('switch')} {links.mark(personal('preferences'))}"
    yield from _wrap(say("source"))


def _paper(
    paper: Mapping[str, Any],
    issue: Mapping[str, Any],
    context: Mapping[str, Any],
    shown: Sequence[int],
    links: _Links,
) -> Iterator[str]:
    say = context["say"]
    if paper["late"]:
        yield f"* {say('late')}"
    yield from _wrap(f"{paper['place']}. {paper['title']}")
    if paper["subtitle"]:
        yield from _wrap(paper["subtitle"])
    yield from _texts(paper["parts"], issue["url"], context, shown, links)
    yield ""
    if paper["url"]:
        yield f"{say('paper_link')} {links.mark(paper['url'])}"
    for link in paper["links"]:
        yield from _wrap(f"{link['label']} {links.mark(link['url'])}")
    yield f"{say('discuss')} {links.mark(issue['url'])}"


def _texts(
    parts: Sequence[Mapping[str, Any]],
    url: str,
    context: Mapping[str, Any],
    shown: Sequence[int],
    links: _Links,
) -> Iterator[str]:
    say = context["say"]
    for part in parts:
        spoken, blocks = part["language"], part["blocks"]
        yield from ("", f"- {say(part['name'], spoken)} -", "")
        for number, block in enumerate(blocks[: shown[part["index"]]]):
            if number and not (block.type == "li" and blocks[number - 1].type == "li"):
                yield ""
            yield from _block(block, links)
        if not blocks:
            yield from _wrap(f"{say('only_other', spoken)} {links.mark(url)}")
        elif shown[part["index"]] < len(blocks):
            yield from ("", *_wrap(f"{say('read_on', spoken)} {links.mark(url)}"))


def _block(block: Block, links: _Links) -> Iterator[str]:
    text = "".join(f"{run.text} {links.mark(run.href)}" if run.href else run.text for run in block.runs)
    first, rest = ("  * ", "    ") if block.type == "li" else ("", "")
    for line in text.split("\n"):
        yield from _wrap(line, first, rest)
        first = rest


def _rule(sign: str) -> str:
    return sign * WIDTH


def _wrap(text: str, first: str = "", rest: str = "") -> list[str]:
    """The text in lines of at most WIDTH columns, broken between words only."""
    lines: list[str] = []
    line, width = first, columns(first)
    is_empty = True
    for word in text.split():
        grown = width + columns(word) + (0 if is_empty else 1)
        if grown > WIDTH and not is_empty:
            lines.append(line)
            line, width, is_empty = rest, columns(rest), True
            grown = width + columns(word)
        line += word if is_empty else f" {word}"
        width, is_empty = grown, False
    return [*lines, line.rstrip()]


def columns(text: str) -> int:
    """The width of a text on a screen of fixed columns (Unicode, East Asian Width)."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)
