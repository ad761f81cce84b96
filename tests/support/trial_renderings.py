"""Renders each issue on trial once in a test process, because many tests read the same posts and a trial takes seconds."""

import json
import re
from collections.abc import Mapping
from typing import Any

from issues.parse.content import IssueContent
from issues.serialize import issue_to_json
from mailings import trial_rendering

_known: dict[str, str] = {}  # why an issue cannot be rendered, or empty, by the issue and the rules


def faults_of(issues: Mapping[int, tuple[str, IssueContent]], **rules: Any) -> dict[int, str]:
    """What `mailings.trial_rendering.faults_of` says, from memory where it was asked before."""
    keys = {topic: _key(url, content, rules) for topic, (url, content) in issues.items()}
    new = {topic: issues[topic] for topic, key in keys.items() if key not in _known}
    if new:
        found = trial_rendering.faults_of(new, **rules)
        _known.update({keys[topic]: found.get(topic, "") for topic in new})
    return {topic: _known[key] for topic, key in keys.items() if _known[key]}


def _key(url: str, content: IssueContent, rules: Mapping[str, Any]) -> str:
    """What identifies an issue. The port of the test's forum does not matter."""
    return re.sub(r"127\.0\.0\.1:\d+", "forum", json.dumps([url, issue_to_json(content), repr(rules)]))
