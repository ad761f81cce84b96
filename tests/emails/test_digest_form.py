"""The form of digests with any texts: titles are never markup, headings skip no level, no line is too wide."""

import re
from itertools import pairwise

from hypothesis import given, settings
from selectolax.lexbor import LexborHTMLParser

from core.languages import Language
from emails.edition import Edition
from emails.rendering.plaintext import MAX_LINE_COLUMNS
from emails.rendering.width import columns
from tests.support.factories import blocks, edition_of, issue_of, paper
from tests.support.mail_reader import Mail
from tests.support.random_posts import editions


def test_a_text_that_speaks_of_markup_is_shown_whole() -> None:
    code = 'Write <div class="box" style="x"> and class="wide" in it.'
    mail = Mail(edition_of(issue_of([paper(title_en=code, gist_ko=code, intro_ko=blocks(code))])))
    assert mail.visible_text.count(code) >= 3


def test_titles_from_the_forum_are_never_markup() -> None:
    hostile = paper(title_ko='<script>alert("제목")</script>', title_en="</h2><img src=x onerror=alert(1)>")
    for language in Language:
        mail = Mail(edition_of(issue_of([hostile]), language=language))
        assert not mail.tree.css("script, img[src=x]")
        title = mail.tree.css_first("title")
        assert title
        assert title.text().strip() == mail.content.subject


@settings(max_examples=40)
@given(editions())
def test_headings_begin_at_the_first_level_and_skip_none(edition: Edition) -> None:
    levels = [int((node.tag or "")[1]) for node in LexborHTMLParser(Mail(edition).html).css("h1, h2, h3, h4")]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


@settings(max_examples=40)
@given(editions())
def test_no_line_of_the_text_part_is_too_wide_unless_one_word_is(edition: Edition) -> None:
    for line in Mail(edition).text.splitlines():
        assert (
            columns(line) <= MAX_LINE_COLUMNS
            or len(re.sub(r"^ *([*#]|\d+\.)? *", "", line).split()) == 1
            or line[0] == "["
        )
