"""Notices to the operator: one mail about one trouble, past the outbox and its suppressions."""

import secrets
from datetime import datetime

from delivery.transport.pool import Transport, send_one
from emails.letters import Notice, operator_notice
from emails.message import Content, House, Reader, build

LANGUAGE = "en"  # of the command line and the guide, too


def notify(transport: Transport, house: House, operator: str, notice: Notice, now: datetime) -> None:
    """Send a notice to the operator's address.

    Raises:
        Refusal: the server does not take it.
    """
    letter = operator_notice(notice, LANGUAGE)
    content = Content(
        letter.kind, letter.language, "", letter.subject, letter.html, letter.text, letter.nonce
    )
    reader = Reader(operator, "", "0" * 16, LANGUAGE)
    message_id = f"{secrets.token_hex(16)}@{house.domain}"
    send_one(transport, build(content, reader, house, message_id=message_id, now=now))
