"""Alarms: what an operator is told of by mail, past the outbox and its suppressions, once a cause and day."""

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from core.database import Sessions, upsert
from delivery import queries
from delivery.models import Alarm
from delivery.sender import Office
from delivery.transport.smtp.replies import Refusal
from emails.letters import Notice
from issues.store import held_since, newest_publication, problems_of
from monitoring.notices import notify

logger = logging.getLogger(__name__)

SILENCE = timedelta(days=10)  # of a forum that posts once a week
HELD_FOR = timedelta(days=10)  # an issue that nobody releases is told of no longer
RETURNED_FOR = timedelta(days=7)
FEW_RETURNED = 20  # less than these say nothing about a rate
GUIDE = "docs/operating.md#alarms"
_LONGEST_CAUSE = 100


@dataclass(frozen=True)
class Trouble:
    """What is wrong, told once a day under the name of its `cause`."""

    cause: str
    notice: Notice


def tell(office: Office, operator: str, troubles: Sequence[Trouble], local_now: datetime) -> None:
    """Log each trouble, and tell the operator, if there is one, of those not told of today.

    A notice that the mail server does not take counts as not told: the next call tries again.
    """
    for trouble in troubles:
        facts = {"cause": trouble.cause}
        logger.warning("%s: %s", trouble.notice.what, trouble.notice.cause, extra=facts)
        if operator and _note(office.database.sessions, trouble, local_now):
            try:
                notify(office.transport, office.house, operator, trouble.notice, local_now)
            except Refusal as refusal:
                _forget(office.database.sessions, trouble, local_now)
                logger.warning("the operator could not be told: %s", refusal.unaddressed, extra=facts)


def _note(sessions: Sessions, trouble: Trouble, local_now: datetime) -> bool:
    """Write down that a trouble is told of today; whether it was not yet."""
    with sessions.begin() as session:
        row = upsert(session, Alarm).values(cause=trouble.cause, day=local_now.date(), told_at=local_now)
        return session.scalar(row.on_conflict_do_nothing().returning(Alarm.cause)) is not None


def _forget(sessions: Sessions, trouble: Trouble, local_now: datetime) -> None:
    with sessions.begin() as session:
        if told := session.get(Alarm, (trouble.cause, local_now.date())):
            session.delete(told)


# --- what is wrong ------------------------------------------------------------------


def failed_run(flow: str, reason: str) -> Trouble:
    """A flow run that failed or crashed; another reason is another cause, other numbers in it are not."""
    cause = f"{flow} failed: {re.sub(r'[0-9]+', '#', reason)}"[:_LONGEST_CAUSE]
    notice = Notice(
        what=f"a run of {flow} failed",
        cause=reason,
        remedy=f"Mend what the reason names, then run it again: nobody gets a mail twice. See {GUIDE}",
        facts={"flow": flow},
    )
    return Trouble(cause, notice)


def troubles_of_issues(session: Session, now: datetime, held_for: timedelta = HELD_FOR) -> Iterator[Trouble]:
    """Issues that are held, for no longer than a time, and a forum that has been silent for too long."""
    for issue in held_since(session, now - held_for):
        name = issue.week_start.isoformat()
        yield Trouble(
            f"issue {name} is held",
            Notice(
                what=f"the issue of {name} is held",
                cause=f"The post was not taken over: {'; '.join(problems_of(issue))}.",
                remedy=f"Mend the post on the forum, or run: paperboy issues release {name}. See {GUIDE}",
                facts={"issue": name, "post": issue.url},
            ),
        )
    newest = newest_publication(session)
    if newest and now - newest > SILENCE:
        yield Trouble(
            "no new issue",
            Notice(
                what="no new issue for ten days",
                cause=f"The newest weekly post is of {newest:%Y-%m-%d}: readers get nothing.",
                remedy=f"See whether the forum posts, and whether the feed brings it: paperboy doctor. See {GUIDE}",
                facts={"newest post": f"{newest:%Y-%m-%d %H:%M} UTC"},
            ),
        )


def troubles_of_bounces(session: Session, now: datetime, most: int) -> Iterator[Trouble]:
    """Digests of which more than `most` percent came back within a week, and no small number."""
    for slot, returned in queries.returned_by_slot(session, now - RETURNED_FOR).items():
        if returned < FEW_RETURNED:
            continue
        states = queries.states_in(session, slot)
        sent = states["sent"] + states["failed"]  # what came back has failed
        if returned * 100 > most * sent:
            yield Trouble(
                f"bounces of {slot}",
                Notice(
                    what="many mails come back",
                    cause=f"{returned} of the {sent} mails of {slot} came back; the limit is {most} %.",
                    remedy=f"Large providers block senders for this: see why they came back. See {GUIDE}",
                    facts={"slot": slot, "returned": str(returned), "sent": str(sent)},
                ),
            )
