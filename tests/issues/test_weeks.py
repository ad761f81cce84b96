"""The week of a title is read in every way of writing that has only one plausible reading."""

from datetime import date

import pytest

from issues.parse.weeks import Week, parse_week

PUBLISHED = date(2026, 6, 21)
WEEK = Week(date(2026, 6, 15), date(2026, 6, 21))


@pytest.mark.parametrize(
    "written",
    [
        "[2026/06/15 ~ 06/21]",
        "【2026/06/15 ~ 06/21】",
        "(2026.06.15 – 06.21)",
        "（2026．06．15 ～ 06．21）",
        "<2026-06-15 ~ 2026-06-21>",
        "[2026-06-15 - 06-21]",
        "[2026/06/15-06/21]",
        "[2026/06/15—21]",
        "2026/06/15 ~ 06/21",
        "[26/06/15 ~ 06/21]",
        "['26.06.15 ~ '26.06.21]",
        "[06/15 ~ 06/21]",
        "[6/15~21]",
        "[6월 15일 ~ 6월 21일]",
        "2026년 6월 15일 ~ 21일",
        "2026년 6월 15일(월)부터 6월 21일(일)까지",
        "[2026. 6. 15. ~ 6. 21.]",
        "[2026/06/15 to 06/21]",
    ],
)
def test_a_week_is_read_with_other_brackets_years_dashes_and_korean_dates(written: str) -> None:
    assert parse_week(f"{written} 이번 주에 살펴볼 만한 AI/ML 논문 모음", PUBLISHED) == WEEK


@pytest.mark.parametrize(
    "title",
    [
        "[6월 셋째 주] 이번 주에 살펴볼 만한 AI/ML 논문 모음",
        "[15 ~ 21] 이번 주에 살펴볼 만한 AI/ML 논문 모음",
        "[2026/02/30 ~ 03/01] 이번 주의 주요 ML 논문",
        "[2026/06] 논문 PDF를 읽는 도구 Top 10",
        "논문 10편을 7일 동안 읽기 2/3",
        "[2026/06/15 ~ 06/21] 이번 주의 소식",
    ],
)
def test_a_title_with_no_week_or_with_more_than_one_reading_is_not_guessed(title: str) -> None:
    assert parse_week(title, PUBLISHED) is None


def test_a_week_without_a_year_is_that_nearest_to_the_post() -> None:
    assert parse_week("[12/29 ~ 01/04] 논문", date(2026, 1, 4)) == Week(date(2025, 12, 29), date(2026, 1, 4))


def test_a_week_that_ends_before_it_begins_is_told_as_written_and_impossible() -> None:
    found = parse_week("[2026/06/21 ~ 2026/06/15] 논문", PUBLISHED)
    assert found == Week(date(2026, 6, 21), date(2026, 6, 15))
    assert not found.is_possible


def test_a_week_far_from_the_post_is_told_as_written_and_not_near() -> None:
    found = parse_week("[2025/06/15 ~ 06/21] 논문", PUBLISHED)
    assert found
    assert not found.is_near(PUBLISHED)
