"""Letters: whom they name, what their button does, and the same words in both bodies and languages."""

import re
from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern_policy
from itertools import pairwise, product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from emails.content import Content
from emails.identity import LINK_PATHS
from emails.kinds import SUBSCRIBER_LETTERS
from emails.letters import LANGUAGES_SPOKEN, OperatorNotice, operator_letter, subscriber_letter
from emails.message import Recipient, build_message, personalized
from emails.rendering.i18n import translate
from emails.rendering.width import columns
from issues.parse.text import has_hangul
from monitoring.previews import SAMPLE_NOTICE, letter_previews
from subscribers.tokens import read_token
from tests.support.factories import IDENTITY, NOW
from tests.support.mail_reader import on_one_line, without_spaces

HANDLE = "0123456789abcdef"
MINJI = Recipient("minji@example.com", "김민지", HANDLE, "ko")
KINDS = list(product(SUBSCRIBER_LETTERS, LANGUAGES_SPOKEN, ("weekly", "daily")))
letters = pytest.mark.parametrize(("kind", "language", "frequency"), KINDS)


def content_of(letter: Content) -> Content:
    return Content(letter.kind, letter.language, "", letter.subject, letter.html, letter.text, letter.nonce)


def mail_of(letter: Content, reader: Recipient = MINJI) -> tuple[str, str, EmailMessage]:
    content = content_of(letter)
    data = build_message(content, reader, IDENTITY, message_id="0f@paperboy.example", now=NOW).data
    return *personalized(content, reader, IDENTITY, NOW), message_from_bytes(data, policy=modern_policy)


def every_letter() -> list[Content]:
    made = [subscriber_letter(*kind) for kind in KINDS]
    return [*made, *(operator_letter(SAMPLE_NOTICE, language) for language in LANGUAGES_SPOKEN)]


@letters
def test_the_button_of_a_letter_is_the_readers_own_link_in_both_bodies(
    kind: str, language: str, frequency: str
) -> None:
    html, text, _ = mail_of(subscriber_letter(kind, language, frequency))
    purpose = SUBSCRIBER_LETTERS[kind]
    buttons = [node for node in LexborHTMLParser(html).css("a") if node.text() != ""]
    assert [on_one_line(node.text()) for node in buttons] == [
        translate(spoken, f"{kind}.button") for spoken in LANGUAGES_SPOKEN[language]
    ]
    in_text = re.findall(r"https://paperboy\.example/\S+", text)
    assert [node.attributes["href"] for node in buttons] == in_text
    about = MINJI.email if purpose == "move" else ""
    for address in in_text:
        page, token = address.removeprefix("https://paperboy.example/").split("/")
        assert page == LINK_PATHS[purpose]
        assert read_token(IDENTITY.key, purpose, token, NOW.date(), lambda _: about) == HANDLE


@letters
def test_a_letter_says_which_language_and_frequency_it_is_about(
    kind: str, language: str, frequency: str
) -> None:
    html, text, _ = mail_of(subscriber_letter(kind, language, frequency))
    for spoken in LANGUAGES_SPOKEN[language]:
        names = {
            "language": translate(spoken, f"language_{language}"),
            "frequency": translate(spoken, frequency),
        }
        told = translate(spoken, f"{kind}.text", **names)
        assert told in on_one_line(LexborHTMLParser(html).body.text())  # type: ignore[union-attr]
        assert without_spaces(told) in without_spaces(text)


@pytest.mark.parametrize("language", LANGUAGES_SPOKEN)
def test_a_confirmation_names_nobody_since_whoever_signed_up_wrote_the_name(language: str) -> None:
    html, text, mail = mail_of(subscriber_letter("confirmation", language, "weekly"))
    assert "김민지" not in html + text
    assert "김민지" not in str(mail["To"])
    assert str(mail["To"]) == "minji@example.com"


@pytest.mark.parametrize("language", LANGUAGES_SPOKEN)
@pytest.mark.parametrize("kind", ["preferences_link", "farewell"])
def test_a_letter_to_a_known_reader_greets_them_once(kind: str, language: str) -> None:
    for body in mail_of(subscriber_letter(kind, language, "weekly"))[:2]:
        assert body.count("김민지") == 1


def test_a_name_in_a_letter_is_never_markup() -> None:
    hostile = replace(MINJI, name="<script>alert(1)</script>")
    html, _, _ = mail_of(subscriber_letter("farewell", "ko", "weekly"), hostile)
    assert not LexborHTMLParser(html).css("script")


def test_a_letter_is_no_mail_of_a_list_and_says_that_a_program_wrote_it() -> None:
    for letter in every_letter():
        _, _, mail = mail_of(letter)
        assert not [name for name in mail if name.lower().startswith("list-")]
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail["Subject"] == letter.subject
        assert mail["Content-Language"] == ("ko, en" if letter.language == "both" else letter.language)


def test_a_letter_in_both_languages_says_everything_in_korean_and_then_in_english() -> None:
    for kind in SUBSCRIBER_LETTERS:
        single = {spoken: mail_of(subscriber_letter(kind, spoken, "weekly")) for spoken in ("ko", "en")}
        html, text, _ = mail_of(subscriber_letter(kind, "both", "weekly"))
        sections = LexborHTMLParser(html).css("div[lang]:not([role])")
        assert [node.attributes["lang"] for node in sections] == ["ko", "en"]
        at = 0
        for spoken, section in zip(("ko", "en"), sections, strict=True):
            for name in ("heading", "button"):
                words = translate(spoken, f"{kind}.{name}")
                assert words in section.text()
                assert words in single[spoken][0]
                at = text.index(words, at)


def test_an_english_letter_has_no_korean_and_a_korean_one_no_other_language_mark() -> None:
    for kind in SUBSCRIBER_LETTERS:
        anonymous = replace(MINJI, name="")
        html, text, mail = mail_of(subscriber_letter(kind, "en", "daily"), anonymous)
        assert not has_hangul(html + text + str(mail["Subject"]))
        korean, _, _ = mail_of(subscriber_letter(kind, "ko", "daily"), anonymous)
        assert {node.attributes["lang"] for node in LexborHTMLParser(korean).css("[lang]")} == {"ko"}


def test_both_bodies_of_a_letter_say_the_same_in_the_same_order() -> None:
    for letter in every_letter():
        html, text, _ = mail_of(letter)
        read, at = without_spaces(text), 0
        for node in LexborHTMLParser(html).css("h1, h2, h3, div[lang]:not([role]) p, a"):
            at = read.index(without_spaces(node.text(separator=" ")), at)


def test_an_inbox_shows_of_a_letter_a_subject_and_a_preheader_that_fit() -> None:
    for preview in letter_previews(IDENTITY, NOW):
        assert columns(preview.subject) <= 60
        (hidden,) = [
            node.text()
            for node in LexborHTMLParser(preview.html).css("div[style]")
            if "display:none" in (node.attributes["style"] or "").replace(" ", "")
        ]
        assert 85 <= len(on_one_line(hidden)) <= 130
        assert on_one_line(hidden) not in preview.text


def test_the_headings_of_a_letter_begin_with_one_of_the_first_level_and_skip_none() -> None:
    for letter in every_letter():
        levels = [int((node.tag or "")[1]) for node in LexborHTMLParser(letter.html).css("h1, h2, h3, h4")]
        assert levels.count(1) == 1
        assert levels[0] == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))


def test_every_letter_is_among_the_previews_in_every_language() -> None:
    kinds = [kind.replace("_", "-") for kind in (*SUBSCRIBER_LETTERS, "notice")]
    names = [preview.name for preview in letter_previews(IDENTITY, NOW)]
    assert sorted(names) == sorted(f"{kind}-{language}" for kind in kinds for language in LANGUAGES_SPOKEN)


# --- notices to operators -----------------------------------------------------------

LINES = st.text(alphabet=st.sampled_from("ab 한<>&\"'{}%/:"), min_size=1, max_size=120).filter(str.strip)


@settings(max_examples=30)
@example("호 2025-07-28이 " * 20, "한 줄", "paperboy status", {}, "ko")
@given(
    LINES, LINES, LINES, st.dictionaries(LINES, LINES, max_size=3), st.sampled_from(sorted(LANGUAGES_SPOKEN))
)
def test_a_notice_tells_what_happened_what_to_do_and_every_detail_and_none_is_markup(
    what: str, cause: str, remedy: str, facts: dict[str, str], language: str
) -> None:
    letter = operator_letter(OperatorNotice(what, cause, remedy, facts), language)
    html, text, mail = mail_of(letter)
    body = LexborHTMLParser(html).body
    assert body
    for words in (cause, remedy, *(f"{name}: {value}" for name, value in facts.items())):
        assert without_spaces(words) in without_spaces(body.text())
        assert without_spaces(words) in without_spaces(text)
    assert columns(str(mail["Subject"])) <= 60
    assert "\n" not in letter.subject
