"""Months of simulated time: whatever happens, every active subscriber gets every paper once and in order.

Readers, editors, operators, the clock, the mail server and crashes act in drawn histories around the real pipeline.
Here the histories are the same each time. `make soak` draws others for as long as one likes.
"""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, settings

from core.schema import open_database
from tests.support.simulation.rules import Coverage, run_histories

BOUNDED = settings(
    max_examples=40,
    stateful_step_count=40,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.timeout(900)  # so that a history that fails can be made smaller
def test_every_active_subscriber_gets_every_paper_once_and_in_order(
    new_database_url: Callable[[], str], capsys: pytest.CaptureFixture[str]
) -> None:
    coverage = Coverage()
    run_histories(lambda: open_database(new_database_url()), BOUNDED, coverage)
    with capsys.disabled():
        print("\n" + coverage.summary())  # noqa: T201  a maintainer wants to see it
    assert not [name for name, count in coverage.rules.items() if count < 3], "some rules hardly ran"
