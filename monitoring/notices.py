"""Notices to the operator: mails about alarms, each cause once a day. They bypass the outbox and its suppressions."""

import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from core.database import Sessions, upsert
from core.frequencies import Frequency
from core.languages import Language, TextLanguage
from core.settings import Settings
from delivery.context import SendingContext
from delivery.models import SentAlarm
from delivery.transport.base import SendError, Transport, send_one
from emails.content import MailSpec
from emails.identity import MailIdentity
from emails.kinds import MailKind
from emails.letters import OperatorNotice, operator_letter
from emails.message import Recipient, build_message
from monitoring.translation import translate

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class OperatorContact:
    """Where notices go, and the language in which they are written. Without an address nobody is told."""

    address: str
    language: TextLanguage


@dataclass(frozen=True)
class Alarm:
    """What is wrong; the operator is told once a day about each `cause`.

    `page` is the operator's page that shows it, such as `issues/9613`, or empty if there is none.
    """

    cause: str
    notice: OperatorNotice
    page: str = ""


def operator_contact(settings: Settings) -> OperatorContact:
    """Whom the settings name as the operator."""
    return OperatorContact(settings.operator, settings.operator_language)


def send_alarms(
    context: SendingContext, operator: OperatorContact, alarms: Sequence[Alarm], local_now: datetime
) -> None:
    """Log each alarm, and mail the operator (if there is an address) those that were not sent today.

    An alarm that the mail server does not accept, or that cannot be written, counts as not sent, so the next call tries
    again.
    """
    for alarm in alarms:
        facts = {"cause": alarm.cause}
        logger.warning("%s: %s", alarm.notice.what, alarm.notice.cause, extra=facts)
        if operator.address and _record_sent(context.database.sessions, alarm, local_now):
            try:
                send_notice(context.transport, context.identity, operator, alarm.notice, local_now)
            except Exception as error:  # noqa: BLE001  whatever it is, the other alarms are sent
                _forget_sent(context.database.sessions, alarm, local_now)
                why = error.anonymous if isinstance(error, SendError) else type(error).__name__
                logger.warning("the operator could not be told: %s", why, extra=facts)


def send_notice(
    transport: Transport,
    identity: MailIdentity,
    operator: OperatorContact,
    notice: OperatorNotice,
    now: datetime,
) -> None:
    """Send one notice to the operator's address, in the operator's language.

    Raises:
        SendError: the server does not accept it.
    """
    language = Language(operator.language)
    message = build_message(
        MailSpec(MailKind.NOTICE, language, Frequency.WEEKLY, MailKind.NOTICE),
        operator_letter(translated(notice, operator.language), language, identity),
        Recipient(operator.address, "", "0" * 16),
        identity,
        message_id=f"{secrets.token_hex(16)}@{identity.domain}",
        now=now,
    )
    send_one(transport, message)


def translated(notice: OperatorNotice, language: TextLanguage) -> OperatorNotice:
    """A notice in a language."""
    return replace(
        notice,
        what=translate(language, notice.what),
        cause=translate(language, notice.cause),
        remedy=translate(language, notice.remedy),
        facts={translate(language, name): translate(language, value) for name, value in notice.facts.items()},
    )


def _record_sent(sessions: Sessions, alarm: Alarm, local_now: datetime) -> bool:
    """Record that an alarm is sent today. Returns whether it had not been."""
    with sessions.begin() as session:
        row = upsert(session, SentAlarm).values(cause=alarm.cause, day=local_now.date(), sent_at=local_now)
        return session.scalar(row.on_conflict_do_nothing().returning(SentAlarm.cause)) is not None


def _forget_sent(sessions: Sessions, alarm: Alarm, local_now: datetime) -> None:
    with sessions.begin() as session:
        if sent := session.get(SentAlarm, (alarm.cause, local_now.date())):
            session.delete(sent)
