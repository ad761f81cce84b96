"""Months of simulated time: whatever happens, every active subscriber gets every paper once and in order.

Subscribers, editors, operators, the clock, the mail server and crashes act in drawn histories around the real pipeline.
Here the histories are the same each time. `make soak` draws others for as long as one likes.
"""

from collections.abc import Callable

import pytest
from sqlalchemy import make_url

from core.schema import open_database
from tests.support.simulation.histories import new_coverage, run_histories

HISTORIES = {"sqlite": 40, "postgresql": 30}  # those of PostgreSQL are the first of those of SQLite
STEPS = 45


@pytest.mark.timeout(900)  # so that a history that fails can be made smaller
def test_every_active_subscriber_gets_every_paper_once_and_in_order(
    new_database_url: Callable[[], str], capsys: pytest.CaptureFixture[str]
) -> None:
    coverage = new_coverage()
    histories = HISTORIES[make_url(new_database_url()).get_backend_name()]
    run_histories(lambda: open_database(new_database_url()), coverage, histories=histories, steps=STEPS)
    with capsys.disabled():
        print("\n" + coverage.summary())  # noqa: T201  a maintainer wants to see it
    assert min(coverage.rules.values()) > 0, "every rule has run"
    assert len(coverage.pairs) > len(coverage.rules) ** 2 / 3, (
        "many pairs of rules have run one after the other"
    )
