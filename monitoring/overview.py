"""The state of the newsletter on one page: what became of the last digests, when the next one comes, and who joined."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.frequencies import Frequency
from core.languages import TextLanguage
from core.run_log import RunKind, last_run, last_run_of_slot
from core.slots import regular_part
from delivery.counts import count_slot_by_state
from delivery.models import Delivery
from delivery.states import IN_PROGRESS, DeliveryState
from delivery.warm_up import WarmUp, waiting_lines
from issues.queries import count_held, feed_read_at
from monitoring.translation import translate
from subscribers.models import Subscriber

MEMBERSHIP_WINDOW = timedelta(days=7)
SHOWN_STATES = ("sent", "failed", "deferred", "uncertain", "planned", "skipped")


@dataclass(frozen=True)
class SlotSummary:
    """What became of a slot's deliveries: how many are in each of the SHOWN_STATES. `stopped` says why the run stopped.

    `warm_up` says how many of the planned ones wait for the warm-up of each provider.
    """

    slot: str
    states: Counter[str]
    stopped: str = ""
    warm_up: tuple[str, ...] = ()

    @property
    def frequency(self) -> Frequency:
        """The frequency of the digest."""
        return Frequency(self.slot.partition(":")[0])

    @property
    def period(self) -> str:
        """The week or day of the slot."""
        return self.slot.split(":")[1]

    @property
    def late_topic(self) -> str:
        """The topic id if it is a late issue's own slot, or empty."""
        return self.slot.partition(self.period)[2].removeprefix(":")

    @property
    def total(self) -> int:
        """All deliveries of the slot."""
        return self.states.total()


@dataclass(frozen=True)
class Overview:
    """The last slots of each frequency, and the facts that an operator looks for every morning.

    `joined` and `left` count subscribers of the last seven days. `next_digest` is in local time.
    """

    slots: tuple[SlotSummary, ...]
    next_digest: datetime
    feed_read_at: datetime | None
    held: int
    joined: int
    left: int


def read_overview(session: Session, local_now: datetime, warm_up: WarmUp | None = None) -> Overview:
    """The overview at a local time, by the warm-up of the settings."""
    since = local_now - MEMBERSHIP_WINDOW
    joined = select(func.count()).where(Subscriber.confirmed_at > since)
    left = select(func.count()).where(Subscriber.ended_at > since, Subscriber.confirmed_at.is_not(None))
    return Overview(
        slots=tuple(
            summary
            for frequency in Frequency
            for summary in _last_slots(session, frequency, local_now, warm_up)
        ),
        next_digest=min(frequency.next_digest(local_now) for frequency in Frequency),
        feed_read_at=feed_read_at(session),
        held=count_held(session),
        joined=session.scalar(joined) or 0,
        left=session.scalar(left) or 0,
    )


def _last_slots(
    session: Session, frequency: Frequency, now: datetime, warm_up: WarmUp | None
) -> list[SlotSummary]:
    """The frequency's last slot, and the slots of the late issues that belong to it."""
    run = last_run(session, RunKind.DIGEST, frequency)
    if run is None or run.slot is None:
        return []
    regular = regular_part(run.slot)
    # The semicolon is the character after the colon.
    is_late = Delivery.slot.between(f"{regular}:", f"{regular};")
    late = session.scalars(select(Delivery.slot).where(is_late).distinct().order_by(Delivery.slot))
    return [_summary(session, slot, now, warm_up) for slot in (regular, *late)]


def _summary(session: Session, slot: str, now: datetime, warm_up: WarmUp | None) -> SlotSummary:
    states = Counter[str]()
    for state, count in count_slot_by_state(session, slot).items():
        states[DeliveryState.PLANNED if state in IN_PROGRESS else state] += count
    run = last_run_of_slot(session, RunKind.DIGEST, slot)
    stopped = str(run.result.get("stopped", "")) if run else ""
    if not states[DeliveryState.PLANNED]:
        return SlotSummary(slot, states)
    return SlotSummary(slot, states, stopped, tuple(waiting_lines(session, warm_up, now, slot)))


def overview_sentences(overview: Overview, language: TextLanguage) -> list[str]:
    """A sentence for each slot with its counts. The last one says when the next digest runs."""
    say = partial(translate, language)
    sentences = [_sentence(summary, language) for summary in overview.slots] or [say("No digest has run yet")]
    when = {"day": f"{overview.next_digest:%A}", "time": f"{overview.next_digest:%H:%M}"}
    return [*sentences[:-1], say("{counts}; next run {day} {time}", counts=sentences[-1], **when)]


def _sentence(summary: SlotSummary, language: TextLanguage) -> str:
    say = partial(translate, language)
    name = say("{frequency} {period}", frequency=summary.frequency.capitalize(), period=summary.period)
    if summary.late_topic:
        name = say("{slot}, late issue {topic}", slot=name, topic=summary.late_topic)
    if not summary.total:
        return say("{slot}: nobody was due", slot=name)
    counts = [say("{sent} of {total} sent", sent=summary.states["sent"], total=summary.total)]
    counts += [
        say(f"{{count}} {state}", count=summary.states[state])
        for state in SHOWN_STATES[1:]
        if summary.states[state]
    ]
    counts += [say(line) for line in summary.warm_up]
    sentence = say("{slot}: {counts}", slot=name, counts=", ".join(counts))
    return (
        say("{counts}; stopped: {why}", counts=sentence, why=summary.stopped) if summary.stopped else sentence
    )
