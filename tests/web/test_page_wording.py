"""The fixed phrases of the pages: complete in both languages, and each in its language."""

import re

import pytest
from site_at_work import Site

from core.wording import read_phrases
from issues.text import has_hangul

KO, EN = (read_phrases("paperboy.web", language) for language in ("ko", "en"))


def test_both_languages_have_the_same_phrases_filled_with_the_same_values() -> None:
    braces = [
        {name: set(re.findall(r"\{(\w+)\}", text)) for name, text in known.items()} for known in (KO, EN)
    ]
    assert braces[0] == braces[1]


def test_only_the_switch_of_language_is_in_the_other_language() -> None:
    assert [name for name, text in EN.items() if has_hangul(text)] == ["other_language"]
    foreign = {name for name, text in KO.items() if not has_hangul(re.sub(r"\{\w+\}", "", text))}
    assert foreign <= {"brand", "other_language"}


@pytest.mark.parametrize(
    ("header", "language"),
    [("", "ko"), ("fr", "ko"), ("en-GB,ko;q=0.5", "en"), ("en;q=0.5,ko;q=0.6", "ko"), ("en;q=nan", "ko")],
)
def test_a_page_is_korean_unless_the_browser_likes_english_better(
    still_site: Site, header: str, language: str
) -> None:
    answer = still_site.client.get("/sent", headers={"Accept-Language": header})
    assert answer.headers["content-language"] == language
    assert f'<html lang="{language}">' in answer.text
