"""The rules of the clock and of the schedule, with all that can go wrong in a run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

from hypothesis import strategies as st

from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language
from tests.support.simulation import operators, people
from tests.support.simulation.machine import SUBSCRIBER, SimulationMachine, act
from tests.support.simulation.newsletter import Newsletter
from tests.support.simulation.transport import Trouble

# What somebody does while mails are sent.
INTERRUPTIONS: dict[str, Callable[[Newsletter, int], None]] = {
    "pause": people.pause,
    "unsubscribe": people.unsubscribe,
    "move": people.move,
    "forget": people.forget,
    "be suppressed": operators.suppress_address,
    "switch to daily": lambda newsletter, number: people.change(
        newsletter, number, language=Language.BOTH, frequency=Frequency.DAILY
    ),
    "switch to weekly": lambda newsletter, number: people.change(
        newsletter, number, frequency=Frequency.WEEKLY
    ),
    "switch to brief": lambda newsletter, number: people.change(newsletter, number, detail=Detail.BRIEF),
}
INTERRUPTION = st.tuples(st.integers(1, 3), SUBSCRIBER, st.sampled_from(sorted(INTERRUPTIONS)))


class ClockRules(SimulationMachine):
    """Time passes, or the clock is put right."""

    @act(hours=st.integers(1, 30))
    def let_hours_pass(self, hours: int) -> None:
        self.newsletter.now += timedelta(hours=hours)

    @act(weeks=st.integers(1, 10))
    def let_weeks_pass(self, weeks: int) -> None:
        self.newsletter.now += timedelta(weeks=weeks)

    @act(hours=st.integers(1, 3))
    def turn_clock_back(self, hours: int) -> None:
        self.newsletter.now -= timedelta(hours=hours)


class ScheduleRules(SimulationMachine):
    """Runs of the schedule."""

    @act()
    def read_forum(self) -> None:
        self.newsletter.read_forum()

    @act(steps=st.integers(0, 2))
    def read_forum_and_crash(self, steps: int) -> None:
        with self._crash_after(steps):
            self.newsletter.read_forum()

    @act()
    def morning(self) -> None:
        self._morning()

    @act(steps=st.integers(0, 60))
    def morning_with_a_crash(self, steps: int) -> None:
        with self._crash_after(steps):
            self._morning()

    @act(troubles=st.lists(st.sampled_from(Trouble), min_size=1, max_size=3))
    def morning_with_server_trouble(self, troubles: list[Trouble]) -> None:
        self.newsletter.transport.troubles = troubles
        self._morning()
        self.newsletter.transport.calm_down()

    @act(acts=st.lists(INTERRUPTION, min_size=1, max_size=2))
    def morning_while_subscribers_change(self, acts: list[tuple[int, int, str]]) -> None:
        transport = self.newsletter.transport
        for before, number, what in acts:
            interruption = partial(INTERRUPTIONS[what], self.newsletter, number)
            transport.interruptions[transport.attempts + before] = interruption
        self._morning()
        transport.calm_down()

    @act()
    def run_daily_digest(self) -> None:
        self.newsletter.run(Frequency.DAILY)

    @act()
    def run_weekly_digest(self) -> None:
        self.newsletter.run(Frequency.WEEKLY)

    @act()
    def run_upkeep(self) -> None:
        self.newsletter.run("upkeep")

    @act(steps=st.integers(0, 12))
    def run_upkeep_and_crash(self, steps: int) -> None:
        with self._crash_after(steps):
            self.newsletter.run("upkeep")

    def _morning(self) -> None:
        """The next 08:00: the forum is read, and both digests run."""
        newsletter = self.newsletter
        today = newsletter.now.replace(hour=8, minute=0)
        newsletter.now = today if newsletter.now < today else today + timedelta(days=1)
        newsletter.read_forum()
        self._run_digests()

    def _run_digests(self) -> None:
        self.newsletter.run(Frequency.DAILY)
        self.newsletter.run(Frequency.WEEKLY)

    @contextmanager
    def _crash_after(self, steps: int) -> Iterator[None]:
        self.newsletter.transport.steps_to_crash = steps
        yield
        self.newsletter.transport.calm_down()
