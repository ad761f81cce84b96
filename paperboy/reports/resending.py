"""What is sent again by hand, and what a restored backup does not know."""

import getpass
from collections.abc import Iterable
from datetime import UTC, datetime

from core.database import Database, reading
from core.settings import Settings
from delivery.progress import Progress
from delivery.report import DigestReport
from mailings import restore as reconciling
from mailings.context import house_of, open_office, rules_of
from mailings.resend import execute, plan
from mailings.resend.eligibility import RequestError
from paperboy.cli.installation import opened


def plan_resend(request: plan.Request, now: datetime | None) -> plan.Plan:
    """Who would get what by an operator's request."""
    settings, database = opened()
    return _plan(request, settings, database, now or datetime.now(UTC))


def _plan(request: plan.Request, settings: Settings, database: Database, now: datetime) -> plan.Plan:
    with reading(database) as session:
        return plan.plan(session, request, house_of(settings), now)


def resend(request: plan.Request, shown: str, now: datetime | None, progress: Progress) -> DigestReport:
    """Send the copies of a request, if its plan is still the one that was `shown` (its fingerprint)."""
    settings, database = opened()
    moment = now or datetime.now(UTC)
    plan = _plan(request, settings, database, moment)
    if plan.fingerprint != shown:
        raise RequestError("the plan has changed meanwhile, and nothing was sent: look at it again")
    with open_office(settings, database, now) as office:
        return execute.carry_out(
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
