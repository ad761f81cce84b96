"""A mail to try the way with: to nobody on the list, with the headers of a digest, of no digest's text."""

import secrets
from datetime import datetime
from functools import cache

from emails.letters import Letter, Notice, operator_notice
from emails.message import Content, House, Message, Reader, build

_NOTICE = Notice(
    what="this is a trial",
    cause="Somebody asked `paperboy doctor` to send a mail to this address.",
    remedy="Look at its source: Authentication-Results should say pass for spf, dkim and dmarc.",
    facts={},
)


@cache
def _letter() -> Letter:
    return operator_notice(_NOTICE, "en")


def trial_mail(house: House, address: str, now: datetime) -> Message:
    """A mail in English as a weekly digest is built; its links belong to no reader."""
    letter = _letter()
    content = Content("trial", "en", "weekly", letter.subject, letter.html, letter.text, letter.nonce)
    reader = Reader(address, "", "0" * 16, "en")
    return build(content, reader, house, message_id=f"{secrets.token_hex(16)}@{house.domain}", now=now)
