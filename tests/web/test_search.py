"""Papers are found by words, by year and by topic."""

from issues.search import parse_query
from tests.support.factories import add_issue, issue_of
from tests.support.site import Site
from tests.web.two_issues import add_issues, parsed


def found(site: Site, **query: str) -> list[str]:
    page = parsed(site.client.get("/search", params={"lang": "ko", **query}))
    return [node.text() for node in page.css(".issues li strong")]


def test_papers_are_found_by_words_of_both_languages_from_two_korean_letters_up(site: Site) -> None:
    add_issues(site)
    for words in ("신경", "시계 전문", "HOURGLASS networks", "ｈｏｕｒｇｌａｓｓ", "혼합", "2501.00042"):
        assert "모래시계 신경망" in found(site, q=words), words
    assert found(site, q="시계 없는말") == found(site, q="%") == found(site, q="_") == []
    assert found(site, q="") == []
    assert found(site, q="\x00'; DROP TABLE papers;--") == []


def test_search_is_narrowed_by_year_and_by_a_topic_of_the_forum(site: Site) -> None:
    add_issues(site)
    assert found(site, year="2025") == ["모래시계 신경망", "2번째 논문의 제목"]
    assert found(site, q="논문", year="2026") == ["3번째 논문의 제목", "4번째 논문의 제목"]
    assert found(site, topic="hourglass") == ["모래시계 신경망", "2번째 논문의 제목"]
    assert found(site, topic="hour") == []
    archive = parsed(site.client.get("/archive"))
    assert [node.text() for node in archive.css("main h2")] == ["2026", "2025"]
    links = [node.text() for node in archive.css(".topics a")]
    assert links == ["2026", "2025", "hourglass"], "general tags such as paper name no topic"


def test_all_results_are_on_the_pages_of_a_search_once(site: Site) -> None:
    with site.database.sessions.begin() as session:
        add_issue(session, issue_of(45), now=site.clock())
    titles: list[str] = []
    address: str | None = "/search?q=논문&lang=ko"
    while address:
        page = parsed(site.client.get(address))
        titles += [node.text() for node in page.css(".issues li strong")]
        link = page.css_first("a[rel=next]")
        address = link.attributes["href"] if link else None
    assert sorted(titles) == sorted(f"{number}번째 논문의 제목" for number in range(1, 46))


def test_a_query_is_bounded() -> None:
    assert len(parse_query("가 " * 10_000).words) == 1
    assert len(parse_query(" ".join(map(str, range(1_000)))).words) == 8
