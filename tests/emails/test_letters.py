"""Letters: names, buttons, languages, and the same texts in both bodies."""

import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern_policy
from itertools import pairwise, product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from core.frequencies import Frequency
from core.languages import Language, TextLanguage
from core.slots import letter_slot
from emails.content import Content, MailSpec
from emails.identity import LINK_PATHS
from emails.kinds import RULES, SUBSCRIBER_LETTERS, MailKind
from emails.letters import OperatorNotice, operator_letter, subscriber_letter
from emails.message import Recipient, build_message, personalized
from emails.rendering.i18n import translate
from emails.rendering.width import columns
from issues.parse.text import has_hangul
from monitoring.notices import translated
from monitoring.previews import SAMPLE_NOTICE, letter_previews
from subscribers.tokens import LinkPurpose, read_token
from tests.support.factories import IDENTITY, NOW
from tests.support.mail_reader import languages, on_one_line, without_spaces

HANDLE = "0123456789abcdef"
MINJI = Recipient("minji@example.com", "김민지", HANDLE)
LETTERS = list(product(SUBSCRIBER_LETTERS, Language, Frequency))
letters = pytest.mark.parametrize(("kind", "language", "frequency"), LETTERS)


def spec_of(
    kind: MailKind, language: Language = Language.KO, frequency: Frequency = Frequency.WEEKLY
) -> MailSpec:
    return MailSpec(letter_slot(kind), language, frequency, kind)


def mail_of(
    spec: MailSpec, recipient: Recipient = MINJI, letter: Content | None = None
) -> tuple[str, str, EmailMessage]:
    """HTML, text and message of a letter."""
    letter = letter or subscriber_letter(spec.kind, spec.language, spec.frequency, IDENTITY)
    data = build_message(spec, letter, recipient, IDENTITY, message_id="0f@paperboy.example", now=NOW).data
    html, text = personalized(spec, letter, recipient, IDENTITY, NOW)
    return html, text, message_from_bytes(data, policy=modern_policy)


def every_letter() -> list[tuple[MailSpec, Content]]:
    letters = [(spec_of(*letter), subscriber_letter(*letter, IDENTITY)) for letter in LETTERS]
    notices = [
        (
            spec_of(MailKind.NOTICE, Language(language)),
            operator_letter(translated(SAMPLE_NOTICE, language), Language(language), IDENTITY),
        )
        for language in TextLanguage
    ]
    return [*letters, *notices]


@letters
def test_the_button_of_a_letter_is_the_recipients_own_link_in_both_bodies(
    kind: MailKind, language: Language, frequency: Frequency
) -> None:
    html, text, _ = mail_of(spec_of(kind, language, frequency))
    purpose = RULES[kind].button
    assert purpose
    buttons = LexborHTMLParser(html).css("td > a")
    assert [on_one_line(node.text()) for node in buttons] == [
        translate(text_language, f"{kind}.button") for text_language in language.texts
    ]
    urls = re.findall(r"(?m)^https://paperboy\.example/\S+$", text)
    assert [node.attributes["href"] for node in buttons] == urls
    about = MINJI.email if purpose == LinkPurpose.MOVE else ""
    for url in urls:
        path, token = url.removeprefix("https://paperboy.example/").split("/")
        assert path == LINK_PATHS[purpose]
        assert read_token(IDENTITY.key, purpose, token, NOW.date(), lambda _: about) == HANDLE


@letters
def test_a_letter_says_which_language_and_frequency_it_is_about(
    kind: MailKind, language: Language, frequency: Frequency
) -> None:
    html, text, _ = mail_of(spec_of(kind, language, frequency))
    for text_language in language.texts:
        names = {
            "language": translate(text_language, f"language_{language}"),
            "frequency": translate(text_language, frequency),
        }
        paragraph = translate(text_language, f"{kind}.text", **names)
        assert paragraph in on_one_line(LexborHTMLParser(html).body.text())  # type: ignore[union-attr]
        assert without_spaces(paragraph) in without_spaces(text)


@languages
def test_a_confirmation_does_not_use_the_name_that_anybody_can_have_entered(language: Language) -> None:
    html, text, mail = mail_of(spec_of(MailKind.CONFIRMATION, language))
    assert "김민지" not in html + text
    assert "김민지" not in str(mail["To"])
    assert str(mail["To"]) == "minji@example.com"


@languages
@pytest.mark.parametrize("kind", [kind for kind in SUBSCRIBER_LETTERS if RULES[kind].greets])
def test_a_letter_to_a_subscriber_greets_them_once(kind: MailKind, language: Language) -> None:
    for body in mail_of(spec_of(kind, language))[:2]:
        assert body.count("김민지") == 1


def test_a_name_in_a_letter_is_never_markup() -> None:
    hostile = MINJI._replace(name="<script>alert(1)</script>")
    html, _, _ = mail_of(spec_of(MailKind.FAREWELL), hostile)
    assert not LexborHTMLParser(html).css("script")


def test_only_the_welcome_among_letters_has_list_headers_and_all_are_marked_as_generated() -> None:
    for spec, letter in every_letter():
        _, _, mail = mail_of(spec, letter=letter)
        has_list_headers = any(name.lower().startswith("list-") for name in mail)
        assert has_list_headers == (spec.kind == MailKind.WELCOME)
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail["Subject"] == letter.subject
        assert mail["Content-Language"] == ", ".join(spec.language.texts)


def test_a_letter_in_both_languages_says_everything_in_korean_and_then_in_english() -> None:
    for kind in SUBSCRIBER_LETTERS:
        html_in = {language: mail_of(spec_of(kind, language))[0] for language in Language}
        html, text, _ = mail_of(spec_of(kind, Language.BOTH))
        sections = LexborHTMLParser(html).css("div[lang]:not([role])")
        assert [node.attributes["lang"] for node in sections] == ["ko", "en"]
        at = 0
        for text_language, section in zip(Language.BOTH.texts, sections, strict=True):
            for name in ("heading", "button"):
                phrase = translate(text_language, f"{kind}.{name}", name=IDENTITY.name)
                assert phrase in section.text()
                assert phrase in html_in[Language(text_language)]
                at = text.index(phrase, at)


def test_an_english_letter_has_no_korean_and_a_korean_one_is_marked_as_korean() -> None:
    for kind in SUBSCRIBER_LETTERS:
        anonymous = MINJI._replace(name="")
        html, text, mail = mail_of(spec_of(kind, Language.EN, Frequency.DAILY), anonymous)
        assert not has_hangul(html + text + str(mail["Subject"]))
        korean, _, _ = mail_of(spec_of(kind, Language.KO, Frequency.DAILY), anonymous)
        assert {node.attributes["lang"] for node in LexborHTMLParser(korean).css("[lang]")} == {"ko"}


def test_both_bodies_of_a_letter_say_the_same_in_the_same_order() -> None:
    for spec, letter in every_letter():
        html, text, _ = mail_of(spec, letter=letter)
        read, at = without_spaces(text), 0
        for node in LexborHTMLParser(html).css("h1, h2, h3, div[lang]:not([role]) p, td > a"):
            at = read.index(without_spaces(node.text(separator=" ")), at)


def test_the_subject_and_the_preheader_of_a_letter_fit() -> None:
    for preview in letter_previews(IDENTITY, NOW):
        assert columns(preview.subject) <= 60
        (hidden,) = [
            node.text()
            for node in LexborHTMLParser(preview.html).css("div[style]")
            if "display:none" in (node.attributes["style"] or "").replace(" ", "")
        ]
        assert 85 <= len(on_one_line(hidden)) <= 130
        assert without_spaces(preview.text).startswith(without_spaces(hidden))


def test_the_headings_of_a_letter_begin_at_the_first_level_and_skip_none() -> None:
    for _, letter in every_letter():
        levels = [int((node.tag or "")[1]) for node in LexborHTMLParser(letter.html).css("h1, h2, h3, h4")]
        assert levels.count(1) == 1
        assert levels[0] == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))


def test_every_letter_is_among_the_previews_in_every_language() -> None:
    kinds = [kind.replace("_", "-") for kind in (*SUBSCRIBER_LETTERS, MailKind.NOTICE)]
    names = [preview.name for preview in letter_previews(IDENTITY, NOW)]
    expected = [f"{kind}-{language}" for kind in kinds for language in Language]
    assert sorted(names) == sorted(name for name in expected if name != "notice-both")


# --- notices to operators -----------------------------------------------------------

LINES = st.text(alphabet=st.sampled_from("ab 한<>&\"'{}%/:"), min_size=1, max_size=120).filter(str.strip)


@settings(max_examples=30)
@example("호 2025-07-28이 " * 20, "한 줄", "paperboy status", {}, Language.KO)
@given(LINES, LINES, LINES, st.dictionaries(LINES, LINES, max_size=3), st.sampled_from(Language))
def test_a_notice_has_the_cause_the_remedy_and_every_fact_and_none_is_markup(
    what: str, cause: str, remedy: str, facts: dict[str, str], language: Language
) -> None:
    letter = operator_letter(OperatorNotice(what, cause, remedy, facts), language, IDENTITY)
    html, text, mail = mail_of(spec_of(MailKind.NOTICE, language), letter=letter)
    body = LexborHTMLParser(html).body
    assert body
    for line in (cause, remedy, *(f"{name}: {value}" for name, value in facts.items())):
        assert without_spaces(line) in without_spaces(body.text())
        assert without_spaces(line) in without_spaces(text)
    assert columns(str(mail["Subject"])) <= 60
    assert "\n" not in letter.subject
