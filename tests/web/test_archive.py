"""The archive: the texts of every issue, its corrections, the links of mails into it, and the feed."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy.orm import Session

from core.database import Database
from issues.arrivals import Arrival
from issues.diff import FieldChange, IssueDiff
from issues.models import Revision
from issues.parse.content import Section
from issues.parse.readable import readable_blocks
from issues.parse.text import Block, TextRun, has_hangul, table_of
from issues.queries import all_issues, find, papers_in_issue
from issues.serialize import diff_to_json
from paperboy.web.paper_views import paper_path
from tests.support.all_mails import EDITED
from tests.support.factories import add_issue, blocks, issue_of, paper
from tests.support.site import Site, links_of, open_site

ATOM = "{http://www.w3.org/2005/Atom}"
LANGUAGES_SHOWN = {"ko": ("ko",), "en": ("en",), "both": ("ko", "en")}
HOSTILE = '</title><script>alert("1")</script> & {{ 7 * 7 }}'


def without_spaces(text: str) -> str:
    """A text without spaces, because a page breaks lines in other places than a post."""
    return "".join(text.split())


def papers_of(site: Site) -> Iterator[tuple[int, list[Arrival]]]:
    """The topic id and the papers of each issue."""
    with site.database.sessions() as session:
        yield from [(issue.topic_id, list(papers_in_issue(issue))) for issue in all_issues(session)]


def page_at(site: Site, path: str) -> LexborHTMLParser:
    """The page with this path as it is shown: without the texts that the choice of language hides."""
    answer = site.client.get(path)
    assert answer.status_code == 200
    page = LexborHTMLParser(answer.text)
    chosen = page.css_first("input[name=shown][checked]")
    if chosen is not None:
        hidden = {"show-ko": "en", "show-en": "ko"}.get(chosen.attributes["id"] or "", "")
        for node in page.css(f".text[lang={hidden}]") if hidden else ():
            node.decompose()
    return page


@pytest.mark.parametrize("text", LANGUAGES_SHOWN)
def test_an_issue_page_shows_all_texts_in_the_chosen_language_and_no_others(
    shared_sample_site: Site, text: str
) -> None:
    issues = list(papers_of(shared_sample_site))
    assert len(issues) == 3
    for topic_id, papers in issues:
        page = page_at(shared_sample_site, f"/archive/{topic_id}?text={text}")
        assert len(page.css("article")) == len(papers)
        for arrival in papers:
            article = page.css_first(f"#paper-{arrival.number}")
            assert article is not None
            shown = without_spaces(article.text())
            for language in ("ko", "en"):
                for name in ("intro", "abstract"):
                    for block in readable_blocks(getattr(arrival.paper, f"{name}_{language}")):
                        assert (without_spaces(block.text) in shown) == (language in LANGUAGES_SHOWN[text]), (
                            block.text
                        )
            title = arrival.paper.title_en if text == "en" else arrival.paper.title_ko
            assert without_spaces(title) in shown
            linked = {node.attributes["href"] for node in article.css(".links a")}
            assert {arrival.paper.url, *(link.url for link in arrival.paper.links)} - {""} <= linked


def texts_without(page: LexborHTMLParser, tag: str) -> list[str]:
    """The corrections without their deleted (`del`) or inserted (`ins`) pieces."""
    texts = page.css("#corrections .difference")
    return [
        "".join(part.text() for part in text.iter(include_text=True) if part.tag != tag) for text in texts
    ]


def test_corrections_show_the_texts_before_and_after_and_the_paper_links_to_them(
    shared_sample_site: Site,
) -> None:
    page = page_at(shared_sample_site, f"/archive/{EDITED}?text=ko")
    before, after = (texts_without(page, tag) for tag in ("ins", "del"))
    with shared_sample_site.database.sessions() as session:
        changes = find(session, f"{EDITED}").revisions[-1].changes
    corrected = [*changes.get("retitled", ()), *changes.get("corrected", ())]
    assert corrected
    assert sorted(before) == sorted(change["before"] for change in corrected)
    assert sorted(after) == sorted(change["after"] for change in corrected)
    assert page.css("article a[href='#corrections']")
    long_texts = [len(text) for text in before if len(text) > 200]
    marked = [len(node.text()) for node in page.css("#corrections del, #corrections ins")]
    assert max(marked) < max(long_texts), "only the changed pieces of a long text are marked"


def add_edited_issue(session: Session, seen_at: datetime, *changes: FieldChange) -> None:
    """Store an issue of two papers, and a revision with these changes."""
    issue = add_issue(session, issue_of(2))
    retitled = [change for change in changes if change.field.startswith("title")]
    corrected = [change for change in changes if change not in retitled]
    content = issue.revisions[0].content
    issue.revisions.append(
        Revision(
            number=2,
            title=issue.title,
            raw_html="",
            content=content,
            changes=diff_to_json(IssueDiff(retitled=tuple(retitled), corrected=tuple(corrected))),
            problems=[],
            seen_at=seen_at,
        )
    )
    issue.revision = 2


FIRST, SECOND = (f"The title of paper {number}" for number in (1, 2))
EDITS = (
    FieldChange(FIRST, "title_en", "An old title", FIRST),
    FieldChange(FIRST, "intro_ko", "4배", "5배"),
    FieldChange(SECOND, "abstract_en", "four", "five"),
    FieldChange(SECOND, "url", "https://a.example", "https://b.example"),
    FieldChange("A paper since withdrawn", "abstract_en", "six", "seven"),
    FieldChange("", "overview", "넷", "다섯"),
)


@pytest.mark.parametrize(
    ("text", "shown", "titles"),
    [
        ("ko", [0, 1, 3, 5], {"1번째 논문의 제목", "2번째 논문의 제목", ""}),
        ("en", [0, 2, 3, 4], {FIRST, SECOND, "A paper since withdrawn"}),
        ("both", range(6), {"1번째 논문의 제목", "2번째 논문의 제목", "A paper since withdrawn", ""}),
    ],
)
def test_corrections_are_in_the_language_of_the_page_under_the_titles_shown_there(
    site: Site, text: str, shown: Sequence[int], titles: set[str]
) -> None:
    with site.database.sessions.begin() as session:
        add_edited_issue(session, site.clock(), *EDITS)
    page = page_at(site, f"/archive/9001?text={text}")
    assert sorted(texts_without(page, "ins")) == sorted(EDITS[index].before for index in shown)
    headings = page.css("#corrections h3")
    assert {span.text() for node in headings for span in node.css("span")} == titles - {""}
    for node in page.css("#corrections .difference, #corrections span"):
        assert (node.attributes["lang"] == "ko") == has_hangul(node.text())


def test_only_papers_with_a_correction_on_the_page_link_to_the_corrections(site: Site) -> None:
    with site.database.sessions.begin() as session:
        add_edited_issue(session, site.clock(), *EDITS[1:3])
    for text, number in (("ko", 1), ("en", 2)):
        page = page_at(site, f"/archive/9001?text={text}")
        assert [node.attributes["id"] for node in page.css("article:has(a[href='#corrections'])")] == [
            f"paper-{number}"
        ]


def test_a_correction_has_the_date_of_the_configured_time_zone(database: Database, tmp_path: Path) -> None:
    with database.sessions.begin() as session:
        add_edited_issue(session, datetime(2026, 1, 31, 16, tzinfo=UTC), *EDITS)
    for timezone, day in (("Asia/Seoul", "2026년 2월 1일"), ("Europe/London", "2026년 1월 31일")):
        with open_site(database, tmp_path, timezone=timezone) as site:
            assert day in page_at(site, "/archive/9001?text=ko").css("#corrections h3")[0].text()


def test_every_archive_link_of_a_digest_leads_to_an_existing_place(sample_site: Site) -> None:
    sample_site.add("minji@example.com", language="both")
    sample_site.digest()
    mail = sample_site.mail("minji@example.com")
    links = {urlsplit(link) for link in links_of(mail) if "/archive/" in link or link.endswith("/privacy")}
    assert {link.path.split("/")[1] for link in links} == {"archive", "privacy"}
    for link in links:
        assert page_at(sample_site, f"{link.path}?{link.query}").css_first("h1")


@pytest.mark.parametrize("path", ["/", "/archive", f"/archive/{EDITED}", f"/archive/{EDITED}?text=both"])
@pytest.mark.parametrize("language", ["ko", "en"])
def test_every_link_within_the_pages_works(shared_sample_site: Site, path: str, language: str) -> None:
    separator = "&" if "?" in path else "?"
    page = page_at(shared_sample_site, f"{path}{separator}lang={language}")
    links = [node.attributes["href"] or "" for node in page.css("a, link")]
    for link in {link for link in links if link.startswith("/")}:
        answer = shared_sample_site.client.get(link)
        assert answer.status_code == 200, link
        assert "amp;" not in link
    assert all(page.css(link) for link in links if link.startswith("#"))


def test_the_feed_has_an_entry_for_each_issue_with_the_newest_first(shared_sample_site: Site) -> None:
    answer = shared_sample_site.client.get("/archive.atom")
    assert answer.headers["content-type"].startswith("application/atom+xml")
    feed = ET.fromstring(answer.content)  # noqa: S314  it is our own
    assert feed.tag == f"{ATOM}feed"
    entries = feed.findall(f"{ATOM}entry")
    assert len(entries) == 3
    for name in ("id", "title", "updated", "author"):
        assert feed.find(f"{ATOM}{name}") is not None
    ids = [entry.findtext(f"{ATOM}id") or "" for entry in entries]
    assert len(set(ids)) == 3
    for entry in entries:
        assert entry.findtext(f"{ATOM}title")
        assert re.fullmatch(r"[\d-]+T[\d:.]+\+00:00", entry.findtext(f"{ATOM}updated") or "")
        link = entry.find(f"{ATOM}link")
        assert link is not None
        assert shared_sample_site.client.get(link.attrib["href"]).status_code == 200
    assert ids == sorted(ids, key=lambda name: _week(shared_sample_site, name), reverse=True)


def test_markup_in_titles_and_texts_is_shown_as_text_and_never_executed(site: Site) -> None:
    hostile = paper(
        1, title_ko=HOSTILE, title_en=HOSTILE, intro_ko=blocks(HOSTILE), url="https://a.example/?a=1&b=2"
    )
    with site.database.sessions.begin() as session:
        add_issue(session, issue_of([hostile]), now=site.clock() - timedelta(days=1))
    for path in ("/", "/archive", "/archive/9001?text=both", paper_path(1, HOSTILE), "/search?q=script"):
        page = page_at(site, path)
        assert not page.css("script:not([type='application/ld+json'])")
        assert page.body is not None
        assert without_spaces(HOSTILE) in without_spaces(page.body.text())
    summary = ET.fromstring(site.client.get("/archive.atom").content).findtext(f".//{ATOM}summary") or ""  # noqa: S314
    assert HOSTILE in summary


def test_an_issue_page_shows_sections_lists_tables_and_the_closing(site: Site) -> None:
    table = table_of([[(TextRun("모델"),), (TextRun("점수"),)], [(TextRun("등대"),), (TextRun("91"),)]])
    lists = (Block("li", (TextRun("첫째"),), 0, 1), Block("li", (TextRun("안"),), 1))
    sections = (
        Section("결과 / Results", "intro", (table,), blocks("The results.")),
        Section("한계", "more", blocks("한계입니다.")),
    )
    issue = issue_of([paper(intro_ko=lists, sections=sections, notes=blocks("The weights follow."))])
    closing = blocks("읽어 주셔서 고맙습니다.", "Thank you for reading with us this week.")
    with site.database.sessions.begin() as session:
        add_issue(session, replace(issue, closing=closing), now=site.clock())
    page = page_at(site, "/archive/9001?text=ko")
    assert [node.text() for node in page.css("article th")] == ["모델", "점수"]
    assert [node.text() for node in page.css("article ol > li > ul > li")] == ["안"]
    headings = [node.text() for node in page.css("article h3")]
    assert [heading for heading in headings if heading in {"결과", "한계"}] == ["결과", "한계"]
    assert [node.text() for node in page.css("section.closing p")] == ["읽어 주셔서 고맙습니다."]
    english = page_at(site, "/archive/9001?text=en&lang=en")
    shown = [node.text() for node in english.css("article p, section.closing p")]
    assert {"The results.", "The weights follow.", "Thank you for reading with us this week."} <= set(shown)
    assert not any(has_hangul(text) for text in shown)


def test_a_held_issue_is_not_in_the_archive_or_the_feed(site: Site) -> None:
    with site.database.sessions.begin() as session:
        add_issue(session).revision = 0
    assert site.client.get("/archive/9001").status_code == 404
    assert "9001" not in site.client.get("/archive").text + site.client.get("/archive.atom").text


def _week(site: Site, address: str) -> str:
    with site.database.sessions() as session:
        return f"{find(session, address.rpartition('/')[2]).week_start}"
