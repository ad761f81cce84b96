"""The page of each paper, and what other sites read: cards, feeds, exports, sitemap."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from threading import Barrier
from xml.etree import ElementTree as ET

import feedparser
import httpx
import pytest
from PIL import Image
from playwright.sync_api import Browser
from selectolax.lexbor import LexborHTMLParser

from core.database import Database
from core.languages import TextLanguage
from issues.models import Issue
from issues.queries import papers_in_issue
from paperboy.web.card_pages import paper_card_path
from paperboy.web.cards import HEIGHT, WIDTH, Card, card_image
from paperboy.web.exports import markdown_of
from paperboy.web.paper_views import paper_path
from tests.support.factories import add_issue, blocks, issue_of, paper
from tests.support.site import Site, open_site
from tests.web.two_issues import add_issues, parsed

NEWEST = 9655  # the topic id of the newest sample issue


# --- papers -------------------------------------------------------------------------


def test_a_paper_has_a_page_that_is_found_by_number_by_any_words_behind_it_and_by_its_arxiv_number(
    site: Site,
) -> None:
    add_issues(site)
    path = "/papers/1-hourglass-networks-united-cafe"
    for name in ("1", "1-an-old-title", "1-", "2501.00042"):
        moved = site.client.get(f"/papers/{name}", params={"lang": "en"})
        assert (moved.status_code, moved.headers["location"]) == (308, f"{path}?lang=en"), name
        # A title that is changed back would otherwise lead a browser in circles.
        assert moved.headers["cache-control"] == "no-cache"
    for name in ("0", "99", "x", "1x", "9999.99999", "1" * 30):
        assert site.client.get(f"/papers/{name}").status_code == 404, name


def test_the_page_of_a_paper_has_titles_gist_texts_links_issues_and_its_citation(site: Site) -> None:
    add_issues(site)
    page = parsed(site.client.get("/papers/1-hourglass-networks-united-cafe?lang=ko"))
    assert [node.text() for node in page.css("h1, main .subtitle")] == [
        "모래시계 신경망",
        "Hourglass Networks: Ünïted Café",
    ]
    assert {node.attributes["lang"] for node in page.css("main .gist")} == {"ko", "en"}
    links = {node.text(): node.attributes["href"] for node in page.css("main a")}
    assert links["arXiv"] == "https://arxiv.org/abs/2501.00042v2"
    assert links["BibTeX"] == "https://arxiv.org/bibtex/2501.00042"
    issues = [node.attributes["href"] for node in page.css("main li a")]
    assert [re.findall(r"/archive/(\d+).*#paper-(\d+)", link or "")[0] for link in issues] == [
        ("8101", "1"),
        ("8102", "4"),
    ], "in another issue the same work has another number"
    (script,) = page.css("script[type='application/ld+json']")
    about = json.loads(script.text())
    assert (about["@type"], about["identifier"]) == ("ScholarlyArticle", "arXiv:2501.00042")
    assert about["headline"] == "모래시계 신경망"


def test_a_hostile_title_ends_no_element_and_no_json(site: Site) -> None:
    hostile = '</script><script>alert(1)</script> "&\\'
    with site.database.sessions.begin() as session:
        add_issue(session, issue_of([paper(1, title_ko=hostile, title_en=hostile)]), now=site.clock())
    page = parsed(site.client.get(paper_path(1, hostile)))
    scripts = page.css("script")
    assert len(scripts) == 1
    assert json.loads(scripts[0].text())["headline"] == hostile
    assert page.css_first("meta[property='og:title']").attributes["content"] == hostile  # type: ignore[union-attr]


def test_both_languages_are_switched_in_place_without_scripts(
    shared_sample_site: Site, browser: Browser
) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 375, "height": 700})
    page = context.new_page()
    page.goto(f"{shared_sample_site.url}/archive/{NEWEST}?lang=ko")
    seen = {}
    for choice in ("ko", "en", "both"):
        page.click(f"label[for=show-{choice}]")
        seen[choice] = {
            language: page.locator(f"main .text[lang={language}]:visible").count()
            for language in ("ko", "en")
        }
        assert page.url.endswith("lang=ko"), "the page is the same"
    context.close()
    assert (seen["ko"]["en"], seen["en"]["ko"]) == (0, 0)
    assert (seen["both"]["ko"], seen["both"]["en"]) == (seen["ko"]["ko"], seen["en"]["en"])
    assert min(seen["ko"]["ko"], seen["en"]["en"]) > 5


def test_only_pictures_of_the_forum_itself_are_shown_and_without_a_referrer(site: Site) -> None:
    from issues.parse.content import Picture  # noqa: PLC0415

    host = httpx.URL(site.settings.feed_url).host
    long = blocks("긴 소개입니다. " * 100)
    papers = [
        paper(1, intro_ko=long, pictures=(Picture(f"https://{host}/uploads/a.png", 600, 400),)),
        paper(2, intro_ko=long, pictures=(Picture("https://tracker.example/b.png", 600, 400),)),
    ]
    with site.database.sessions.begin() as session:
        add_issue(session, issue_of(papers), now=site.clock())
    answer = site.client.get("/archive/9001")
    images = LexborHTMLParser(answer.text).css("main img")
    assert [image.attributes["src"] for image in images] == [f"https://{host}/uploads/a.png"]
    assert images[0].attributes["referrerpolicy"] == "no-referrer"
    assert f"img-src 'self' https://{host};" in answer.headers["content-security-policy"]


# --- cards, feeds, exports ----------------------------------------------------------


def test_every_public_page_has_a_card_whose_image_exists(shared_sample_site: Site) -> None:
    with shared_sample_site.database.sessions() as session:
        issue = session.query(Issue).filter(Issue.topic_id == NEWEST).one()
        first = papers_in_issue(issue)[0]
    for path in (
        "/",
        "/archive",
        f"/archive/{NEWEST}",
        paper_path(first.number, first.paper.name),
        "/search",
        "/help",
    ):
        for language in ("ko", "en"):
            page = parsed(shared_sample_site.client.get(path, params={"lang": language}))
            tags = {
                node.attributes.get("property"): node.attributes["content"]
                for node in page.css("meta[property]")
            }
            assert tags["og:title"]
            assert tags["og:description"]
            assert page.css_first("meta[name='twitter:card']") is not None
            address = (tags["og:image"] or "").removeprefix(shared_sample_site.settings.base_url)
            image = Image.open(BytesIO(shared_sample_site.client.get(address).content))
            assert (image.size, image.format) == ((WIDTH, HEIGHT), "PNG")
            assert page.css_first(f"link[rel=canonical][href$='lang={language}']") is not None
            assert {node.attributes["hreflang"] for node in page.css("link[hreflang]")} == {
                "ko",
                "en",
                "x-default",
            }


def test_a_card_is_drawn_once_and_holds_whatever_title_there_is(tmp_path: Path) -> None:
    for title in ("", "논문", "낱말 " * 80, "W" * 500, "제목😀\u202e<b>"):
        card = Card("Paperboy", "2025", title, ("한 줄", "w" * 400, "", "네 번째"))
        first = card_image(card, tmp_path)
        assert Image.open(BytesIO(first)).size == (WIDTH, HEIGHT)
        assert len(first) < 100_000
    files = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert card_image(card, tmp_path) == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == files


def test_requests_at_once_draw_the_same_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both_have_written, replace = Barrier(2, timeout=20), Path.replace

    def replace_together(self: Path, target: Path) -> Path:
        both_have_written.wait()
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", replace_together)
    card = Card("Paperboy", "2025", "A title")
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: card_image(card, tmp_path), range(2))
    assert first == second
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [first]


@pytest.mark.parametrize("field", ["title_en", "gist_en"])
def test_the_card_of_a_paper_is_elsewhere_when_it_shows_something_else(site: Site, field: str) -> None:
    with site.database.sessions.begin() as session:
        (row, *_) = add_issue(session, now=site.clock()).papers
        before = {language: paper_card_path(row, language) for language in TextLanguage}
        row.content = {**row.content, field: "Corrected"}
        after = {language: paper_card_path(row, language) for language in TextLanguage}
    assert after[TextLanguage.KO] == before[TextLanguage.KO]
    assert after[TextLanguage.EN] != before[TextLanguage.EN]


@pytest.mark.parametrize("language", ["ko", "en"])
def test_feeds_have_the_full_text_of_each_language_and_the_dates_of_the_posts(
    shared_sample_site: Site, language: str
) -> None:
    site = shared_sample_site
    atom = feedparser.parse(site.client.get(f"/archive.atom?lang={language}").content)
    assert not atom.bozo
    items = site.client.get(f"/feed.json?lang={language}").json()
    assert items["version"] == "https://jsonfeed.org/version/1.1"
    assert len(atom.entries) == len(items["items"]) == 3
    with site.database.sessions() as session:
        issues = {issue.topic_id: issue for issue in session.query(Issue)}
        for entry, item in zip(atom.entries, items["items"], strict=True):
            issue = issues[int(entry.id.rpartition("/")[2])]
            assert entry.published == item["date_published"] == issue.published_at.isoformat()
            for arrival in papers_in_issue(issue):
                gist = arrival.paper.texts_in(language).gist  # type: ignore[arg-type]
                for content in (entry.content[0].value, item["content_html"]):
                    text = LexborHTMLParser(content).text()
                    assert arrival.paper.texts_in(language).title in text  # type: ignore[arg-type]
                    assert gist in text


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("# of papers", r"\# of papers"),
        ("#1 of all", "#1 of all"),
        ("- 5 degrees", r"\- 5 degrees"),
        ("-5 degrees", "-5 degrees"),
        ("+", r"\+"),
        ("1. First", r"1\. First"),
        ("2) Second", r"2\) Second"),
        ("10.5 percent", "10.5 percent"),
        ("~~~ all that follows", r"\~~~ all that follows"),
        ("---", r"\---"),
        ("&lt;b&gt; & <b>", r"\&lt;b\&gt; & \<b\>"),
        ("*a*  _b_ [c](d)\n`e`", r"\*a\* \_b\_ \[c\](d) \`e\`"),
    ],
)
def test_an_exported_text_has_no_markup(text: str, escaped: str) -> None:
    assert markdown_of(text) == escaped


def test_an_issue_is_exported_as_json_and_markdown(shared_sample_site: Site) -> None:
    exported = shared_sample_site.client.get(f"/archive/{NEWEST}.json").json()
    assert exported["topic_id"] == NEWEST
    assert all({"ko", "en"} == set(paper["title"]) for paper in exported["papers"])
    korean, english = (
        shared_sample_site.client.get(f"/archive/{NEWEST}.md?lang={language}").text
        for language in ("ko", "en")
    )
    for paper_entry in exported["papers"]:
        assert f"## {paper_entry['position']}. " in korean
        assert paper_entry["url"] in shared_sample_site.client.get("/sitemap.xml").text
    assert korean != english
    assert shared_sample_site.client.get("/archive/404.json").status_code == 404


def test_the_sitemap_lists_every_public_page_and_each_of_them_exists(shared_sample_site: Site) -> None:
    answer = shared_sample_site.client.get("/sitemap.xml")
    urls = ET.fromstring(answer.content)  # noqa: S314  it is our own
    locations = [node.text or "" for node in urls.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")]
    assert len(locations) == len(set(locations)) > 40
    base = shared_sample_site.settings.base_url
    for location in locations:
        assert location.startswith(base)
        assert shared_sample_site.client.get(location.removeprefix(base)).status_code == 200, location
    assert f"Sitemap: {base}/sitemap.xml" in shared_sample_site.client.get("/robots.txt").text


# --- bytes --------------------------------------------------------------------------


def test_public_pages_are_compressed_and_not_sent_again_if_nothing_has_changed(sample_site: Site) -> None:
    client = sample_site.client
    for path in (
        "/",
        "/archive",
        f"/archive/{NEWEST}",
        "/archive.atom",
        "/style.css",
        "/operator.css",
        "/sitemap.xml",
    ):
        first = client.get(path)
        assert first.headers.get("content-encoding") == "gzip", path
        assert {"Accept-Encoding", "Accept-Language"} <= set(first.headers["vary"].split(", "))
        again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b""), path
    with sample_site.database.sessions.begin() as session:
        issue = session.query(Issue).filter(Issue.topic_id == NEWEST).one()
        issue.week_end += timedelta(days=1)
    changed = client.get(f"/archive/{NEWEST}", headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200


def test_pages_with_tokens_are_neither_compressed_nor_tagged(
    sample_database: Database, tmp_path: Path
) -> None:
    with open_site(sample_database, tmp_path, operator_token="a token for operators in tests") as site:
        for path in ("/operator/login", "/sent", "/health"):
            answer = site.client.get(path)
            assert "etag" not in answer.headers
            assert "content-encoding" not in answer.headers
