"""Further sections of a paper, what a post says after its papers, and English overviews stand where the post has them."""

from dataclasses import replace

import pytest

from core.frequencies import Frequency
from core.languages import Language
from core.slots import resend_edition_slot
from emails.choose import edition_to_resend, editions_of_issue
from emails.compose import MAX_LINKS, MAX_PAPERS_WITH_PICTURES
from emails.content import MailSpec
from emails.kinds import MailKind
from emails.paper_texts import MAX_SECTIONS
from issues.parse.content import Link, Picture, Section
from issues.parse.text import Block
from tests.support.factories import arrivals_of, blocks, digest_spec, edition_of, issue_of, paper


def test_further_sections_stand_at_their_places_in_the_language_of_the_mail() -> None:
    places = ("title", "intro", "abstract", "link", "more")
    sections = tuple(
        Section(f"{place} 절 / the {place} part", place, blocks("글"), blocks("Text.")) for place in places
    )
    whole = paper(intro_en=blocks("An introduction."), notes=blocks("덧붙입니다."), sections=sections)
    (unit,) = edition_of(issue_of([whole]), language="en").papers
    assert [part.heading or part.name for part in unit.parts] == [
        "the title part",
        "intro",
        "the intro part",
        "abstract",
        "the abstract part",
        "the link part",
        "the more part",
    ]
    assert [part.name for part in unit.parts if part.opens] == ["intro"]
    (unit,) = edition_of(issue_of([whole]), language="both").papers
    assert [(part.heading, part.language) for part in unit.parts if part.heading][:2] == [
        ("title 절", "ko"),
        ("the title part", "en"),
    ]


def test_an_english_edition_names_its_missing_sections_once() -> None:
    korean = tuple(Section(heading, "intro", blocks("글")) for heading in ("한계", "결과"))
    (unit,) = edition_of(issue_of([paper(sections=korean)]), language="en").papers
    assert unit.elsewhere == ("intro", "section")


def test_a_heading_without_a_text_goes_before_the_next_heading() -> None:
    sections = (
        Section("실험", "intro"),
        Section("결과", "intro", blocks("글")),
        Section("한계", "link", blocks("글")),
    )
    (unit,) = edition_of(issue_of([paper(sections=sections)])).papers
    assert [part.heading for part in unit.parts if part.heading] == ["실험 · 결과", "한계"]


def test_a_paper_with_a_hundred_sections_shows_all_texts_under_few_headings() -> None:
    sections = tuple(Section(f"{number}번 절", "more", blocks(f"{number}번 글")) for number in range(100))
    (unit,) = edition_of(issue_of([paper(sections=sections)])).papers
    parts = [part for part in unit.parts if part.name == "section"]
    assert len(parts) == MAX_SECTIONS
    texts = [part.heading for part in parts] + [block.text for part in parts for block in part.blocks]
    assert {f"{number}번 {what}" for number in range(100) for what in ("절", "글")} == set(texts)


CLOSING = blocks("읽어 주셔서 고맙습니다.", "* * *", "Thank you for reading with us this week.")


@pytest.mark.parametrize(
    ("language", "closing"),
    [
        ("ko", [("ko", CLOSING[:2])]),
        ("en", [("en", CLOSING[2:])]),
        ("both", [("ko", CLOSING[:2]), ("en", CLOSING[2:])]),
    ],
)
def test_the_last_paper_of_an_issue_brings_its_closing_in_the_language_of_the_mail(
    language: str, closing: list[tuple[str, tuple[Block, ...]]]
) -> None:
    papers = arrivals_of(replace(issue_of(4), closing=CLOSING))
    days = editions_of_issue(papers, digest_spec(language, "daily"), daily_papers=2)
    assert [unit.closing for unit in days[0].issues] == [()]
    (last,) = days[1].issues
    assert [(part.language, part.blocks) for part in last.closing] == closing
    assert all(part.name == "closing" for part in last.closing)
    assert last.elsewhere == ()


def test_an_english_edition_names_a_closing_in_korean_only() -> None:
    korean = replace(issue_of(1), closing=CLOSING[:2])
    (unit,) = edition_of(korean, language="en").issues
    assert (unit.closing, unit.elsewhere) == ((), ("overview", "closing"))
    (unit,) = edition_of(replace(korean, closing=CLOSING[1:2]), language="en").issues
    assert unit.elsewhere == ("overview",), "what has no words is not missed"


def test_a_correction_brings_no_closing_but_a_copy_of_the_last_paper_does() -> None:
    papers = arrivals_of(replace(issue_of(3), closing=CLOSING))
    for kind, shown in ((MailKind.CORRECTION, 0), (MailKind.COPY, 1)):
        edition = edition_to_resend(
            papers[2:], MailSpec(resend_edition_slot(9001), Language.KO, Frequency.WEEKLY, kind)
        )
        assert len(edition.issues[0].closing) == shown


def test_an_english_edition_shows_what_is_english_in_an_overview() -> None:
    overview = blocks("이번 주의 흐름입니다.", "This week is about reasoning models that stop in time.")
    (english,) = edition_of(issue_of(1, overview=overview), language="en").issues
    assert [(part.name, part.language, part.blocks) for part in english.parts] == [
        ("overview", "en", overview[1:])
    ]
    assert english.elsewhere == ()
    (korean,) = edition_of(issue_of(1, overview=overview)).issues
    assert [part.blocks for part in korean.parts] == [overview]


def test_a_paper_with_a_hundred_links_shows_only_the_first_ones() -> None:
    crowded = paper(links=tuple(Link(f"https://a.example/{number}") for number in range(100)))
    (unit,) = edition_of(issue_of([crowded])).papers
    assert unit.links == crowded.links[:MAX_LINKS]


def test_the_forum_link_of_a_paper_leads_to_its_heading() -> None:
    anchored, plain = edition_of(issue_of([paper(1, anchor="p-1-owl-3"), paper(2)])).papers
    assert anchored.forum == "https://forum.example/t/9001#p-1-owl-3"
    assert plain.forum == "https://forum.example/t/9001"


@pytest.mark.parametrize(
    ("pictures", "shown"),
    [
        ([(690, 388)], (690, 388)),
        ([(0, 0)], None),
        ([(88, 31), (690, 388)], (690, 388)),
        ([(690, 0), (400, 300)], (400, 300)),
        ([(690, 12)], None),
    ],
)
def test_a_paper_shows_its_first_picture_that_has_a_size_and_is_not_a_badge(
    pictures: list[tuple[int, int]], shown: tuple[int, int] | None
) -> None:
    candidates = tuple(Picture(f"https://a.example/{number}", *size) for number, size in enumerate(pictures))
    (unit,) = edition_of(issue_of([paper(pictures=candidates)])).papers
    assert (unit.picture and (unit.picture.width, unit.picture.height)) == shown


def test_a_mail_with_many_papers_shows_no_pictures() -> None:
    picture = Picture("https://a.example/1.png", 690, 388)
    papers = [paper(number, pictures=(picture,)) for number in range(1, MAX_PAPERS_WITH_PICTURES + 2)]
    assert all(unit.picture for unit in edition_of(issue_of(papers[:-1])).papers)
    assert not any(unit.picture for unit in edition_of(issue_of(papers)).papers)


def test_a_paper_without_a_korean_title_has_its_english_one() -> None:
    (unit,) = edition_of(issue_of([replace(paper(), title_ko="")])).papers
    assert (unit.title, unit.subtitle, unit.title_language) == ("The title of paper 1", "", "en")
