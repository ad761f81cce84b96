"""A mail to try the way with: to nobody on the list, with the headers of a digest, of no digest's text."""

import secrets
from datetime import datetime

from emails.letters import Notice, operator_notice
from emails.message import Content, House, Message, Reader, build

_NOTICE = Notice(
    what="this is a trial",
    cause="Somebody asked `paperboy doctor` to send a mail to this address.",
    remedy="Look at its source: Authentication-Results should say pass for spf, dkim and dmarc.",
    facts={},
)


def trial_mail(house: House, address: str, now: datetime) -> Message:
    """A mail in English as a weekly digest is built; its links belong to no reader."""
    letter = operator_notice(_NOTICE, "en")
    content = Content("trial", "en", "weekly", letter.subject, letter.html, letter.text, letter.nonce)
    reader = Reader(address, "", "0" * 16, "en")
    return build(content, reader, house, message_id=f"{secrets.token_hex(16)}@{house.domain}", now=now)
