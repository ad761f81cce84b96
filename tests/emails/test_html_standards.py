"""html-validate and caniemail judge the HTML of every kind of mail."""

import json
from typing import Any

import pytest
from kinds import by_finding, every_kind
from tools import MAIL_CHECKS, answer_of, node_module

# What some client lacks, and what its readers see instead.
ALLOWED = {
    "<body> element": "it becomes a <div>; the tables inside carry colour and width",
    "<style> element": "the inline styles say all that matters",
    "@media": "one column fills any width without it",
    "Chaining selectors": "only Thunderbird needs these rules, and it has them",
    "Class selector": "as with all of <style>",
    "Descendant combinator": "as with all of <style>",
    "aria-label attribute": "Windows Mail's screen reader reads the text alone",
    "display:none": "the preview line stands above the mail, small",
    "max-height property": "display:none hides the preview line",
    "opacity": "display:none hides the preview line",
    "overflow": "display:none hides the preview line",
    "role attribute": "Windows Mail's screen reader announces tables",
    "word-break": "a very long word widens the mail in Windows Mail",
    "word-spacing": "it is the default",
}


@pytest.fixture(scope="session")
def findings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the two tools say of all mails, from one process."""
    node_module("html-validate")
    mails = json.dumps({kind.name: kind.html for kind in every_kind()})
    answer = answer_of(
        "node", MAIL_CHECKS / "check.mjs", question=mails.encode(), home=tmp_path_factory.mktemp("node")
    )
    found: dict[str, Any] = json.loads(answer)
    return found


def test_every_kind_of_mail_is_valid_html(findings: dict[str, Any]) -> None:
    assert by_finding(findings["standards"]) == {}


def test_what_a_client_lacks_is_known_and_degrades(findings: dict[str, Any]) -> None:
    assert {name: clients for name, clients in findings["lacking"].items() if name not in ALLOWED} == {}


def test_nothing_is_allowed_that_no_mail_uses(findings: dict[str, Any]) -> None:
    assert ALLOWED.keys() - findings["lacking"].keys() == set()
