"""The states of deliveries, why each delivery exists, and what is counted by month."""

from enum import StrEnum


class DeliveryState(StrEnum):
    """Where a delivery stands.

    `claimed` is leased by a sender, `sending` may already be with the server, `deferred` waits because the server
    said later, and nobody knows whether an `uncertain` one arrived.
    """

    PLANNED = "planned"
    CLAIMED = "claimed"
    SENDING = "sending"
    SENT = "sent"
    DEFERRED = "deferred"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    SKIPPED = "skipped"


IN_PROGRESS = (DeliveryState.CLAIMED, DeliveryState.SENDING)  # leased by a sender
ALWAYS_UNDER_WAY = (DeliveryState.PLANNED, *IN_PROGRESS, DeliveryState.DEFERRED)  # with a `due_at`
FINAL = (DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.SKIPPED)


class DeliveryKind(StrEnum):
    """Why a delivery exists: a digest was due, an account needs a letter, or an operator resends."""

    DIGEST = "digest"
    LETTER = "letter"
    RESEND = "resend"


class CountedSubject(StrEnum):
    """What a monthly count counts."""

    MAIL = "mail"
    BOUNCE = "bounce mail"
    RUN = "run"
