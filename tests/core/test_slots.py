"""Slots are built from what they name, and taken apart into it again."""

from datetime import UTC, datetime, timedelta

import pytest

from core.frequencies import Frequency
from core.slots import (
    digest_slot,
    digest_slot_prefix,
    is_resend_slot,
    is_welcome_slot,
    letter_slot,
    preview_slot,
    resend_id_of,
    resend_slot,
    welcome_slot,
)

NOW = datetime(2025, 8, 5, 8, 0, tzinfo=UTC)
WEEKLY, DAILY = (digest_slot(frequency, NOW) for frequency in Frequency)


@pytest.mark.parametrize(
    ("frequency", "moment", "slot"),
    [
        (Frequency.WEEKLY, datetime(2025, 8, 4, tzinfo=UTC), "weekly:2025-W32"),
        (Frequency.WEEKLY, datetime(2024, 12, 30, tzinfo=UTC), "weekly:2025-W01"),
        (Frequency.WEEKLY, datetime(2027, 1, 3, tzinfo=UTC), "weekly:2026-W53"),
        (Frequency.DAILY, datetime(2025, 8, 5, tzinfo=UTC), "daily:2025-08-05"),
    ],
)
def test_a_slot_names_its_week_or_day_even_around_new_year(
    frequency: Frequency, moment: datetime, slot: str
) -> None:
    assert digest_slot(frequency, moment) == slot
    assert [each for each in Frequency if slot.startswith(digest_slot_prefix(each))] == [frequency]


@pytest.mark.parametrize("frequency", Frequency)
def test_one_interval_after_any_moment_lies_another_slot_of_the_frequency(frequency: Frequency) -> None:
    for day in range(800):
        moment = NOW + timedelta(days=day)
        assert digest_slot(frequency, moment) != digest_slot(frequency, moment + frequency.interval)


def test_only_the_slots_of_welcomes_and_resends_are_recognised_as_such() -> None:
    slots = [
        WEEKLY,
        DAILY,
        welcome_slot(NOW),
        "confirmation:1f2e3d4c",
        resend_slot(17),
        preview_slot("welcome"),
    ]
    assert [slot for slot in slots if is_welcome_slot(slot)] == [welcome_slot(NOW)]
    assert [slot for slot in slots if is_resend_slot(slot)] == ["resend:17"]


def test_the_slot_of_a_welcome_names_the_time_of_the_confirmation() -> None:
    assert welcome_slot(NOW) == "welcome:20250805T080000"


def test_two_letters_of_one_kind_have_different_slots() -> None:
    first, second = letter_slot("confirmation"), letter_slot("confirmation")
    assert first != second
    assert {slot.partition(":")[0] for slot in (first, second)} == {"confirmation"}


@pytest.mark.parametrize("resend_id", [1, 17, 10**12])
def test_the_id_of_a_resend_is_read_back_from_its_slot(resend_id: int) -> None:
    assert resend_id_of(resend_slot(resend_id)) == resend_id


@pytest.mark.parametrize(
    "slot",
    [WEEKLY, DAILY, welcome_slot(NOW), "confirmation:1f2e3d4c", "17", "resend", "resend:", "resend:x", ""],
)
def test_a_slot_that_is_not_of_a_resend_has_no_resend_id(slot: str) -> None:
    with pytest.raises(ValueError, match=r"is not the slot of a resend|invalid literal"):
        resend_id_of(slot)


@pytest.mark.parametrize("name", ["hourly", "", "Weekly"])
def test_an_unknown_frequency_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not a valid Frequency"):
        Frequency(name)
