"""In which order the test files run, and which of them run in one process.

Several processes run the tests, and each takes the next file when it has finished one.
"""

import pytest
from xdist.scheduler import LoadFileScheduling

# The longest come first, so that no process is left alone with one of them at the end.
LONG_FILES = (
    "tests/flows/test_cancelled_runs.py",
    "tests/test_every_paper_once.py",
    "tests/delivery/test_server_faults.py",
    "tests/emails/test_in_a_browser.py",
    "tests/cli/test_commands.py",
    "tests/mailings/test_intake.py",
    "tests/delivery/test_kills.py",
    "tests/delivery/test_interruptions.py",
    "tests/mailings/test_late_issues.py",
    "tests/emails/test_render.py",
    "tests/admin/test_in_a_browser.py",
    "tests/web/test_accessibility.py",
    "tests/issues/test_hostile_posts.py",
    "tests/mailings/test_digest_counts.py",
    "tests/delivery/test_lost_answers.py",
    "tests/issues/test_readable.py",
    "tests/web/test_sign_up_limits.py",
    "tests/web/test_middleware.py",
)
# What begins in this way runs in one process, because it shares something that takes long to make.
SHARED = {
    "tests/flows/": "a Prefect server",
    "tests/emails/test_html_standards.py": "every kind of mail",
    "tests/emails/test_in_a_browser.py": "every kind of mail",
    "tests/emails/test_spam.py": "every kind of mail",
}


def put_longest_first(items: list[pytest.Item]) -> None:
    """Sort tests by their files: the long ones first, the others as they are."""
    places = {name: place for place, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: places.get(_file_of(item.nodeid), len(places)))


class SharingScheduler(LoadFileScheduling):  # type: ignore[misc]  # xdist publishes no types
    """Gives each process whole files, and all files that share something to the same process."""

    def _split_scope(self, nodeid: str) -> str:
        shared = (what for beginning, what in SHARED.items() if nodeid.startswith(beginning))
        return next(shared, _file_of(nodeid))


def _file_of(nodeid: str) -> str:
    return nodeid.partition("::")[0]
