"""html-validate and caniemail check the HTML of every kind of mail."""

import json
from typing import Any

import pytest

from tests.support.all_mails import every_kind, summary
from tests.support.programs import MAIL_CHECKS, node_module, output_of

# Features that some client lacks, and what its users see instead.
ACCEPTED = {
    "<style> element": "the two languages stand one below the other, and a dark mode inverts the colours",
    "@media": "the two languages stand one below the other, and a dark mode inverts the colours",
    "color-scheme CSS property": "a dark mode inverts the colours",
    "color-scheme meta tag": "a dark mode inverts the colours",
    "<body> element": "it becomes a <div>, and the tables inside have colour and width",
    "aria-label attribute": "Windows Mail's screen reader reads the text alone",
    "display:none": "the preheader is visible above the mail",
    "role attribute": "Windows Mail's screen reader announces tables",
    "white-space": "a name of several words takes two lines above the mail",
    "word-break": "Korean lines break inside words",
    "word-wrap": "a very long word widens the mail",
}


@pytest.fixture(scope="session")
def findings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the two tools report about all mails, from one process."""
    node_module("html-validate")
    mails = json.dumps({kind.name: kind.html for kind in every_kind()})
    output = output_of(
        "node", MAIL_CHECKS / "check.mjs", standard_input=mails.encode(), home=tmp_path_factory.mktemp("node")
    )
    found: dict[str, Any] = json.loads(output)
    return found


def test_every_kind_of_mail_is_valid_html(findings: dict[str, Any]) -> None:
    found = summary(findings["standards"])
    assert not found, found


def test_every_feature_that_a_client_lacks_is_accepted(findings: dict[str, Any]) -> None:
    found = {name: clients for name, clients in findings["lacking"].items() if name not in ACCEPTED}
    assert not found, found


def test_no_feature_is_accepted_that_no_mail_uses(findings: dict[str, Any]) -> None:
    unused = ACCEPTED.keys() - findings["lacking"].keys()
    assert not unused, unused
