"""What runs show in Prefect is a convenience: a server that cannot keep it costs nobody a mail."""

import logging
from typing import NoReturn

import pytest

from flows import run_results


def refuse(*_arguments: object, **_options: object) -> NoReturn:
    raise ConnectionError("All connection attempts failed")


def test_a_prefect_server_that_keeps_no_artifact_stops_no_run(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(run_results, "create_progress_artifact", refuse)
    monkeypatch.setattr(run_results, "create_markdown_artifact", refuse)
    with caplog.at_level(logging.WARNING):
        run_results.sending_progress("digest-weekly-progress")(1, 2)
        run_results.publish_summary("digest-weekly", "## weekly", "1 of 2 sent")
    assert [record.getMessage() for record in caplog.records] == [
        "Prefect cannot show the progress of this run: All connection attempts failed",
        "Prefect cannot keep the summary of this run: All connection attempts failed",
    ]
