"""Alarms: what the operator is told by mail, each cause once a day. They bypass the outbox and its suppressions."""

import logging
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.database import Sessions, upsert
from core.frequencies import Frequency
from core.languages import Language
from delivery import queries
from delivery.bounce_log import bounces_by_slot
from delivery.context import SendingContext
from delivery.models import SentAlarm
from delivery.transport.base import SendError, Transport, send_one
from emails.content import MailSpec
from emails.identity import MailIdentity
from emails.kinds import MailKind
from emails.letters import OperatorNotice, operator_letter
from emails.message import Recipient, build_message
from issues.models import Issue
from issues.paper_rows import MAX_ABSENCE
from issues.queries import held_since, hold_reasons, newest_publication, week_problem

logger = logging.getLogger(__name__)

OPERATOR_LANGUAGE = Language.EN  # of the command line and the guide, too
MAX_FORUM_SILENCE = timedelta(days=10)  # of a forum that posts once a week
MAX_HELD_ALARM = timedelta(days=10)  # after which a held issue or a deleted post raises no alarm any more
BOUNCE_WINDOW = timedelta(days=7)
MIN_BOUNCES = 20  # fewer say nothing about a rate
GUIDE = "docs/operating.md#alarms"
MAX_CAUSE_CHARACTERS = 100
NOTICE_SPEC = MailSpec(MailKind.NOTICE, OPERATOR_LANGUAGE, Frequency.WEEKLY, MailKind.NOTICE)


@dataclass(frozen=True)
class Alarm:
    """What is wrong; the operator is told once a day about each `cause`."""

    cause: str
    notice: OperatorNotice


def send_alarms(context: SendingContext, operator: str, alarms: Sequence[Alarm], local_now: datetime) -> None:
    """Log each alarm, and mail the operator (if there is one) those that were not sent today.

    An alarm that the mail server does not accept counts as not sent, so the next call tries again.
    """
    for alarm in alarms:
        facts = {"cause": alarm.cause}
        logger.warning("%s: %s", alarm.notice.what, alarm.notice.cause, extra=facts)
        if operator and _record_sent(context.database.sessions, alarm, local_now):
            try:
                send_notice(context.transport, context.identity, operator, alarm.notice, local_now)
            except SendError as error:
                _forget_sent(context.database.sessions, alarm, local_now)
                logger.warning("the operator could not be told: %s", error.anonymous, extra=facts)


def send_notice(
    transport: Transport, identity: MailIdentity, operator: str, notice: OperatorNotice, now: datetime
) -> None:
    """Send one notice to the operator's address.

    Raises:
        SendError: the server does not accept it.
    """
    message = build_message(
        NOTICE_SPEC,
        operator_letter(notice, OPERATOR_LANGUAGE, identity),
        Recipient(operator, "", "0" * 16),
        identity,
        message_id=f"{secrets.token_hex(16)}@{identity.domain}",
        now=now,
    )
    send_one(transport, message)


def _record_sent(sessions: Sessions, alarm: Alarm, local_now: datetime) -> bool:
    """Record that an alarm is sent today. Returns whether it had not been."""
    with sessions.begin() as session:
        row = upsert(session, SentAlarm).values(cause=alarm.cause, day=local_now.date(), sent_at=local_now)
        return session.scalar(row.on_conflict_do_nothing().returning(SentAlarm.cause)) is not None


def _forget_sent(sessions: Sessions, alarm: Alarm, local_now: datetime) -> None:
    with sessions.begin() as session:
        if sent := session.get(SentAlarm, (alarm.cause, local_now.date())):
            session.delete(sent)


# --- the alarms ---------------------------------------------------------------------


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
        name = f"weekly post of {issue.published_at:%Y-%m-%d}"
        remedy = (
            "Correct the title on the forum, or give the issue the first day of its week: "
            f"`paperboy issues accept {topic} --week YYYY-MM-DD`."
        )
    else:
        name = f"issue of {issue.week_start}"
        remedy = f"Correct the post on the forum, or mail it as it is: `paperboy issues release {topic}`."
    notice = OperatorNotice(
        what=f"the {name} is held",
        cause=f"The post was not taken over: {'; '.join(hold_reasons(issue))}.",
        remedy=f"{remedy} See {GUIDE}",
        facts={"topic": str(topic), "post": issue.url},
    )
    return Alarm(f"topic {topic} is held", notice)


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
    return Alarm(f"topic {issue.topic_id} is gone", notice)


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
            )
