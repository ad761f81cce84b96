"""html-validate and caniemail judge the HTML of every kind of mail."""

import json
from typing import Any

import pytest

from tests.support.all_mails import every_kind, summary
from tests.support.programs import MAIL_CHECKS, node_module, output_of

# What some client lacks, and what its readers get instead.
ALLOWED = {
    "<body> element": "it becomes a <div>; the tables inside carry colour and width",
    "aria-label attribute": "Windows Mail's screen reader reads the text alone",
    "display:none": "the preview line stands above the mail",
    "role attribute": "Windows Mail's screen reader announces tables",
    "word-break": "Korean lines break inside words",
    "word-wrap": "a very long word widens the mail",
}


@pytest.fixture(scope="session")
def findings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the two tools say of all mails, from one process."""
    node_module("html-validate")
    mails = json.dumps({kind.name: kind.html for kind in every_kind()})
    answer = output_of(
        "node", MAIL_CHECKS / "check.mjs", question=mails.encode(), home=tmp_path_factory.mktemp("node")
    )
    found: dict[str, Any] = json.loads(answer)
    return found


def test_every_kind_of_mail_is_valid_html(findings: dict[str, Any]) -> None:
    found = summary(findings["standards"])
    assert not found, found


def test_what_a_client_lacks_is_known_and_degrades(findings: dict[str, Any]) -> None:
    found = {name: clients for name, clients in findings["lacking"].items() if name not in ALLOWED}
    assert not found, found


def test_nothing_is_allowed_that_no_mail_uses(findings: dict[str, Any]) -> None:
    unused = ALLOWED.keys() - findings["lacking"].keys()
    assert not unused, unused
