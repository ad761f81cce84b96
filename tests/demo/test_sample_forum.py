"""The sample forum responds like Discourse, and its posts have the formats of three periods."""

import hashlib
import re
from collections.abc import Iterator
from typing import Any

import feedparser
import httpx
import pytest
from selectolax.lexbor import LexborHTMLParser

from paperboy.demo.sample.data import weeks
from paperboy.demo.sample.forum import Forum
from paperboy.demo.sample.topics import NEWS_TOPIC_ID, ForumState
from paperboy.demo.sample.truth import expected

SPRING_2025, SUMMER_2025, SPRING_2026 = 8427, 9140, 9655


@pytest.fixture
def forum() -> Iterator[Forum]:
    with Forum() as running:
        yield running


def cooked(forum: Forum, topic_id: int) -> str:
    response = httpx.get(forum.topic_url(topic_id))
    text: str = response.json()["post_stream"]["posts"][0]["cooked"]
    return text


def entries(forum: Forum) -> list[Any]:
    feed = feedparser.parse(httpx.get(forum.feed_url).content)
    assert not feed.bozo
    return list(feed.entries)


def count(html: str, selector: str) -> int:
    return len(LexborHTMLParser(html).css(selector))


def headings(html: str) -> list[str]:
    """The headings of the post itself, without those of oneboxes, which belong to the linked pages."""
    tree = LexborHTMLParser(html)
    return [node.text().strip() for node in tree.css("h1, h2, h3") if node.css_first("a.anchor")]


def test_a_conditional_request_gets_304_until_the_feed_changes(forum: Forum) -> None:
    first = httpx.get(forum.feed_url)
    known = {"If-None-Match": first.headers["ETag"]}
    unchanged = httpx.get(forum.feed_url, headers=known)
    forum.state.edited = True
    changed = httpx.get(forum.feed_url, headers=known)
    assert (first.status_code, unchanged.status_code, changed.status_code) == (200, 304, 200)
    assert unchanged.content == b""


def test_the_feed_is_compressed_only_for_clients_that_accept_gzip(forum: Forum) -> None:
    compressed = httpx.get(forum.feed_url, headers={"Accept-Encoding": "gzip"})
    plain = httpx.get(forum.feed_url, headers={"Accept-Encoding": "identity"})
    assert compressed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert compressed.text == plain.text


def test_the_feed_has_all_published_weeks_and_the_news_newest_first(forum: Forum) -> None:
    host = httpx.URL(forum.origin).host
    ids = [SPRING_2026, SUMMER_2025, SPRING_2025, NEWS_TOPIC_ID]
    assert [entry.id for entry in entries(forum)] == [f"{host}-topic-{number}" for number in ids]
    assert all(entry.link.startswith(forum.origin) for entry in entries(forum))


@pytest.mark.parametrize("published", [0, 1, 2, 3])
def test_only_the_weeks_published_so_far_are_on_the_forum(forum: Forum, published: int) -> None:
    forum.state.weeks = published
    found = [httpx.get(forum.topic_url(week.topic_id)).status_code for week in weeks()]
    assert found == [200] * published + [404] * (3 - published)
    assert len(entries(forum)) == published + 1


def test_the_title_of_the_news_topic_mentions_papers_but_no_week(forum: Forum) -> None:
    title = entries(forum)[-1].title
    assert "논문" in title
    assert not title.startswith("[")


def test_replies_change_only_the_last_paragraphs_of_their_topic(forum: Forum) -> None:
    before = entries(forum)
    forum.state.replies[SUMMER_2025] = 2
    after = entries(forum)
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert [old.id.rpartition("-")[2] for old, _ in changed] == [str(SUMMER_2025)]
    old, new = changed[0]
    body, _, ending = old.description.rpartition("<p><small>")
    new_body, _, new_ending = new.description.rpartition("<p><small>")
    assert new_body == body
    assert ending.startswith("1개의 게시물 - 1명의 참여자")
    assert new_ending.startswith("3개의 게시물 - 3명의 참여자")


def test_an_edit_changes_one_topic_and_keeps_its_date(forum: Forum) -> None:
    before = entries(forum)
    forum.state.edited = True
    after = entries(forum)
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert [old.id.rpartition("-")[2] for old, _ in changed] == [str(SUMMER_2025)]
    assert changed[0][0].published == changed[0][1].published


def test_the_edit_adds_a_paper_and_corrects_a_title_and_a_number() -> None:
    before, after = (expected(SUMMER_2025, edited)["papers"] for edited in (False, True))
    assert [paper["title_en"].partition(":")[0] for paper in after[len(before) :]] == ["Signpost"]
    changes = [
        (field, str(paper[field]), str(after[number][field]))
        for number, paper in enumerate(before)
        for field in paper
        if paper[field] != after[number][field]
    ]
    assert [field for field, _, _ in changes] == ["intro_ko", "title_ko"]
    assert changes[0][1].replace("4~8%", "4~9%") == changes[0][2]
    assert changes[1][1].replace("언어모델", "언어 모델") == changes[1][2]


def test_an_edit_raises_the_version_in_the_topic(forum: Forum) -> None:
    before = httpx.get(forum.topic_url(SUMMER_2025)).json()["post_stream"]["posts"][0]
    forum.state = ForumState(edited=True)
    after = httpx.get(forum.topic_url(SUMMER_2025)).json()["post_stream"]["posts"][0]
    assert (before["version"], after["version"]) == (1, 2)
    assert after["created_at"] == before["created_at"] == before["updated_at"] < after["updated_at"]


def test_another_emoji_set_changes_images_but_no_text(forum: Forum) -> None:
    before = cooked(forum, SPRING_2026)
    forum.state.emoji_set = "apple"
    after = cooked(forum, SPRING_2026)
    assert after != before
    assert after == before.replace("/emoji/fluentui/", "/emoji/apple/")


def test_other_urls_of_a_topic_redirect_to_its_page(forum: Forum) -> None:
    address = entries(forum)[0].link
    moved = httpx.get(f"{forum.origin}/t/{SPRING_2026}")
    assert (moved.status_code, moved.headers["Location"]) == (301, address)
    assert httpx.get(f"{forum.origin}/t/old-slug/{SPRING_2026}").headers["Location"] == address
    assert cooked(forum, SPRING_2026) in httpx.get(address).text


def test_tags_are_objects_with_names(forum: Forum) -> None:
    tags = httpx.get(forum.topic_url(SPRING_2026)).json()["tags"]
    assert [tag["name"] for tag in tags][:2] == ["ai-ml-papers-of-the-week", "paper"]


@pytest.mark.parametrize("topic_id", [SPRING_2025, SUMMER_2025, SPRING_2026, NEWS_TOPIC_ID])
def test_the_images_of_a_post_are_on_the_forum_itself(forum: Forum, topic_id: int) -> None:
    page = LexborHTMLParser(cooked(forum, topic_id))
    sources = {node.attributes["src"] or "" for node in page.css("img.emoji, .lightbox img")}
    assert sources
    assert {httpx.get(source).headers["Content-Type"] for source in sources} == {"image/png"}
    assert all(source.startswith(forum.origin) for source in sources)


def test_the_anchors_of_headings_are_numbered_through_the_post(forum: Forum) -> None:
    names = re.findall(r'<a name="(p-\d+-[a-z][^"]*)" class="anchor"', cooked(forum, SUMMER_2025))
    assert [int(name.rpartition("-")[2]) for name in names] == list(range(1, len(names) + 1))
    assert names[1] == "p-17377-pytorchkrfiresouth_korea-thinkingthought_balloon-2"
    assert names[3] == "p-17377-h-4"


def test_the_post_of_spring_2025_has_lists_two_languages_and_a_source(forum: Forum) -> None:
    html = cooked(forum, SPRING_2025)
    assert html.count("<hr>") == 2
    assert headings(html)[-1] == "원문"
    assert headings(html).count("논문 초록(Abstract)") == headings(html).count("논문 소개") == 10
    assert headings(html).count("더 읽어보기") == 9
    assert "<em>이 글은 GPT" in html
    assert count(html, "li > p") > 3
    assert count(html, "blockquote li > p") > 0
    assert "<li><strong>검색 헤드 찾기</strong> - " in html
    assert count(html, "blockquote") == 20


def test_the_post_of_summer_2025_has_number_emoji_rules_and_one_language(forum: Forum) -> None:
    html = cooked(forum, SUMMER_2025)
    assert re.findall(r'<p><img [^>]*title="(:\w+:)"', html)[:3] == [":one:", ":two:", ":three:"]
    assert html.count("<hr>\n<h2>") == 6
    assert count(html, "blockquote") == 6
    assert "원문" not in headings(html)
    assert headings(html).count("더 읽어보기") == 3
    assert count(html, "aside.onebox.allowlistedgeneric[data-onebox-src] article h3") == 6
    assert count(html, "aside.onebox.githubrepo") == 3
    assert count(html, "p > a.onebox") == 1


def test_the_post_of_2026_has_a_summary_pictures_and_stray_markup(forum: Forum) -> None:
    html = cooked(forum, SPRING_2026)
    assert "[2026/03/02 ~ 08] " in html
    assert headings(html)[2] == "논문별 핵심 요약"
    assert headings(html).count("초록(Abstract)") == 5
    assert count(html, "div.lightbox-wrapper a.lightbox span.filename") == 5
    assert '</div><br>\n<div class="lightbox-wrapper">' in html
    assert "</strong>: " in html
    assert "<code>max_tokens</code>" in html
    assert "&lt;think&gt;" in html
    assert "$n$" in html
    assert "**92%**" in html
    assert count(html, "p > a.inline-onebox") == 1


@pytest.mark.parametrize("topic_id", [SPRING_2025, SUMMER_2025, SPRING_2026])
@pytest.mark.parametrize("edited", [False, True])
def test_every_text_of_the_ground_truth_is_in_the_post(forum: Forum, topic_id: int, edited: bool) -> None:
    forum.state.edited = edited
    tree = LexborHTMLParser(cooked(forum, topic_id))
    for emoji in tree.css("img.emoji"):
        emoji.replace_with(emoji.attributes["alt"] or "")
    shown = tree.text()
    truth = expected(topic_id, edited)
    texts = [*truth["overview_ko"], *truth["summary_ko"]]
    for paper in truth["papers"]:
        texts += [block["text"] for block in paper["intro_ko"] + paper["intro_en"]]
        texts += paper["abstract_ko"] + paper["abstract_en"]
        texts.append(f"{paper['title_ko']} / {paper['title_en']}")
    assert [text for text in texts if text not in shown] == []


@pytest.mark.parametrize("topic_id", [SPRING_2025, SUMMER_2025, SPRING_2026])
def test_korean_texts_have_hangul_and_english_texts_have_none(topic_id: int) -> None:
    for paper in expected(topic_id, edited=True)["papers"]:
        korean = [*paper["abstract_ko"], *(block["text"] for block in paper["intro_ko"])]
        english = [*paper["abstract_en"], *(block["text"] for block in paper["intro_en"])]
        assert all(re.search("[가-힣]", text) for text in korean)
        assert not any(re.search("[가-힣]", text) for text in english)


def test_abstracts_are_as_long_as_real_ones() -> None:
    papers = [paper for week in weeks(edited=True) for paper in week.papers]
    assert all(400 < len("".join(paper.abstract_ko)) < 1000 for paper in papers)
    assert all(700 < len("".join(paper.abstract_en)) < 1600 for paper in papers)


def test_no_two_papers_share_a_link_or_a_title() -> None:
    papers = [paper for week in weeks(edited=True) for paper in week.papers]
    assert len(papers) == len({paper.link for paper in papers}) == len({paper.title_en for paper in papers})


def test_the_forum_releases_its_port() -> None:
    with Forum() as first:
        address = first.feed_url
        before = hashlib.sha256(httpx.get(address).content).hexdigest()
    with pytest.raises(httpx.ConnectError):
        httpx.get(address)
    with Forum(httpx.URL(address).port or 0) as second:
        assert hashlib.sha256(httpx.get(second.feed_url).content).hexdigest() == before
