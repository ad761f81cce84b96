"""A pytest plugin: which test runs which lines, how long each test takes, and where the first one fails.

Environment variables say what is wanted:

- `MUTANTS_TESTS` is a file that names the tests to run, in their order. Names of tests that no longer exist are ignored.
- `MUTANTS_TIMES` is a file that gets a line of JSON for each test.
- `MUTANTS_FAILURE` is a file that gets the first failure.
- `MUTANTS_RUNNING` is a file that names the test that runs.
- `COVERAGE_PROCESS_START` starts the measurement of lines. `MUTANTS_TEST` then tells the processes that a test starts
  which test it is.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import coverage
import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if "MUTANTS_TESTS" in os.environ:
        found = {item.nodeid: item for item in items}
        wanted = Path(os.environ["MUTANTS_TESTS"]).read_text().splitlines()
        items[:] = [found[name] for name in wanted if name in found]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    os.environ["MUTANTS_TEST"] = item.nodeid
    if "MUTANTS_RUNNING" in os.environ:
        Path(os.environ["MUTANTS_RUNNING"]).write_text(item.nodeid)
    measuring = coverage.Coverage.current()
    if measuring:
        measuring.switch_context(item.nodeid)
    yield
    if measuring:
        measuring.switch_context("")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    times, failure = os.environ.get("MUTANTS_TIMES"), os.environ.get("MUTANTS_FAILURE")
    if os.environ.get("PYTEST_XDIST_WORKER"):
        return  # the controller gets the reports of all workers
    if times:
        entry = {"test": report.nodeid, "outcome": report.outcome, "seconds": report.duration}
        with Path(times).open("a") as file:
            file.write(json.dumps(entry) + "\n")
    if failure and report.failed:
        _record_failure(Path(failure), report.nodeid, report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    failure = os.environ.get("MUTANTS_FAILURE")
    if failure and report.failed:
        _record_failure(Path(failure), report.nodeid or "collection", report)


def pytest_sessionfinish() -> None:
    """Save what was measured, because the workers of xdist end without the handlers of `atexit`."""
    measuring = coverage.Coverage.current()
    if measuring:
        measuring.stop()
        measuring.save()


def _record_failure(file: Path, test: str, report: pytest.TestReport | pytest.CollectReport) -> None:
    if file.exists():
        return
    crash = getattr(report.longrepr, "reprcrash", None)
    where = f"{crash.path}:{crash.lineno}: {crash.message}" if crash else str(report.longrepr)[-400:]
    file.write_text(json.dumps({"test": test, "where": where[:400]}))
