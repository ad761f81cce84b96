"""Senders killed by SIGKILL at every named point, with nothing lost; all kills in number by `bench/kills.py`."""

import pytest
from sqlalchemy import make_url

from tests.support.crash_points import POINTS
from tests.support.kills import StateCounts, kill_at

READERS = 150
PLANNING = [point for point in POINTS if point.name.endswith("the commit of a plan")]
SENDING = sorted({*POINTS} - {*PLANNING}, key=lambda point: point.name)  # so that each turn mixes them
TURNS = [("sqlite", 1), ("sqlite", 2), ("postgresql", 1), ("postgresql", 2)]


def assert_nothing_lost(reconcile_counts: StateCounts) -> None:
    assert not reconcile_counts.faults
    assert reconcile_counts.lost == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_senders_killed_at_any_point_lose_no_mail_and_repeat_only_what_is_marked_uncertain(
    database_url: str, workers: int
) -> None:
    """Each point has its turn with one of the databases and numbers of workers."""
    turn = TURNS.index((make_url(database_url).get_backend_name(), workers))
    points = SENDING[turn :: len(TURNS)]
    reconcile_counts = kill_at(database_url, points, readers=READERS, workers=workers, seed=turn)
    assert_nothing_lost(reconcile_counts)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_plan_that_was_killed_half_way_is_completed_and_nobody_is_planned_twice(
    database_url: str, workers: int
) -> None:
    reconcile_counts = kill_at(database_url, PLANNING, readers=READERS, workers=workers, seed=workers)
    assert_nothing_lost(reconcile_counts)
    assert reconcile_counts.repeated == 0
