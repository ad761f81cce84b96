"""The fixed phrases of the pages: complete in both languages, each in its language, and each in use."""

import ast
import re
from collections.abc import Iterator
from datetime import date
from importlib.resources import files

import pytest
from jinja2 import Environment, nodes

from core.i18n import load_phrases
from issues.parse.text import has_hangul
from paperboy.web.i18n import format_day
from tests.support.site import Site

WEB = files("paperboy.web")
KO, EN = (load_phrases("paperboy.web", language) for language in ("ko", "en"))


def test_both_languages_have_the_same_phrases_filled_with_the_same_values() -> None:
    braces = [
        {name: set(re.findall(r"\{(\w+)\}", text)) for name, text in known.items()} for known in (KO, EN)
    ]
    assert braces[0] == braces[1]


def test_only_the_switch_of_language_is_in_the_other_language() -> None:
    assert [name for name, text in EN.items() if has_hangul(text)] == ["other_language"]
    foreign = {name for name, text in KO.items() if not has_hangul(re.sub(r"\{\w+\}", "", text))}
    assert foreign <= {"brand", "other_language"}


def test_every_phrase_is_said_on_some_page_and_every_phrase_said_is_there() -> None:
    asked = list(phrases_asked())
    unused = [name for name in EN if not any(re.fullmatch(pattern, name) for pattern in asked)]
    missing = [pattern for pattern in asked if not any(re.fullmatch(pattern, name) for name in EN)]
    assert (unused, missing) == ([], [])


def phrases_asked() -> Iterator[str]:
    """Patterns of the phrases that templates say, and of the messages that the code names.

    A part that a template takes from a value is one of the words that the code or a template writes out.
    """
    code = [
        node
        for file in (*WEB.iterdir(), *files("subscribers").iterdir())
        if file.name.endswith(".py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    ]
    templates = [
        Environment().parse(file.read_text(encoding="utf-8"))  # noqa: S701 (nothing is rendered)
        for file in WEB.joinpath("templates").iterdir()
        if file.name not in {"message.html", "operator"}  # the operator's pages are in English alone
    ]
    constants = [node.value for node in code if isinstance(node, ast.Constant)]
    constants += [node.value for tree in templates for node in tree.find_all(nodes.Const)]
    words = {value for value in constants if isinstance(value, str) and value.isidentifier()}
    for node in code:
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in {"message", "say"}
        ):
            name = ast.literal_eval(node.args[1])
            yield from (name,) if node.func.id == "say" else (f"{name}.heading", f"{name}.text")
    for tree in templates:
        for said in tree.find_all(nodes.Call):
            if isinstance(said.node, nodes.Name) and said.node.name in {"say", "say_in"}:
                yield pattern_of(said.args[said.node.name == "say_in"], f"(?:{'|'.join(sorted(words))})")


def pattern_of(phrase: nodes.Expr, some_word: str) -> str:
    """What a template's phrase can be: `"done." + note` is a text and some word."""
    if isinstance(phrase, nodes.Const):
        return re.escape(str(phrase.value))
    if isinstance(phrase, nodes.Add):
        return pattern_of(phrase.left, some_word) + pattern_of(phrase.right, some_word)
    return some_word


@pytest.mark.parametrize(("language", "spelled"), [("ko", "2026년 3월 2일"), ("en", "March 2, 2026")])
def test_a_day_is_spelled_as_people_write_it(language: str, spelled: str) -> None:
    assert format_day(language, date(2026, 3, 2)) == spelled


@pytest.mark.parametrize(
    ("header", "language"),
    [("", "ko"), ("fr", "ko"), ("en-GB,ko;q=0.5", "en"), ("en;q=0.5,ko;q=0.6", "ko"), ("en;q=nan", "ko")],
)
def test_a_page_is_korean_unless_the_browser_likes_english_better(
    shared_sample_site: Site, header: str, language: str
) -> None:
    answer = shared_sample_site.client.get("/sent", headers={"Accept-Language": header})
    assert answer.headers["content-language"] == language
    assert f'<html lang="{language}">' in answer.text
