"""A week is read from a topic's title, two languages from a paper's title, and addresses are compared."""

from datetime import date

import pytest

from issues.parse.addresses import comparable_url
from issues.parse.post import parse
from issues.parse.titles import split_title
from issues.parse.weeks import parse_week
from tests.support.post_html import URL


@pytest.mark.parametrize(
    ("week", "start", "end"),
    [
        ("[2025/05/05 ~ 05/11]", date(2025, 5, 5), date(2025, 5, 11)),
        ("[2025/05/26 ~ 06/01]", date(2025, 5, 26), date(2025, 6, 1)),
        ("[2025/05/05 ~ 11]", date(2025, 5, 5), date(2025, 5, 11)),
        ("[2024/12/30 ~ 01/05]", date(2024, 12, 30), date(2025, 1, 5)),
        ("[2024/12/30 ~ 2025/01/05]", date(2024, 12, 30), date(2025, 1, 5)),
        ("[2025/06/30 ~ 06]", date(2025, 6, 30), date(2025, 7, 6)),
        ("[2024/12/30 ~ 05]", date(2024, 12, 30), date(2025, 1, 5)),
        ("[ 2025.05.05 〜 05.11 ]", date(2025, 5, 5), date(2025, 5, 11)),
        ("[2025/5/5～5/11]", date(2025, 5, 5), date(2025, 5, 11)),
    ],
)
def test_the_week_in_a_title_is_read_in_every_way_it_is_written(week: str, start: date, end: date) -> None:
    found = parse_week(f"{week} 이번 주의 주요 ML 논문 (Top ML Papers of the Week)")
    assert found
    assert (found.start, found.end) == (start, end)


@pytest.mark.parametrize(
    "title",
    [
        "이번 주에 살펴볼 만한 AI/ML 논문 모음",
        "[2025/05/05 ~ 05/11] 이번 주의 소식",
        "[2025/02/30 ~ 03/01] 이번 주의 주요 ML 논문",
        "[2025/05] 논문 PDF를 읽는 도구",
        "",
    ],
)
def test_a_topic_without_a_week_of_papers_in_its_title_is_not_a_weekly_post(title: str) -> None:
    assert parse_week(title) is None
    with pytest.raises(ValueError, match="names no week"):
        parse(title, "", URL)


@pytest.mark.parametrize(
    ("title", "korean", "english"),
    [
        ("올빼미: 밤의 모델 / Owl: Night Models", "올빼미: 밤의 모델", "Owl: Night Models"),
        (
            "읽기/쓰기를 나누는 기억 / Split Memory for Read / Write Agents",
            "읽기/쓰기를 나누는 기억",
            "Split Memory for Read / Write Agents",
        ),
        ("읽기 / 쓰기 기억 / Read Memory", "읽기 / 쓰기 기억", "Read Memory"),
        ("한국어 제목뿐", "한국어 제목뿐", ""),
        ("Only English, A/B", "", "Only English, A/B"),
        ("한국어 / 다른 한국어", "한국어 / 다른 한국어", ""),
        ("올빼미: 밤의 모델/Owl: Night Models", "올빼미: 밤의 모델", "Owl: Night Models"),
        ("올빼미: 밤의 모델/ Owl", "올빼미: 밤의 모델", "Owl"),
        ("올빼미: 밤의 모델／Owl: Night Models", "올빼미: 밤의 모델", "Owl: Night Models"),
        ("추론을 위한 CPU/GPU 그리고 TPU/GPU", "추론을 위한 CPU/GPU 그리고 TPU/GPU", ""),
        ("계획/Planning", "계획/Planning", ""),
    ],
)
def test_a_title_is_split_at_the_first_slash_with_no_korean_after_it(
    title: str, korean: str, english: str
) -> None:
    assert split_title(title) == (korean, english)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://arxiv.org/pdf/2505.91234v2.pdf", "https://arXiv.org/abs/2505.91234"),
        ("https://twitter.com/owl/status/1", "https://x.com/owl/status/1/"),
        ("https://owl.example/a?utm_source=x&ref=y#top", "http://OWL.example/a"),
        ("https://owl.example:443/a?b=1&utm_medium=z", "https://owl.example/a?b=1"),
    ],
)
def test_two_spellings_of_one_address_are_equal(one: str, other: str) -> None:
    assert comparable_url(one) == comparable_url(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://openreview.net/forum?id=A1", "https://openreview.net/forum?id=B2"),
        ("https://owl.example/A", "https://owl.example/a"),
        ("https://owl.example/?reference=1", "https://owl.example/"),
        ("https://owl.example:8000/", "https://owl.example/"),
    ],
)
def test_two_different_addresses_stay_different(one: str, other: str) -> None:
    assert comparable_url(one) != comparable_url(other)
