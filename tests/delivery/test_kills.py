"""Senders that are killed at every crash point lose no mail; `bench/kills.py` does the same in large numbers."""

import pytest
from sqlalchemy import make_url

from tests.support.crash_points import POINTS, SESSIONS_ENDED, STOPPED, TERMINATION
from tests.support.kill_report import KillReport
from tests.support.kills import kill_at

SUBSCRIBERS = 150
PLANNING = [point for point in POINTS if point.name.endswith("the commit of a plan")]
SENDING = sorted({*POINTS} - {*PLANNING}, key=lambda point: point.name)  # so that each share mixes them
SHARES = [("sqlite", 1), ("sqlite", 2), ("postgresql", 1), ("postgresql", 2)]


def assert_nothing_lost(report: KillReport) -> None:
    assert not report.faults
    assert report.lost == 0


@pytest.mark.parametrize("senders", [1, 2])
def test_killed_senders_lose_no_mail_and_repeat_only_uncertain_ones(database_url: str, senders: int) -> None:
    """Each of the four runs takes a share of the points."""
    share = SHARES.index((make_url(database_url).get_backend_name(), senders))
    points = SENDING[share :: len(SHARES)]
    assert_nothing_lost(kill_at(database_url, points, subscribers=SUBSCRIBERS, senders=senders, seed=share))


@pytest.mark.parametrize("senders", [1, 2])
def test_a_killed_plan_is_completed_and_nobody_is_planned_twice(database_url: str, senders: int) -> None:
    report = kill_at(database_url, PLANNING, subscribers=SUBSCRIBERS, senders=senders, seed=senders)
    assert_nothing_lost(report)
    assert report.repeated == 0


@pytest.mark.parametrize("senders", [1, 2])
def test_senders_that_get_sigterm_repeat_no_mail_and_leave_none_uncertain(
    database_url: str, senders: int
) -> None:
    points = [TERMINATION] * 8
    report = kill_at(database_url, points, subscribers=SUBSCRIBERS, senders=senders, seed=senders)
    assert_nothing_lost(report)
    assert (report.repeated, report.uncertain) == (0, 0)


@pytest.mark.parametrize("senders", [1, 2])
def test_senders_that_sleep_past_their_lease_lose_and_repeat_nothing_unmarked(
    database_url: str, senders: int
) -> None:
    assert_nothing_lost(kill_at(database_url, [STOPPED] * 2, subscribers=300, senders=senders, seed=senders))


@pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)
def test_senders_whose_sessions_end_wait_and_lose_and_repeat_nothing(database_url: str) -> None:
    report = kill_at(database_url, [SESSIONS_ENDED] * 2, subscribers=300, senders=2, seed=1)
    assert_nothing_lost(report)
    assert report.repeated == 0
