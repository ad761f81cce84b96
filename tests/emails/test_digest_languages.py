"""A digest is in the language of its recipient, marks the language of each text, and says what is missing."""

import pytest
from hypothesis import given, settings

from core.frequencies import Frequency
from core.languages import Language
from emails.edition import Edition
from emails.rendering.i18n import translate
from issues.parse.content import Link, Picture
from issues.parse.text import has_hangul
from tests.support.factories import IDENTITY, blocks, edition_of, issue_of, paper
from tests.support.mail_reader import Mail, languages, on_one_line, without_spaces
from tests.support.random_posts import editions


@languages
def test_every_text_and_title_is_marked_with_its_language(language: Language) -> None:
    full = paper(intro_en=blocks("The introduction."))
    mail = Mail(edition_of(issue_of([full]), language=language))
    root = mail.tree.css_first("html")
    assert root
    assert root.attributes["lang"] == language.frame
    marks = {heading: marked for marked, heading, _ in mail.texts}
    assert set(marks.values()) == ({"ko", "en"} if language == "both" else {language})
    title = mail.tree.css_first("h2[lang]")
    assert title
    assert title.attributes["lang"] == ("en" if language == "en" else "ko")
    english = [node.text() for node in mail.tree.css('p[lang="en"]')]
    assert english == {"ko": [full.title_en], "both": [full.title_en, full.gist_en], "en": []}[language]


@settings(max_examples=40)
@given(editions())
def test_one_line_names_the_texts_that_a_language_lacks_and_links_to_them(edition: Edition) -> None:
    mail = Mail(edition)
    language = edition.spec.language
    start = translate(language, "elsewhere", what="\x00").split("\x00")[0]
    lines = [node for node in mail.tree.css("p") if node.text().startswith(start)]
    lacking = [
        issue for issue in edition.issues if issue.elsewhere or any(unit.elsewhere for unit in issue.papers)
    ]
    assert len(lines) == len(lacking)
    for line, issue in zip(lines, lacking, strict=True):
        names = {*issue.elsewhere, *(name for unit in issue.papers for name in unit.elsewhere)}
        assert all(translate(language, name) in line.text() for name in names)
        other = Language.KO if language == Language.EN else Language.EN
        url = f"{IDENTITY.archive}/{issue.topic_id}?text={other}"
        assert line.css_first("a").attributes["href"] == url  # type: ignore[union-attr]
        assert without_spaces(line.text()) in without_spaces(mail.text)


def test_an_english_mail_names_the_papers_with_a_korean_introduction_only() -> None:
    translated = {3: blocks("An introduction.")}
    papers = [paper(number, intro_en=translated.get(number, ())) for number in range(1, 6)]
    mail = Mail(edition_of(issue_of(papers), language="en"))
    what = f"{translate(Language.EN, 'overview')}, {translate(Language.EN, 'intro')} (1–2, 4–5)"
    assert translate(Language.EN, "elsewhere", what=what) in mail.visible_text


@pytest.mark.parametrize("frequency", Frequency)
def test_an_english_mail_has_no_korean_except_the_language_switch(frequency: Frequency) -> None:
    korean_only = paper(
        3,
        title_en="",
        abstract_en=(),
        notes=blocks("코드는 곧 공개됩니다."),
        links=(Link("https://github.com/example/thing", "깃허브"), Link("https://demo.example/x")),
        pictures=(Picture("https://a.example/p.png", 690, 388),),
    )
    edition = edition_of(
        issue_of([paper(1), paper(2), korean_only], summary=blocks("요약입니다.")),
        language="en",
        frequency=frequency,
        daily_papers=0,
    )
    mail = Mail(edition)
    switch = translate(Language.KO, "choose_language")
    for body in (mail.html, mail.text):
        assert body.count(switch) == 1
        assert not has_hangul(body.replace(switch, ""))
        assert "github.com/example/thing" in body
    assert not has_hangul(mail.content.subject)


def test_an_english_mail_with_only_korean_titles_still_has_a_subject_and_headings() -> None:
    mail = Mail(edition_of(issue_of([paper(1, title_en="")]), language="en"))
    assert mail.titles == [translate(Language.EN, "untitled")]
    assert mail.content.subject.strip(" :")
    assert all(on_one_line(node.text()) for node in mail.tree.css("h1, h2, h3, a, li"))
