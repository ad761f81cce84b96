"""The shared forum is read right: each post is stored as its file of the truth has it, and a fault changes nothing."""

import json
from pathlib import Path
from typing import Any

import pytest

from core.database import Database
from issues import fetch
from tests.support.intakes import HOUR, NOW, dump, error_of, feed_of, read, stored_issues
from tests.support.parsed_posts import simplified, simplified_truth


def truths(shared_forum: Path, state: str) -> dict[int, dict[str, Any]]:
    """The truth of each post by topic id, as far as a parser can know it."""
    files = (shared_forum / "site" / state / "truth").glob("*.json")
    found = (json.loads(file.read_text(encoding="utf-8")) for file in files)
    return {truth["topic_id"]: simplified_truth(_comparable(truth)) for truth in found}


def _comparable(truth: dict[str, Any]) -> dict[str, Any]:
    issue = ("title", "week_start", "week_end", "overview_ko")
    paper = (
        *("title_ko", "title_en", "intro_ko", "intro_en", "abstract_ko", "abstract_en"),
        *("paper_url", "more_urls"),
    )
    papers = [{name: entry[name] for name in paper} for entry in truth["papers"]]
    summary = truth.get("summary_ko", [])
    return {name: truth[name] for name in issue} | {"summary_ko": summary, "papers": papers}


@pytest.mark.parametrize("state", ["base", "edited"])
def test_every_shared_post_is_stored_as_its_truth_says(
    database: Database, shared: Any, shared_forum: Path, state: str
) -> None:
    shared.state = state
    report = read(database, feed_of(shared))
    truth = truths(shared_forum, state)
    assert {entry["topic_id"] for entry in (*report.new, *report.archived)} == set(truth)
    assert len(report.new) == 1
    assert stored_issues(database) == truth


def test_the_shared_forum_gets_a_conditional_request_and_its_304_changes_no_issue(
    database: Database, shared: Any
) -> None:
    read(database, feed_of(shared))
    before = dump(database)
    assert read(database, feed_of(shared), at=NOW + HOUR).not_modified
    first, second = [request for request in shared.requests if request["path"].endswith(".rss")]
    assert (first["status"], first["if_none_match"]) == (200, None)
    assert (second["status"], bool(second["if_none_match"])) == (304, True)
    del before["feeds"]
    assert dump(database, "feeds") == before


def test_the_edit_of_the_shared_forum_is_recognised_exactly(
    database: Database, shared: Any, shared_forum: Path
) -> None:
    read(database, feed_of(shared))
    shared.state = "edited"
    (changed,) = read(database, feed_of(shared), at=NOW + HOUR).changed
    documented = json.loads((shared_forum / "site" / "edited" / "changes.json").read_text(encoding="utf-8"))
    assert changed["topic_id"] == documented["topic_id"]
    assert list(changed["added"]) == documented["added"]
    assert changed["withdrawn"] == changed["moved"] == ()
    found = [*changed["retitled"], *changed["corrected"]]
    assert [_simplified_change(change) for change in found] == [
        _simplified_change(change) for change in documented["changed"]
    ]
    assert stored_issues(database) == truths(shared_forum, "edited")


def _simplified_change(change: dict[str, Any]) -> dict[str, str]:
    names = ("paper", "field", "before", "after")
    return {name: simplified(change[name]) for name in names}


SHARED_FAULTS = (
    "500",
    "429",
    "slow",
    "truncated",
    "cut",
    "html",
    "redirect-loop",
    "huge",
    "bomb",
    "entities",
    "drop",
)


def test_no_fault_of_the_shared_forum_changes_what_is_stored(
    database: Database, shared: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(database, feed_of(shared))
    before = dump(database)
    shared.state = "edited"
    monkeypatch.setattr(fetch, "MAX_SECONDS", 1)
    for fault in SHARED_FAULTS:
        shared.fault, shared.fault_times = fault, -1
        line = error_of(database, feed_of(shared))
        assert (fault, dump(database), "\n" in line) == (fault, before, False)
    shared.fault = ""
    assert len(read(database, feed_of(shared), at=NOW + HOUR).changed) == 1


@pytest.mark.parametrize("tags", ["", "?tags=names"])
def test_topics_of_the_shared_forum_are_stored_like_its_feed(
    database: Database, shared: Any, shared_forum: Path, tags: str
) -> None:
    truth = truths(shared_forum, "base")
    report = read(database, None, *(f"{shared.origin}/t/{number}.json{tags}" for number in truth))
    assert {entry["topic_id"] for entry in (*report.new, *report.archived)} == set(truth)
    assert stored_issues(database) == truth
    assert len(read(database, feed_of(shared), at=NOW + HOUR).unchanged) == len(truth)
