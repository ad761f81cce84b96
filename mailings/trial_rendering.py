"""Renders issues on trial before they come into force, in a child process with limits on time and memory.

A post that cannot be rendered, or only with more time or memory than any post needs, is held and costs nothing else.
The child is this module itself: it reads issues as lines of JSON, and writes a line about each.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from itertools import product
from typing import Any

from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language
from core.slots import preview_slot
from emails.choose import edition_to_resend, editions_of_issue
from emails.content import MailSpec
from emails.edition import Edition
from emails.identity import MailIdentity
from emails.kinds import MailKind
from emails.message import longest_placeholders
from emails.rendering.render import render
from issues.arrivals import Arrival, IssueFacts
from issues.gist import leftover_summary
from issues.parse.content import IssueContent
from issues.serialize import content_from_json, issue_to_json

MAX_SECONDS = 120  # for all issues of a run; one takes two to four
MAX_MEGABYTES = 1024  # of address space; the largest legal posts take less than 200
MAX_REASON_CHARACTERS = 200
PUBLIC_FIELDS = {each.name for each in fields(MailIdentity)} - {"key", "signer"}


def faults_of(
    issues: Mapping[int, tuple[str, IssueContent]], *, identity: MailIdentity, daily_papers: int
) -> dict[int, str]:
    """Why issues (by topic id, with their address) cannot be rendered. Those that can be are not in the result.

    The mails name the `identity`. Its keys and the settings are not needed, and the child does not get them.
    """
    faults: dict[int, str] = {}
    left = dict(issues)
    while left:
        finished, why = _run_child(left, identity, daily_papers)
        faults |= {topic: reason for topic, reason in finished.items() if reason}
        # The child takes the issues in order, so the first unfinished one has ended it.
        left = {topic: issue for topic, issue in left.items() if topic not in finished}
        if left:
            culprit = next(iter(left))
            faults[culprit] = f"it cannot be rendered as a mail: {why}"
            del left[culprit]
    return faults


def _run_child(
    issues: Mapping[int, tuple[str, IssueContent]], identity: MailIdentity, daily_papers: int
) -> tuple[dict[int, str], str]:
    """What the child found, by topic id, and why it ended if it did not finish."""
    public = {name: value for name, value in vars(identity).items() if name in PUBLIC_FIELDS}
    common = {"identity": public | {"forum_names": dict(identity.forum_names)}, "daily_papers": daily_papers}
    lines = [
        json.dumps(common | {"topic": topic, "url": url, "issue": issue_to_json(content)})
        for topic, (url, content) in issues.items()
    ]
    try:
        child = subprocess.run(
            [sys.executable, "-m", "mailings.trial_rendering"],
            input="\n".join(lines).encode(),
            env=_environment_of_child(),
            capture_output=True,
            timeout=MAX_SECONDS,
            check=False,
        )
        output, why = child.stdout, "that ends the process"
    except subprocess.TimeoutExpired as error:
        output, why = error.stdout or b"", f"that takes longer than {MAX_SECONDS} seconds"
    results = [json.loads(line) for line in output.splitlines() if line.startswith(b"{")]
    return {result["topic"]: result["fault"] for result in results}, why


def _environment_of_child() -> dict[str, str]:
    """The environment without settings, because they can hold passwords, and the child reads what anybody wrote."""
    from core.settings import PREFIX  # noqa: PLC0415  loading it would delay the child

    others = {name: value for name, value in os.environ.items() if not name.upper().startswith(PREFIX)}
    return others | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


# --- in the child -------------------------------------------------------------------


def main() -> None:
    """Render every issue that standard input brings, in every kind of mail."""
    limit = MAX_MEGABYTES * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for line in sys.stdin:
        entry = json.loads(line)
        sys.stdout.write(json.dumps({"topic": entry["topic"], "fault": _fault_of(entry)}) + "\n")
        sys.stdout.flush()


def _fault_of(entry: Mapping[str, Any]) -> str:
    """Why an issue cannot be rendered, or empty if it can be."""
    identity = MailIdentity(**entry["identity"], key=b"no link is used")
    try:
        content = content_from_json(entry["issue"])
        for edition in _editions(entry["topic"], entry["url"], content, entry["daily_papers"]):
            render(edition, identity, longest=longest_placeholders(identity))
    except MemoryError:
        return f"it cannot be rendered as a mail: that takes more than {MAX_MEGABYTES} MB"
    except Exception as error:  # noqa: BLE001  whatever it is, it would be raised in the digest as well
        reason = (str(error) or type(error).__name__).splitlines()[0][:MAX_REASON_CHARACTERS]
        return f"it cannot be rendered as a mail: {reason}"
    return ""


def _editions(topic_id: int, url: str, content: IssueContent, daily_papers: int) -> Iterator[Edition]:
    papers = arrivals_of(topic_id, url, content)
    for language, frequency, detail in product(Language, Frequency, Detail):
        spec = MailSpec(preview_slot(frequency), language, frequency, detail=detail)
        yield from editions_of_issue(papers, spec, daily_papers=daily_papers)
    for language in Language:
        spec = MailSpec(preview_slot("correction"), language, Frequency.WEEKLY, MailKind.CORRECTION)
        yield edition_to_resend(papers, spec)


def arrivals_of(topic_id: int, url: str, content: IssueContent) -> Sequence[Arrival]:
    """The papers of a parsed issue as if they arrived in an empty store."""
    facts = IssueFacts(
        topic_id=topic_id,
        week=content.week,
        url=url,
        overview=content.overview,
        summary=leftover_summary(content.summary, content.papers),
        closing=content.closing,
        first_arrival=1,
        papers=len(content.papers),
    )
    return [
        Arrival(position, position, position, facts, paper)
        for position, paper in enumerate(content.papers, 1)
    ]


if __name__ == "__main__":
    main()
