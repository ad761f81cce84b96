"""A copy of one issue to one reader, by an operator's hand."""

import secrets
from collections.abc import Sequence
from datetime import datetime

from core.runs import record
from emails import planning, tally
from emails.digests import Rules
from emails.edition import whole_edition
from emails.message import widest
from emails.render import render
from emails.report import Account, DigestReport, account, edition_entry
from emails.sending import Office, drain
from issues.models import Issue
from issues.store import Arrival
from subscribers.accounts import AccountError, find


def resend(
    office: Office,
    issue: Issue,
    papers: Sequence[Arrival],
    address: str,
    *,
    now: datetime,
    rules: Rules,
    dry_run: bool,
) -> DigestReport:
    """Send one reader a copy of a whole issue, in their language; no cursor moves.

    A copy that an earlier run left planned is sent in place of a second one.

    Raises:
        AccountError: nobody active has the address.
    """
    copies = f"resend:{issue.topic_id}:"
    report = DigestReport(copies + secrets.token_hex(4), candidates=1)
    with office.database.sessions.begin() as session:
        subscriber = find(session, address)
        if subscriber is None or subscriber.status != "active":
            state = subscriber.status if subscriber else "not subscribed"
            raise AccountError(f"{address} is {state}: only active readers are mailed")
        left = planning.open_copy(session, subscriber.id, copies)
        report.slot = left or report.slot
        edition = whole_edition(papers, slot=report.slot, language=subscriber.language)
        rendered = render(edition, archive=office.house.archive, widest=widest(office.house))
        report.editions.append(edition_entry(edition, rendered, 1))
        if dry_run:
            report.planned = 1
            return report
        if not left:
            row = planning.add_edition(session, edition, rendered, 0, now)
            planning.plan_copy(session, row, subscriber.id, domain=office.house.domain, now=now)
    report.stopped = drain(office, report.slot, repeat_uncertain=rules.repeat_uncertain).stopped
    with office.database.sessions.begin() as session:
        account(
            report,
            Account(),
            tally.account_of(session, report.slot) or Account({("skipped", "forgotten"): 1}),
        )
        record(session, "resend", report.as_json(), now, slot=report.slot)
    return report
