"""What is sent again by hand, and what a restored backup does not know."""

import getpass
from collections.abc import Iterable
from datetime import UTC, datetime

from core.database import Database, reading
from core.settings import Settings
from emails import copies, resends
from emails import reconcile as reconciling
from emails.engine.progress import Progress
from emails.needs import RequestError
from emails.office import house_of, open_office, rules_of
from emails.report import DigestReport
from paperboy.reports.installation import opened


def plan_resend(request: resends.Request, now: datetime | None) -> resends.Plan:
    """Who would get what by an operator's request."""
    settings, database = opened()
    return _plan(request, settings, database, now or datetime.now(UTC))


def _plan(request: resends.Request, settings: Settings, database: Database, now: datetime) -> resends.Plan:
    with reading(database) as session:
        return resends.plan(session, request, house_of(settings), now)


def resend(request: resends.Request, shown: str, now: datetime | None, progress: Progress) -> DigestReport:
    """Send the copies of a request, if its plan is still the one that was `shown` (its fingerprint)."""
    settings, database = opened()
    moment = now or datetime.now(UTC)
    plan = _plan(request, settings, database, moment)
    if plan.fingerprint != shown:
        raise RequestError("the plan has changed meanwhile, and nothing was sent: look at it again")
    with open_office(settings, database, now) as office:
        return copies.carry_out(
            office,
            plan,
            asked_by=f"{getpass.getuser()} in a terminal",
            rules=rules_of(settings),
            now=moment,
            progress=progress,
        )


def reconcile(log: Iterable[str], now: datetime | None) -> reconciling.Reconciled:
    """Settle what the mail server's log says was sent, and a restored backup does not know."""
    settings, database = opened()
    domain = house_of(settings).domain
    return reconciling.reconcile(database.sessions, log, domain=domain, now=now or datetime.now(UTC))
