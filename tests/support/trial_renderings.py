"""Renders each issue on trial once in a run of the tests, because many tests read the same posts and a trial takes seconds."""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from issues.parse.content import IssueContent
from issues.serialize import issue_to_json
from mailings import trial_rendering


def faults_of(issues: Mapping[int, tuple[str, IssueContent]], *, known: Path, **rules: Any) -> dict[int, str]:
    """What `mailings.trial_rendering.faults_of` says, from a file in the folder `known` where it was asked before.

    A file says why an issue cannot be rendered, or is empty.
    """
    files = {topic: known / _key(url, content, rules) for topic, (url, content) in issues.items()}
    new = {topic: issues[topic] for topic, file in files.items() if not file.exists()}
    if new:
        found = trial_rendering.faults_of(new, **rules)
        for topic in new:
            _write(files[topic], found.get(topic, ""))
    said = {topic: file.read_text("utf-8") for topic, file in files.items()}
    return {topic: why for topic, why in said.items() if why}


def _key(url: str, content: IssueContent, rules: Mapping[str, Any]) -> str:
    """What identifies an issue. The port of the test's forum does not matter."""
    asked = re.sub(r"127\.0\.0\.1:\d+", "forum", json.dumps([url, issue_to_json(content), repr(rules)]))
    return hashlib.sha256(asked.encode()).hexdigest()


def _write(file: Path, text: str) -> None:
    """Write a file at once, because other processes may read it."""
    unfinished = file.with_suffix(f".{os.getpid()}")
    unfinished.write_text(text, "utf-8")
    unfinished.replace(file)
