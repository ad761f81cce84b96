"""The fixed phrases of the pages: complete in every language, each in its own language, and each in use."""

import ast
import re
from collections.abc import Iterator
from datetime import date
from importlib.resources import files

import pytest
from jinja2 import Environment, nodes
from selectolax.lexbor import LexborHTMLParser

from core.i18n import load_phrases
from core.languages import TextLanguage
from issues.parse.text import has_hangul
from paperboy.web.i18n import format_day
from tests.support.site import Site

WEB = files("paperboy.web")
# Their values are parts of names, as in "language.both".
CHOICE_MODULES = (
    *(files("core") / name for name in ("languages.py", "frequencies.py", "details.py")),
    files("emails") / "edition.py",
)
PHRASES = {language: load_phrases("paperboy.web", language) for language in TextLanguage}
KO, EN = PHRASES[TextLanguage.KO], PHRASES[TextLanguage.EN]


def test_all_languages_have_the_same_phrases_with_the_same_placeholders() -> None:
    placeholders = [
        {name: set(re.findall(r"\{(\w+)\}", text)) for name, text in phrases.items()}
        for phrases in PHRASES.values()
    ]
    assert all(found == placeholders[0] for found in placeholders)


def test_only_korean_phrases_have_korean_and_all_of_them_do() -> None:
    foreign = {language: phrases for language, phrases in PHRASES.items() if phrases is not KO}
    assert not [name for phrases in foreign.values() for name, text in phrases.items() if has_hangul(text)]
    assert {name for name, text in KO.items() if not has_hangul(re.sub(r"\{\w+\}", "", text))} == set()


@pytest.mark.parametrize("language", TextLanguage)
def test_a_page_offers_every_other_language_by_its_own_name(
    shared_sample_site: Site, language: TextLanguage
) -> None:
    page = LexborHTMLParser(shared_sample_site.client.get(f"/archive?lang={language}").text)
    offered = {node.attributes["hreflang"]: node for node in page.css("nav a[hreflang]")}
    assert set(offered) == set(TextLanguage) - {language}
    for other, link in offered.items():
        answer = shared_sample_site.client.get(str(link.attributes["href"]))
        assert answer.headers["content-language"] == other
        assert link.text() == PHRASES[TextLanguage(other or "")][f"language.{other}"]


def test_every_phrase_is_used_and_every_used_phrase_exists() -> None:
    used = list(used_phrases())
    unused = [name for name in EN if not any(re.fullmatch(pattern, name) for pattern in used)]
    missing = [pattern for pattern in used if not any(re.fullmatch(pattern, name) for name in EN)]
    assert (unused, missing) == ([], [])


def used_phrases() -> Iterator[str]:
    """Patterns of the phrases that templates use, and of the messages that the code names.

    Where a template takes a part of a name from a value, the pattern allows each word that is a constant of the code
    or of a template.
    """
    code = [
        node
        for file in (*WEB.iterdir(), *files("subscribers").iterdir(), *CHOICE_MODULES)
        if file.name.endswith(".py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    ]
    templates = [
        Environment().parse(file.read_text(encoding="utf-8"))  # noqa: S701  nothing is rendered
        for file in WEB.joinpath("templates").iterdir()
        if file.name != "message.html"  # the code names its phrases
    ]
    constants = [node.value for node in code if isinstance(node, ast.Constant)]
    constants += [node.value for tree in templates for node in tree.find_all(nodes.Const)]
    words = {value for value in constants if isinstance(value, str) and value.isidentifier()}
    for node in code:
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in {"message_page", "translate"}
        ):
            name = _literal_or_pattern(node.args[1])
            yield from (name,) if node.func.id == "translate" else (f"{name}.heading", f"{name}.text")
    for tree in templates:
        for call in tree.find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name in {"t", "t_in"}:
                yield pattern_of(call.args[call.node.name == "t_in"], f"(?:{'|'.join(sorted(words))})")


def _literal_or_pattern(node: ast.expr) -> str:
    """The name that the code gives, or a pattern if it takes the end of the name from a value."""
    if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
        return re.escape(str(node.values[0].value)) + r"\w+"
    return str(ast.literal_eval(node))


def pattern_of(phrase: nodes.Expr, any_word: str) -> str:
    """The pattern of a phrase in a template: `"done." + note` is a text and any word."""
    if isinstance(phrase, nodes.Const):
        return re.escape(str(phrase.value))
    if isinstance(phrase, nodes.Add):
        return pattern_of(phrase.left, any_word) + pattern_of(phrase.right, any_word)
    return any_word


@pytest.mark.parametrize(
    ("language", "formatted"), [(TextLanguage.KO, "2026년 3월 2일"), (TextLanguage.EN, "March 2, 2026")]
)
def test_a_day_is_formatted_as_people_write_it(language: TextLanguage, formatted: str) -> None:
    assert format_day(language, date(2026, 3, 2)) == formatted


@pytest.mark.parametrize(
    ("header", "language"),
    [("", "ko"), ("fr", "ko"), ("en-GB,ko;q=0.5", "en"), ("en;q=0.5,ko;q=0.6", "ko"), ("en;q=nan", "ko")],
)
def test_a_page_is_in_korean_unless_the_browser_prefers_english(
    shared_sample_site: Site, header: str, language: str
) -> None:
    answer = shared_sample_site.client.get("/sent", headers={"Accept-Language": header})
    assert answer.headers["content-language"] == language
    assert f'<html lang="{language}">' in answer.text
