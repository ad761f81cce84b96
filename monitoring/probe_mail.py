"""The probe mail: it has the headers of a digest but no digest's text, so that the way of our mails can be tested."""

import secrets
from dataclasses import replace
from datetime import datetime

from core.frequencies import Frequency
from core.languages import Language
from emails.content import MailSpec
from emails.identity import MailIdentity
from emails.kinds import MailKind
from emails.letters import OperatorNotice, operator_letter
from emails.message import Message, Recipient, build_message

PROBE_FIELD = (
    "X-Paperboy-Probe"  # by which the inbox knows the mail, even if a relay has given it another Message-ID
)
_NOTICE = OperatorNotice(
    what="this is a trial",
    cause="`paperboy doctor` or `paperboy probe` has sent a mail to this address.",
    remedy="Look at its source: Authentication-Results should say pass for spf, dkim and dmarc.",
    facts={},
)
_SPEC = MailSpec(MailKind.PROBE, Language.EN, Frequency.WEEKLY, MailKind.PROBE)


def probe_mail(identity: MailIdentity, address: str, now: datetime) -> Message:
    """A mail in English, built as a weekly digest is. Its links belong to no subscriber."""
    message_id = f"{secrets.token_hex(16)}@{identity.domain}"
    recipient = Recipient(address, "", "0" * 16)
    return build_message(
        _SPEC,
        operator_letter(_NOTICE, Language.EN, identity),
        recipient,
        identity,
        message_id=message_id,
        now=now,
    )


def marked_probe_mail(identity: MailIdentity, address: str, now: datetime) -> tuple[str, Message]:
    """A probe mail with a mark that nobody can guess, by which it is found where it arrives, and that mark."""
    mark, mail = secrets.token_hex(16), probe_mail(identity, address, now)
    return mark, replace(mail, parts=(f"{PROBE_FIELD}: {mark}\r\n".encode(), *mail.parts))
