"""The two values that describe a mail before it has a recipient: what it is, and what it says."""

from dataclasses import dataclass

from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language
from emails.kinds import MailKind


@dataclass(frozen=True)
class MailSpec:
    """Which mail this is: its slot (see `core.slots`), its language, the frequency that it speaks of, and its detail."""

    slot: str
    language: Language
    frequency: Frequency
    kind: MailKind = MailKind.DIGEST
    detail: Detail = Detail.FULL


@dataclass(frozen=True)
class Content:
    """A rendered mail. `html` and `text` hold placeholders, marked by `nonce`, for what differs between recipients."""

    subject: str
    html: str
    text: str
    nonce: str
