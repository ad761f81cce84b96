"""Subjects and preheaders of digests fit, cut no words and repeat nothing."""

from dataclasses import replace
from datetime import date
from email import message_from_bytes
from email.policy import default as modern_policy

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.frequencies import Frequency
from core.languages import Language
from core.slots import preview_slot
from emails.compose import compose
from emails.content import Content, MailSpec
from emails.edition import Edition, days_covered
from emails.kinds import WITH_PAPERS
from emails.message import PREVIEW_RECIPIENT, build_message
from emails.rendering.digest_view import digest_view
from emails.rendering.i18n import translate
from emails.rendering.subject import MAX_NAMES, MAX_SUBJECT_COLUMNS, PREHEADER_CHARACTERS, short_dates
from emails.rendering.width import columns
from issues.parse.content import IssueContent
from issues.parse.text import clean
from tests.support.factories import (
    IDENTITY,
    NOW,
    arrivals_of,
    blocks,
    digest_spec,
    edition_of,
    issue_of,
    paper,
)
from tests.support.mail_reader import languages
from tests.support.random_posts import editions

PUNCTUATION = " ,:;…"
ORDINARY_WORDS = [
    "등대",
    "Lighthouse",
    "긴",
    "a",
    "글",
    "search-heads",
    "RAG:",
    "(2025)",
    "속에서",
    "-",
    "🔥",
    "길을,",
]
LONG_WORDS = [
    "강화학습기반추론모델의사고길이조절",
    "Supercalifragilisticexpialidocious-and-more",
    "https://a.example/1",
]
WORDS = st.sampled_from([*ORDINARY_WORDS, *LONG_WORDS])
TITLES = st.lists(WORDS, max_size=12).map(" ".join)


@st.composite
def titled_issues(draw: st.DrawFn) -> IssueContent:
    """Issues with any titles. Each title has its paper's number, so that no two are the same."""
    titles = draw(st.lists(st.tuples(TITLES, TITLES), min_size=1, max_size=15))
    return issue_of(
        [
            paper(number, title_ko=ko and f"{ko} 하나{number:02}", title_en=en and f"{en} one{number:02}")
            for number, (ko, en) in enumerate(titles, 1)
        ]
    )


def nameless_subject(edition: Edition) -> str:
    """The subject without the names of papers."""
    dates = short_dates(edition.spec.language, *days_covered(edition.issues))
    return translate(edition.spec.language, f"subject_{edition.occasion}", dates=dates, names="")


def more_papers(edition: Edition, count: int) -> str:
    """What a subject says about papers that it does not name."""
    return translate(edition.spec.language, "names_and_more", names="", count=count).strip()


def words(text: str) -> set[str]:
    return {word.strip(PUNCTUATION + "-") for word in text.split()}


@given(editions(titled_issues()))
def test_a_subject_fits_into_sixty_columns(edition: Edition) -> None:
    subject = digest_view(edition, IDENTITY).subject
    assert columns(subject) <= MAX_SUBJECT_COLUMNS
    assert subject == " ".join(subject.split())


@given(editions(titled_issues()))
def test_a_subject_says_how_many_papers_it_does_not_name(edition: Edition) -> None:
    subject = digest_view(edition, IDENTITY).subject
    count = len(edition.papers)
    unnamed = [count - named for named in range(1, MAX_NAMES + 1) if count > named]
    assert count <= MAX_NAMES or any(more_papers(edition, others) in subject for others in unnamed)


def subjects_of(*titles: str, language: str = "en") -> tuple[str, str]:
    """The subject and the headline of a weekly mail with papers of these English titles."""
    papers = [paper(number, title_ko=title, title_en=title) for number, title in enumerate(titles, 1)]
    view = digest_view(edition_of(issue_of(papers), language=language), IDENTITY)
    return view.subject, view.heading


def test_a_subject_names_papers_by_their_short_names_then_the_number_of_others_then_the_week() -> None:
    nameless = ["A Rather Long Title Without Any Name", "Another Long Title That Has No Name"]
    titles = ["CoRT: Code in Thought", "Kimi K2: Open Intelligence", *nameless]
    subject, headline = subjects_of(*titles)
    assert subject == "CoRT, Kimi K2 and 2 more · Jul 28 – Aug 3"
    assert headline == "CoRT, Kimi K2 and 2 more"
    assert subjects_of(*titles, language="ko")[0] == "CoRT, Kimi K2 외 2편 · 7/28~8/3"


def test_the_subject_of_few_papers_has_a_title_where_a_name_lacks_and_the_headline_cuts_none() -> None:
    subject, headline = subjects_of("CoRT: Code in Thought", "A Rather Long Title Without Any Name")
    assert subject == "CoRT, A Rather Long Title Without… · Jul 28 – Aug 3"
    assert headline == "CoRT and 1 more"


def test_a_subject_prefers_names_that_were_coined_and_keeps_the_order_of_the_papers() -> None:
    titles = [f"{name}: A Subtitle" for name in ("Back to the Features", "HRM", "On Trees", "ToolGen", "Z1")]
    assert subjects_of(*titles)[1] == "HRM, ToolGen, Z1 and 2 more"


def test_a_subject_of_papers_without_names_has_the_first_title() -> None:
    subject, headline = subjects_of("Why Do Language Models Attend to the First Token of Every Text?")
    assert subject == "Why Do Language Models Attend to the First… · Jul 28 – Aug 3"
    assert headline == "Why Do Language Models Attend to the First Token of Every Text?"


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Lighthouse: Retrieval Heads", "Lighthouse"),
        ("Lighthouse – Retrieval Heads", "Lighthouse"),
        ("A Diff Transformer for Longer Texts (DiffT)", "DiffT"),
        ("옵티마(Optima): 여러 에이전트의 최적화", "Optima"),
        ("Tuning on Curated Data is Learning (and can be improved)", ""),
        ("A Survey of Everything That Was Ever Written: Part One", ""),
        ("What is a Title Worth Today?", ""),
        ("Just a Title", "Just a Title"),
    ],
)
def test_a_short_name_stands_in_brackets_or_before_a_colon_or_is_a_short_title(title: str, name: str) -> None:
    (unit,) = edition_of(issue_of([paper(title_en=title)]), language="en").papers
    assert unit.short_name == name


def test_an_acronym_that_the_text_explains_is_the_short_name() -> None:
    text = blocks("We propose the Hierarchical Reasoning Model (HRM), which thinks twice.")
    (unit,) = edition_of(
        issue_of([paper(title_en="Hierarchical Reasoning Model", abstract_en=text)]), language="en"
    ).papers
    assert unit.short_name == "HRM"


# --- preheaders ---------------------------------------------------------------------


@settings(max_examples=60)
@given(editions())
def test_the_preheader_of_any_mail_is_short_enough_for_an_inbox(edition: Edition) -> None:
    preheader = digest_view(edition, IDENTITY).preheader
    assert len(preheader) <= PREHEADER_CHARACTERS[1]
    assert preheader == " ".join(preheader.split())


@given(editions(titled_issues()))
def test_a_preheader_cuts_no_word_and_has_no_text_but_that_of_the_papers(edition: Edition) -> None:
    texts = [text for unit in edition.papers for text in (unit.title, unit.subtitle)]
    texts += [gist.text for unit in edition.papers for gist in unit.gists]
    texts += [part.blocks[0].text for part in edition.parts]
    known = set[str]().union(*map(words, texts)) | {"·", ""}
    assert words(digest_view(edition, IDENTITY).preheader) <= known


def test_the_preheader_goes_on_with_gists() -> None:
    view = digest_view(edition_of(issue_of(5)), IDENTITY)
    assert view.preheader.startswith(f"{paper(1).gist_ko} · {paper(2).gist_ko} · {paper(3).gist_ko}")


@pytest.mark.parametrize("word", ["W" * 300, "https://a.example/" + "long/" * 40])
def test_a_preheader_leaves_out_a_word_that_is_too_long(word: str) -> None:
    issue = issue_of([paper(1, gist_ko=f"등대는 {word} 길을 비춥니다.")])
    assert digest_view(edition_of(issue), IDENTITY).preheader.startswith("등대는 길을 비춥니다.")


def test_the_preheader_of_papers_without_gists_has_their_titles_and_texts() -> None:
    issue = issue_of([paper(1, title_ko="등대", gist_ko="", gist_en="", intro_ko=blocks("등대는 비춥니다."))])
    assert (
        digest_view(edition_of(issue), IDENTITY).preheader == "등대 · The title of paper 1 · 등대는 비춥니다."
    )


# --- dates and kinds ----------------------------------------------------------------


@languages
def test_a_subject_says_what_kind_of_mail_it_is(language: Language) -> None:
    arrived = arrivals_of(issue_of(3))
    editions = [
        compose(arrived, 0, MailSpec(preview_slot("x"), language, frequency, kind))
        for frequency in Frequency
        for kind in WITH_PAPERS
    ]
    subjects = [digest_view(edition, IDENTITY).subject for edition in editions]
    assert len(set(subjects)) == 4, "digest, welcome, copy and correction differ"


def test_a_subject_names_the_days_of_all_its_issues() -> None:
    edition = edition_of(issue_of(1), issue_of(1, start=date(2025, 8, 4)), language="en")
    assert days_covered(edition.issues) == (date(2025, 7, 28), date(2025, 8, 10))
    dates = short_dates(Language.EN, date(2025, 7, 28), date(2025, 8, 10))
    assert dates in digest_view(edition, IDENTITY).subject


def test_a_week_around_new_year_has_no_years_but_a_long_span_has() -> None:
    for language in (Language.KO, Language.EN):
        assert "2025" not in short_dates(language, date(2025, 12, 29), date(2026, 1, 4))
        long = short_dates(language, date(2025, 7, 28), date(2026, 8, 3))
        assert "2025" in long
        assert "2026" in long


@given(st.text(max_size=80).map(clean))
@example("=?utf-8?q?not_encoded?= by hand")
@example('"quoted" <a@b.example>, x: y; 한글 제목 😀 이어지는 제목')
@example("  two  spaces  ")
def test_any_title_arrives_unchanged_in_the_subject(title: str) -> None:
    subject = digest_view(edition_of(issue_of([paper(title_en=title)]), language="en"), IDENTITY).subject
    content = Content(subject, "<p>x</p>", "x", "0" * 20)
    message = build_message(
        digest_spec("en"), content, PREVIEW_RECIPIENT, IDENTITY, message_id="0f@paperboy.example", now=NOW
    )
    parsed = message_from_bytes(message.data, policy=modern_policy)
    assert parsed["Subject"] == subject
    assert parsed["To"].addresses[0].addr_spec == "reader@example.org"


def test_a_late_paper_of_an_older_issue_does_not_extend_the_dates_of_a_mail() -> None:
    older, newer = issue_of(1, start=date(2025, 7, 28)), issue_of(2, start=date(2026, 3, 2))
    first, *others = arrivals_of(older, newer)
    late = [replace(first, number=9, late=True), *(replace(one, number=one.number + 9) for one in others)]
    edition = compose(late, 8, digest_spec())
    view = digest_view(edition, IDENTITY)
    assert view.subject.endswith(" · 3/2~3/8")
    assert view.masthead[0].label == "3/2~3/8"
