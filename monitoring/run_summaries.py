"""What a run did, in Markdown, for the people who look at it in Prefect. No address of a subscriber is in it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from delivery.queries import Refusals
from delivery.report import DigestReport

MAX_ROWS = 20  # of a table; what servers say can differ with each mail
STATES = ("sent", "deferred", "failed", "uncertain", "skipped", "planned")


def digest_summary(report: DigestReport, refusals: Refusals, pages: str) -> str:
    """A run that sends: its counts, who was skipped and why, what servers said, and links to the operator's pages.

    `pages` is the address of these pages, or empty if there are none.
    """
    counts = [(state, getattr(report, state)) for state in STATES]
    skipped = [(reason, count) for reason, count in report.reasons.items() if count]
    said = [(state, words, count) for (state, words), count in refusals.most_common()]
    editions = [
        (edition["language"], edition["detail"], edition["subject"], edition["papers"], edition["readers"])
        for edition in report.editions
    ]
    faults = [report.feed, report.stopped and f"stopped: {report.stopped}", *report.unrendered]
    return _page(
        f"## {report.slot}",
        f"{report.sent} of {report.candidates} sent.",
        _list(faults),
        _list(report.warm_up),
        _table(("mails", "number"), [*counts, ("candidates", report.candidates)]),
        _section("Skipped", ("reason", "subscribers"), skipped),
        _section("Not accepted", ("state", "the server said", "mails"), said),
        _section("Editions", ("language", "detail", "subject", "papers", "subscribers"), editions),
        _links(report, pages),
    )


def interrupted_summary(what: str, states: Counter[str]) -> str:
    """A run that was cancelled, or whose worker was stopped: what it has sent, and what is left."""
    return _page(
        f"## {what}", interrupted_line(what, states), _table(("mails", "number"), sorted(states.items()))
    )


def interrupted_line(what: str, states: Counter[str]) -> str:
    """The same in one line."""
    left = states["planned"] + states["claimed"] + states["sending"]
    sent = f"{states['sent']} sent, " if states["sent"] else ""
    return f"{what} was interrupted: {sent}{left} left, which the next run sends"


def values_summary(title: str, values: Mapping[str, object]) -> str:
    """The result of any other run, as a table."""
    rows = [(name, text) for name, value in values.items() if (text := as_text(value))]
    return _page(f"## {title}", _table(("what", "result"), rows))


def as_text(value: object) -> str:
    """A value in words; the contents of a dictionary or list one after the other."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {as_text(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return "; ".join(as_text(inner) for inner in value)
    return "" if value is None else str(value)


# --- Markdown -----------------------------------------------------------------------


def _links(report: DigestReport, pages: str) -> str:
    if not pages:
        return ""
    states = [state for state in ("failed", "deferred", "uncertain") if getattr(report, state)]
    mails = [
        f"[{state}]({pages}/mails?{urlencode({'slot': report.slot, 'state': state})})" for state in states
    ]
    everything = f"[All mails]({pages}/mails?{urlencode({'slot': report.slot})})"
    return " · ".join([f"[Overview]({pages})", everything, *mails])


def _section(title: str, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    return f"### {title}\n\n{_table(heads, rows)}" if rows else ""


def _table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    shown = [_row(row) for row in rows[:MAX_ROWS]]
    if len(rows) > MAX_ROWS:
        shown.append(_row([f"and {len(rows) - MAX_ROWS} more", *[""] * (len(heads) - 1)]))
    return "\n".join([_row(heads), _row(["---"] * len(heads)), *shown])


def _row(cells: Sequence[object]) -> str:
    return f"| {' | '.join(_escaped(str(cell)) for cell in cells)} |"


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {_escaped(line)}" for line in lines if line)


def _escaped(text: str) -> str:
    """A text in one line that is no Markdown and no HTML."""
    return " ".join(text.split()).replace("<", "&lt;").replace("|", "\\|")


def _page(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)
