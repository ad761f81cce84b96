"""The alarms: what operators are told as soon as it is seen. `monitoring.notices` sends them."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from delivery import queries
from delivery.bounce_log import bounces_by_slot
from emails.letters import OperatorNotice
from issues.models import Issue
from issues.paper_rows import MAX_ABSENCE
from issues.queries import held_since, hold_reasons, newest_publication, week_problem
from monitoring.notices import Alarm

MAX_FORUM_SILENCE = timedelta(days=10)  # of a forum that posts once a week
MAX_HELD_ALARM = timedelta(days=10)  # after which a held issue or a deleted post raises no alarm any more
BOUNCE_WINDOW = timedelta(days=7)
MIN_BOUNCES = 20  # fewer say nothing about a rate
GUIDE = "docs/operating.md#alarms"
MAX_CAUSE_CHARACTERS = 100


def failed_run_alarm(flow: str, reason: str) -> Alarm:
    """The alarm of a flow run that failed or crashed. Another reason is another cause; other numbers are not."""
    cause = f"{flow} failed: {re.sub(r'[0-9]+', '#', reason)}"[:MAX_CAUSE_CHARACTERS]
    notice = OperatorNotice(
        what=f"a run of {flow} failed",
        cause=reason,
        remedy=f"Correct what the reason names, then run it again: nobody gets a mail twice. See {GUIDE}",
        facts={"flow": flow},
    )
    return Alarm(cause, notice)


def issue_alarms(session: Session, now: datetime, held_for: timedelta = MAX_HELD_ALARM) -> Iterator[Alarm]:
    """Alarms of issues that were held within a time, of posts that are gone, and of a forum that says nothing."""
    yield from (_held_alarm(issue) for issue in held_since(session, now - held_for) if not issue.deleted_at)
    gone = select(Issue).where(Issue.deleted_at > now - MAX_HELD_ALARM).order_by(Issue.id)
    yield from (_deleted_alarm(issue) for issue in session.scalars(gone))
    newest = newest_publication(session)
    if newest and now - newest > MAX_FORUM_SILENCE:
        yield _silence_alarm(newest)


def _held_alarm(issue: Issue) -> Alarm:
    topic = issue.topic_id
    if week_problem(issue):
        what = f"the weekly post of {issue.published_at:%Y-%m-%d} is held"
        remedy = (
            "Correct the title on the forum, or give the issue the first day of its week: "
            f"`paperboy issues accept {topic} --week YYYY-MM-DD`."
        )
    else:
        what = f"the issue of {issue.week_start} is held"
        remedy = f"Correct the post on the forum, or mail it as it is: `paperboy issues release {topic}`."
    notice = OperatorNotice(
        what=what,
        cause=f"The post was not taken over: {'; '.join(hold_reasons(issue))}.",
        remedy=f"{remedy} See {GUIDE}",
        facts={"topic": str(topic), "post": issue.url},
    )
    return Alarm(f"topic {topic} is held", notice, page=f"issues/{topic}")


def _deleted_alarm(issue: Issue) -> Alarm:
    consequence = (
        "Its papers are not mailed any further" if issue.revision else "It was held and never mailed"
    )
    notice = OperatorNotice(
        what=f"the post of the issue of {issue.week_start} is gone",
        cause=f"The forum no longer has it. {consequence}.",
        remedy=(
            "Nothing, if that is meant. If the post returns within "
            f"{MAX_ABSENCE.days // 7} weeks, its papers go to those who lack them. See {GUIDE}"
        ),
        facts={"topic": str(issue.topic_id), "post": issue.url},
    )
    return Alarm(f"topic {issue.topic_id} is gone", notice, page=f"issues/{issue.topic_id}")


def _silence_alarm(newest: datetime) -> Alarm:
    notice = OperatorNotice(
        what="no new issue for ten days",
        cause=f"The newest weekly post is of {newest:%Y-%m-%d}: readers get nothing.",
        remedy=f"See whether the forum posts, and whether the feed brings it: paperboy doctor. See {GUIDE}",
        facts={"newest post": f"{newest:%Y-%m-%d %H:%M} UTC"},
    )
    return Alarm("no new issue", notice)


def bounce_alarms(session: Session, now: datetime, max_percent: int) -> Iterator[Alarm]:
    """Alarms of digests of which more than `max_percent` bounced within a week, unless they are only a few."""
    for slot, bounced in bounces_by_slot(session, now - BOUNCE_WINDOW).items():
        if bounced < MIN_BOUNCES:
            continue
        states = queries.count_slot_by_state(session, slot)
        sent = states["sent"] + states["failed"]  # a delivery that bounces becomes failed
        if bounced * 100 > max_percent * sent:
            yield Alarm(
                f"bounces of {slot}",
                OperatorNotice(
                    what="many mails come back",
                    cause=f"{bounced} of the {sent} mails of {slot} came back; the limit is {max_percent} %.",
                    remedy=f"Large providers block senders for this: see why they came back. See {GUIDE}",
                    facts={"slot": slot, "returned": str(bounced), "sent": str(sent)},
                ),
                page=f"bounces?slot={slot}",
            )
