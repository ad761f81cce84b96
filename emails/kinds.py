"""The kinds of mails and letters, and the rules of each: who may still get it at sending, and which headers it has.

`RULES` is closed: a kind that is missing in it fails at import.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum

from subscribers.status import SUBSCRIBED, SubscriberStatus
from subscribers.tokens import LinkPurpose


class MailKind(StrEnum):
    """What a mail is. The first four bring papers, and the others are letters."""

    DIGEST = "digest"
    WELCOME_DIGEST = "welcome_digest"
    COPY = "copy"
    CORRECTION = "correction"
    CONFIRMATION = "confirmation"
    WELCOME = "welcome"
    PREFERENCES_LINK = "preferences_link"
    REMINDER = "reminder"
    MOVE = "move"
    FAREWELL = "farewell"
    NOTICE = "notice"
    PROBE = "trial"  # as the Feedback-ID header of this mail names it


@dataclass(frozen=True)
class KindRules:
    """The rules of one kind of mail.

    `recipients` are the statuses in which a subscriber may still get the mail at the moment of sending: somebody
    may have left since it was planned. A kind without recipients is never planned for subscribers.
    `has_list_headers` says that it carries List-Unsubscribe and the other List headers (RFC 2369, RFC 8058), and
    `is_bulk` that it goes to many at once, so that no program answers it (`Precedence: bulk`).
    `tests_address` sends it even to an address that is suppressed, because its arrival shows that the mailbox works.
    `to_new_address` sends it to the address that a subscriber wants to move to. `button` is where the button of
    a letter leads. `greets` is false where the name must not be used, because anybody can have entered it.
    """

    recipients: AbstractSet[SubscriberStatus]
    has_list_headers: bool = False
    is_bulk: bool = False
    tests_address: bool = False
    to_new_address: bool = False
    button: LinkPurpose | None = None
    greets: bool = True


_ACTIVE = frozenset({SubscriberStatus.ACTIVE})
_ANYONE = frozenset(SubscriberStatus) - {SubscriberStatus.FORGOTTEN}
_PAPERS = KindRules(recipients=_ACTIVE, has_list_headers=True, is_bulk=True)

_RULES = {
    MailKind.DIGEST: _PAPERS,
    MailKind.WELCOME_DIGEST: _PAPERS,
    MailKind.COPY: _PAPERS,
    MailKind.CORRECTION: _PAPERS,
    MailKind.CONFIRMATION: KindRules(
        recipients=frozenset({SubscriberStatus.PENDING}),
        tests_address=True,
        button=LinkPurpose.CONFIRM,
        greets=False,
    ),
    MailKind.WELCOME: KindRules(recipients=_ACTIVE, has_list_headers=True, button=LinkPurpose.PREFERENCES),
    MailKind.PREFERENCES_LINK: KindRules(recipients=_ANYONE, button=LinkPurpose.PREFERENCES),
    MailKind.REMINDER: KindRules(recipients=frozenset(SUBSCRIBED), button=LinkPurpose.PREFERENCES),
    MailKind.MOVE: KindRules(recipients=_ANYONE, to_new_address=True, button=LinkPurpose.MOVE),
    MailKind.FAREWELL: KindRules(
        recipients=frozenset({SubscriberStatus.UNSUBSCRIBED}), button=LinkPurpose.UNSUBSCRIBE
    ),
    MailKind.NOTICE: KindRules(recipients=frozenset(), greets=False),
    MailKind.PROBE: KindRules(recipients=frozenset(), has_list_headers=True, is_bulk=True, greets=False),
}
RULES = {kind: _RULES[kind] for kind in MailKind}

WITH_PAPERS = (MailKind.DIGEST, MailKind.WELCOME_DIGEST, MailKind.COPY, MailKind.CORRECTION)
SENT_AGAIN = (MailKind.COPY, MailKind.CORRECTION)  # what an operator resends
SUBSCRIBER_LETTERS = tuple(kind for kind in MailKind if kind not in WITH_PAPERS and RULES[kind].recipients)
