"""The doctor says how far a warm-up is, and when its setting has no effect any more."""

from datetime import UTC, date, datetime

import pytest

from core.languages import TextLanguage
from core.settings import Settings
from paperboy.doctor import warm_up

KO = TextLanguage.KO


def line(day: str, language: TextLanguage = TextLanguage.EN) -> str:
    """The line of the doctor on a day at 00:30 in Seoul, when it is still the day before in UTC."""
    settings = Settings(warm_up_from=date(2025, 8, 4), warm_up_mails=100)
    local = datetime.fromisoformat(f"{day}T00:30+09:00")
    [finding] = warm_up.check(settings, local.astimezone(UTC))
    return finding.line(language)


@pytest.mark.parametrize(
    ("day", "english", "korean"),
    [
        (
            "2025-08-03",
            "ok       warm-up: it begins on 2025-08-04; each large provider gets 100 mails a day until then",
            "2025-08-04에 시작합니다. 그때까지 큰 메일 서비스마다 하루 100통",
        ),
        (
            "2025-08-06",
            "ok       warm-up: day 3 of 30: each large provider gets at most 225 mails today",
            "30일 중 3일째입니다. 오늘은 큰 메일 서비스마다 225통",
        ),
        (
            "2025-09-03",
            "warning  warm-up: it ended on 2025-09-02, so PAPERBOY_WARM_UP_FROM has no effect any more"
            " -> remove PAPERBOY_WARM_UP_FROM, or set it for another domain",
            "2025-09-02에 끝나 PAPERBOY_WARM_UP_FROM은 더 이상 효과가 없습니다",
        ),
    ],
)
def test_the_doctor_says_which_day_it_is_and_todays_cap(day: str, english: str, korean: str) -> None:
    assert line(day) == english
    assert korean in line(day, KO)


def test_without_a_warm_up_the_doctor_says_nothing_about_it() -> None:
    assert list(warm_up.check(Settings(), datetime.now(UTC))) == []
