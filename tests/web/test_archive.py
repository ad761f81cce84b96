"""The archive: every text of every issue, its corrections, where mails lead, and the feed."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy.orm import Session

from core.database import Database
from issues import store
from issues.arrivals import Arrival
from issues.diff import FieldChange, IssueDiff
from issues.models import Revision
from issues.parse.readable import readable_blocks
from issues.parse.text import has_hangul
from issues.queries import papers_in_issue
from issues.serialize import diff_to_json
from tests.support.all_mails import EDITED
from tests.support.factories import add_issue, blocks, issue_of, paper
from tests.support.site import Site, links_of, open_site

ATOM = "{http://www.w3.org/2005/Atom}"
LANGUAGES_SPOKEN = {"ko": ("ko",), "en": ("en",), "both": ("ko", "en")}
HOSTILE = '</title><script>alert("1")</script> & {{ 7 * 7 }}'


def bare(text: str) -> str:
    """A text without spaces, and without what a page writes around links."""
    return "".join(text.split())


def papers_of(site: Site) -> Iterator[tuple[int, list[Arrival]]]:
    """Each issue's topic and papers."""
    with site.database.sessions() as session:
        yield from [(issue.topic_id, list(papers_in_issue(issue))) for issue in store.all_issues(session)]


def tree(site: Site, path: str) -> LexborHTMLParser:
    answer = site.client.get(path)
    assert answer.status_code == 200
    return LexborHTMLParser(answer.text)


@pytest.mark.parametrize("text", LANGUAGES_SPOKEN)
def test_an_issue_has_every_text_in_its_language_and_none_in_another(
    shared_sample_site: Site, text: str
) -> None:
    issues = list(papers_of(shared_sample_site))
    assert len(issues) == 3
    for topic_id, papers in issues:
        page = tree(shared_sample_site, f"/archive/{topic_id}?text={text}")
        assert len(page.css("article")) == len(papers)
        for arrival in papers:
            article = page.css_first(f"#paper-{arrival.number}")
            assert article is not None
            shown = bare(article.text())
            for language in ("ko", "en"):
                for name in ("intro", "abstract"):
                    for block in readable_blocks(getattr(arrival.paper, f"{name}_{language}")):
                        assert (bare(block.text) in shown) == (language in LANGUAGES_SPOKEN[text]), block.text
            title = arrival.paper.title_en if text == "en" else arrival.paper.title_ko
            assert bare(title) in shown
            linked = {node.attributes["href"] for node in article.css(".links a")}
            assert {arrival.paper.url, *(link.url for link in arrival.paper.links)} - {""} <= linked


def texts_without(page: LexborHTMLParser, tag: str) -> list[str]:
    """The corrections as they read without what went (`del`) or what came (`ins`)."""
    texts = page.css("#corrections .difference")
    return [
        "".join(part.text() for part in text.iter(include_text=True) if part.tag != tag) for text in texts
    ]


def test_corrections_are_shown_before_and_after_and_the_paper_points_to_them(
    shared_sample_site: Site,
) -> None:
    page = tree(shared_sample_site, f"/archive/{EDITED}?text=ko")
    before, after = (texts_without(page, tag) for tag in ("ins", "del"))
    with shared_sample_site.database.sessions() as session:
        changes = store.find(session, f"{EDITED}").revisions[-1].changes
    corrected = [*changes.get("retitled", ()), *changes.get("corrected", ())]
    assert corrected
    assert sorted(before) == sorted(change["before"] for change in corrected)
    assert sorted(after) == sorted(change["after"] for change in corrected)
    assert page.css("article a[href='#corrections']")
    unchanged = [len(text) for text in before if len(text) > 200]
    marked = [len(node.text()) for node in page.css("#corrections del, #corrections ins")]
    assert max(marked) < max(unchanged), "of a long text only what changed is marked"


def edited(session: Session, seen_at: datetime, *changes: FieldChange) -> None:
    """An issue of two papers and an edit of it."""
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
def test_corrections_are_those_of_the_texts_on_the_page_under_the_titles_that_papers_have_there(
    site: Site, text: str, shown: Sequence[int], titles: set[str]
) -> None:
    with site.database.sessions.begin() as session:
        edited(session, site.clock(), *EDITS)
    page = tree(site, f"/archive/9001?text={text}")
    assert sorted(texts_without(page, "ins")) == sorted(EDITS[place].before for place in shown)
    headings = page.css("#corrections h3")
    assert {span.text() for node in headings for span in node.css("span")} == titles - {""}
    for node in page.css("#corrections [lang]"):
        assert (node.attributes["lang"] == "ko") == has_hangul(node.text())


def test_only_papers_whose_text_on_the_page_was_corrected_point_to_the_corrections(site: Site) -> None:
    with site.database.sessions.begin() as session:
        edited(session, site.clock(), *EDITS[1:3])
    for text, number in (("ko", 1), ("en", 2)):
        page = tree(site, f"/archive/9001?text={text}")
        assert [node.attributes["id"] for node in page.css("article:has(a[href='#corrections'])")] == [
            f"paper-{number}"
        ]


def test_a_correction_is_dated_by_the_day_in_the_time_zone_of_the_settings(
    database: Database, tmp_path: Path
) -> None:
    with database.sessions.begin() as session:
        edited(session, datetime(2026, 1, 31, 16, tzinfo=UTC), *EDITS)
    for timezone, day in (("Asia/Seoul", "2026년 2월 1일"), ("Europe/London", "2026년 1월 31일")):
        with open_site(database, tmp_path, timezone=timezone) as site:
            assert day in tree(site, "/archive/9001?text=ko").css("#corrections h3")[0].text()


def test_every_link_of_a_digest_into_the_archive_leads_to_its_place(sample_site: Site) -> None:
    sample_site.add("minji@example.com", language="both")
    sample_site.digest()
    mail = sample_site.mail("minji@example.com")
    places = [urlsplit(link) for link in links_of(mail) if "/archive/" in link]
    assert any(place.fragment for place in places)
    for place in places:
        page = tree(sample_site, f"{place.path}?{place.query}")
        assert not place.fragment or page.css(f"#{place.fragment}"), place


@pytest.mark.parametrize("path", ["/", "/archive", f"/archive/{EDITED}", f"/archive/{EDITED}?text=both"])
@pytest.mark.parametrize("language", ["ko", "en"])
def test_no_link_within_the_pages_leads_nowhere(shared_sample_site: Site, path: str, language: str) -> None:
    sign = "&" if "?" in path else "?"
    page = tree(shared_sample_site, f"{path}{sign}lang={language}")
    links = [node.attributes["href"] or "" for node in page.css("a, link")]
    for link in {link for link in links if link.startswith("/")}:
        answer = shared_sample_site.client.get(link)
        assert answer.status_code == 200, link
        assert "amp;" not in link
        asked = re.search(r"text=(\w+)", link)
        if asked:
            assert LexborHTMLParser(answer.text).css(f"a[href*='text={asked[1]}'][aria-current]")
    assert all(page.css(link) for link in links if link.startswith("#"))


def test_the_feed_has_an_entry_for_each_issue_the_newest_first(shared_sample_site: Site) -> None:
    answer = shared_sample_site.client.get("/archive.atom")
    assert answer.headers["content-type"].startswith("application/atom+xml")
    feed = ET.fromstring(answer.content)  # noqa: S314 (our own)
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


def test_what_a_title_or_text_holds_is_shown_and_never_obeyed(site: Site) -> None:
    hostile = paper(
        1, title_ko=HOSTILE, title_en=HOSTILE, intro_ko=blocks(HOSTILE), url="https://a.example/?a=1&b=2"
    )
    with site.database.sessions.begin() as session:
        add_issue(session, issue_of([hostile]), now=site.clock() - timedelta(days=1))
    for path in ("/", "/archive", "/archive/9001?text=both"):
        page = tree(site, path)
        assert not page.css("script")
        assert page.body is not None
        assert bare(HOSTILE) in bare(page.body.text())
    summary = ET.fromstring(site.client.get("/archive.atom").content).findtext(f".//{ATOM}summary") or ""  # noqa: S314
    assert HOSTILE in summary


def test_a_held_issue_is_in_no_list(site: Site) -> None:
    with site.database.sessions.begin() as session:
        add_issue(session).revision = 0
    assert site.client.get("/archive/9001").status_code == 404
    assert "9001" not in site.client.get("/archive").text + site.client.get("/archive.atom").text


def _week(site: Site, address: str) -> str:
    with site.database.sessions() as session:
        return f"{store.find(session, address.rpartition('/')[2]).week_start}"
