"""Each digest speaks the language of its reader, marks every text with its own, and says what it lacks."""

import pytest
from hypothesis import given, settings

from emails.edition import Edition
from emails.rendering.i18n import translate
from issues.parse.content import Link, Picture
from issues.parse.text import has_hangul
from tests.support.factories import blocks, edition_of, issue_of, paper
from tests.support.mail_reader import Mail, languages, on_one_line, permalinks_of, without_spaces
from tests.support.random_posts import editions


@languages
def test_every_text_and_title_is_marked_with_its_language(language: str) -> None:
    full = paper(intro_en=blocks("The introduction."))
    mail = Mail(edition_of(issue_of([full]), language=language))
    root = mail.tree.css_first("html")
    assert root
    assert root.attributes["lang"] == ("en" if language == "en" else "ko")
    spoken = {heading: marked for marked, heading, _ in mail.texts}
    assert set(spoken.values()) == ({"ko", "en"} if language == "both" else {language})
    (title,) = mail.tree.css("h2[lang]")
    assert title.attributes["lang"] == ("en" if language == "en" else "ko")
    subtitles = [node.text() for node in mail.tree.css('p[lang="en"]')]
    assert subtitles == ([] if language == "en" else [full.title_en])


@settings(max_examples=40)
@given(editions())
def test_what_a_languages_mail_lacks_is_said_in_one_line_that_leads_to_the_web(edition: Edition) -> None:
    mail = Mail(edition)
    said = translate(edition.language, "elsewhere", what="\x00").split("\x00")[0]
    lines = [node for node in mail.tree.css("p") if node.text().startswith(said)]
    lacking = [
        issue for issue in edition.issues if issue.elsewhere or any(unit.elsewhere for unit in issue.papers)
    ]
    assert len(lines) == len(lacking)
    for line, issue in zip(lines, lacking, strict=True):
        names = {*issue.elsewhere, *(name for unit in issue.papers for name in unit.elsewhere)}
        assert all(translate(edition.language, name) in line.text() for name in names)
        other = "ko" if edition.language == "en" else "en"
        assert line.css_first("a").attributes["href"] == permalinks_of(issue, other)[0]  # type: ignore[union-attr]
        assert without_spaces(line.text()) in without_spaces(mail.text)


def test_an_english_mail_names_the_papers_whose_introductions_are_in_korean_only() -> None:
    translated = {3: blocks("An introduction.")}
    papers = [paper(number, intro_en=translated.get(number, ())) for number in range(1, 6)]
    mail = Mail(edition_of(issue_of(papers), language="en"))
    what = f"{translate('en', 'overview')}, {translate('en', 'intro')} (1–2, 4–5)"
    assert translate("en", "elsewhere", what=what) in mail.visible_text


@pytest.mark.parametrize("frequency", ["weekly", "daily"])
def test_an_english_mail_has_no_korean_but_the_switch_of_language(frequency: str) -> None:
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
    switch = translate("en", "switch")
    for body in (mail.html, mail.text):
        assert body.count(switch) == 1
        assert not has_hangul(body.replace(switch, ""))
        assert "github.com/example/thing" in body
    assert not has_hangul(mail.rendered.subject)


def test_an_english_mail_with_only_korean_titles_still_has_a_subject_and_headings() -> None:
    mail = Mail(edition_of(issue_of([paper(1, title_en="")]), language="en"))
    assert mail.titles == [translate("en", "untitled")]
    assert mail.rendered.subject.strip(" :")
    assert all(on_one_line(node.text()) for node in mail.tree.css("h1, h2, h3, a, li"))
