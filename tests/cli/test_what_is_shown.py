"""Commands show what servers and posts say as it is, of a run's result only the counts, and know which ports there are."""

import pytest

from core.database import Database
from core.run_log import RunKind, record_run
from paperboy.cli.options import print_table
from tests.cli.runner import Paperboy, json_of
from tests.support.factories import NOW


@pytest.mark.parametrize("words", ["550 blocked by [mx.example.com]", "554 see [/policy]", "[red]", ":tada:"])
def test_a_table_shows_brackets_as_they_are(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_table("Deliveries", ["reply"], [[words]])
    assert words in capsys.readouterr().out


def test_the_result_of_a_run_has_counts_only(paperboy: Paperboy, database: Database) -> None:
    with database.sessions.begin() as session:
        result = {"sent": 3, "ready_until": 417, "is_whole": True, "held": ["a", "b"], "failed": 0}
        record_run(session, RunKind.DIGEST, result, NOW, slot="weekly:2025-W32")
    [run] = json_of(paperboy("status", "--json"))["runs"]
    assert run["line"] == "3 sent, 2 held"


@pytest.mark.parametrize("arguments", [("web", "--port", "65536"), ("demo", "--web-port", "-1")])
def test_a_port_that_does_not_exist_is_a_wrong_option(
    run_command: Paperboy, arguments: tuple[str, ...]
) -> None:
    code, _, err = run_command(*arguments)
    assert code == 2
    assert "Traceback" not in err
