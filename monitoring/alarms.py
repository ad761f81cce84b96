"""The alarms: what operators are told as soon as it is seen. `monitoring.notices` sends them."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from delivery.bounce_log import bounces_by_provider, count_to_provider, returned_by_slot
from delivery.counts import count_slot_by_state
from emails.letters import OperatorNotice
from issues.models import Issue
from issues.paper_rows import MAX_ABSENCE
from issues.queries import held_since, hold_reasons, newest_publication, week_problem
from monitoring.notices import Alarm

MAX_FORUM_SILENCE = timedelta(days=10)  # of a forum that posts once a week
MAX_HELD_ALARM = timedelta(days=10)  # after which a held issue or a deleted post raises no alarm any more
RETURN_WINDOW = timedelta(days=7)  # in which bounces and complaints count
MIN_BOUNCES = 20  # fewer say nothing about a rate
MIN_PROVIDER_BOUNCES = 10
MIN_COMPLAINTS = 3
NOTABLE_COMPLAINTS, ALARMING_COMPLAINTS = 0.001, 0.003  # of the mails, as Gmail and Yahoo count them
GUIDE = "docs/operating.md#alarms"
PROBE_GUIDE = "docs/watching.md#probe"
PROVIDERS_GUIDE = "docs/sending.md#providers"
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


def probe_alarm(cause: str) -> Alarm:
    """The alarm of a probe that was not well."""
    notice = OperatorNotice(
        what="the probe found a fault",
        cause=cause,
        remedy=f"Digests go out all the same. Run `paperboy probe`, which says what to do. See {PROBE_GUIDE}",
        facts={},
    )
    return Alarm("probe", notice)


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


def mail_alarms(session: Session, now: datetime, max_percent: int) -> Iterator[Alarm]:
    """Alarms of digests of the last week that bounced too often, in all or at one provider, or brought complaints.

    `max_percent` is the percentage of mails that may bounce.
    """
    since = now - RETURN_WINDOW
    for slot, bounced in returned_by_slot(session, since, "bounce").items():
        if bounced >= MIN_BOUNCES:
            yield from _bounce_alarm(session, slot, bounced, max_percent)
        yield from _provider_alarms(session, slot, since, max_percent)
    for slot, complaints in returned_by_slot(session, since, "complaint").items():
        sent = _count_answered(session, slot)
        if complaints >= MIN_COMPLAINTS and complaints >= ALARMING_COMPLAINTS * sent:
            yield _complaint_alarm(slot, complaints, sent)


def _count_answered(session: Session, slot: str) -> int:
    """The mails of a slot that a server has answered for good. A delivery that bounces becomes failed."""
    states = count_slot_by_state(session, slot)
    return states["sent"] + states["failed"]


def _bounce_alarm(session: Session, slot: str, bounced: int, max_percent: int) -> Iterator[Alarm]:
    sent = _count_answered(session, slot)
    if bounced * 100 > max_percent * sent:
        notice = OperatorNotice(
            what="many mails come back",
            cause=f"{bounced} of the {sent} mails of {slot} came back; the limit is {max_percent} %.",
            remedy=f"Large providers block senders for this: see why they came back. See {GUIDE}",
            facts={"slot": slot, "returned": str(bounced), "sent": str(sent)},
        )
        yield Alarm(f"bounces of {slot}", notice, page=f"bounces?slot={slot}")


def _provider_alarms(session: Session, slot: str, since: datetime, max_percent: int) -> Iterator[Alarm]:
    """Alarms of large providers that send more back than others. A provider that refuses us is ours to win back."""
    for provider, bounced in bounces_by_provider(session, slot, since).items():
        if bounced < MIN_PROVIDER_BOUNCES:
            continue
        sent = count_to_provider(session, slot, provider)
        if bounced * 100 > max_percent * sent:
            notice = OperatorNotice(
                what=f"{provider} sends many mails back",
                cause=f"{bounced} of the {sent} mails of {slot} to {provider} came back; the limit is {max_percent} %.",
                remedy=f"See the reasons, and what {provider} says about this sender. See {PROVIDERS_GUIDE}",
                facts={"slot": slot, "returned": str(bounced), "sent": str(sent)},
            )
            yield Alarm(f"bounces of {slot} at {provider}", notice, page=f"bounces?slot={slot}")


def _complaint_alarm(slot: str, complaints: int, sent: int) -> Alarm:
    notice = OperatorNotice(
        what="subscribers report our mails as spam",
        cause=f"{complaints} of the {sent} mails of {slot} were reported; large providers allow 0.3 %.",
        remedy=(
            "See who reported them and when they joined: an import without consent is the usual cause. "
            f"See {GUIDE}"
        ),
        facts={"slot": slot, "reported": str(complaints), "sent": str(sent)},
    )
    return Alarm(f"complaints of {slot}", notice, page=f"bounces?slot={slot}")


def complaint_notes(session: Session, now: datetime) -> Iterator[OperatorNotice]:
    """Digests of the last week whose complaints are worth a look, but no alarm yet."""
    for slot, complaints in returned_by_slot(session, now - RETURN_WINDOW, "complaint").items():
        sent = _count_answered(session, slot)
        if (
            complaints >= MIN_COMPLAINTS
            and NOTABLE_COMPLAINTS * sent <= complaints < ALARMING_COMPLAINTS * sent
        ):
            yield OperatorNotice(
                what="some subscribers report our mails as spam",
                cause=f"{complaints} of the {sent} mails of {slot} were reported; providers want less than 0.1 %.",
                remedy="See who reported them. From 0.3 % on, large providers refuse the sender.",
                facts={"slot": slot},
            )
