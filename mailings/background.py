"""What the pages send in the background: letters that somebody waits for, notices to the operator, and resends."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from core.database import Database, read_only
from core.settings import Settings
from core.slots import is_resend_slot
from delivery import outbox, queries
from delivery.context import Clock, SendingContext
from delivery.planner import PRIORITY_QUEUE
from delivery.sender import send_due
from delivery.transport.base import SendError
from emails.letters import OperatorNotice
from mailings.account_mails import answer_signup_requests
from mailings.context import identity_from, open_sending_context, rules_from
from mailings.own_copies import answer_copy_requests
from monitoring.notices import OperatorContact, operator_contact, send_notice


def send_letters(settings: Settings, database: Database, clock: Clock, notices: deque[OperatorNotice]) -> str:
    """Answer sign-up requests, and send the priority queue and the notices.

    Returns what keeps mails from being sent, or nothing. A notice that was sent is removed from `notices`.
    """
    with database.sessions.begin() as session:
        answer_signup_requests(session, identity_from(settings), clock())
        is_idle = not notices and not queries.count_due(session, PRIORITY_QUEUE, clock())
    if is_idle:
        return ""
    with _sending_context(settings, database, clock) as context:
        result = send_due(context, PRIORITY_QUEUE, repeat_uncertain=rules_from(settings).repeat_uncertain)
        return result.stopped or _send_notices(context, operator_contact(settings), notices)


def send_resends(settings: Settings, database: Database, clock: Clock) -> str:
    """Send the copies that operators have approved and subscribers asked for.

    Returns what keeps them from being sent, or nothing.
    """
    answer_copy_requests(database.sessions, identity_from(settings), clock())
    with read_only(database) as session:
        queues = [queue for queue in outbox.queues_with_work(session) if is_resend_slot(queue)]
        if not queries.is_any_due(session, queues, clock()):
            return ""
    with _sending_context(settings, database, clock) as context:
        for queue in queues:
            result = send_due(context, queue, repeat_uncertain=rules_from(settings).repeat_uncertain)
            if result.stopped:
                return result.stopped
    return ""


@contextmanager
def _sending_context(settings: Settings, database: Database, clock: Clock) -> Iterator[SendingContext]:
    with open_sending_context(settings, database) as context:
        yield replace(context, clock=clock)


def _send_notices(context: SendingContext, operator: OperatorContact, notices: deque[OperatorNotice]) -> str:
    """Send the notices to the operator. Those that are not accepted stay for the next time."""
    for notice in tuple(notices):
        try:
            send_notice(context.transport, context.identity, operator, notice, context.clock())
        except SendError as error:
            return f"a notice to the operator: {error.anonymous}"
        with suppress(ValueError):  # newer notices have pushed it out meanwhile
            notices.remove(notice)
    return ""
