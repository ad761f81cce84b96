"""An issue that comes after its digest goes out as soon as it is ready, by day, to everyone, and once."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from core.database import Database
from core.frequencies import Frequency
from core.languages import Language
from delivery.models import Delivery
from subscribers import accounts
from subscribers.choices import Choices
from tests.support.simulation import operators, people
from tests.support.simulation.checks import check_received, received
from tests.support.simulation.forum import SEOUL
from tests.support.simulation.newsletter import Newsletter, titles_only

WEEKLY, DAILY, LEFTOVER = 1, 2, 3
MONDAY = datetime(2025, 1, 13, 0, 0, tzinfo=SEOUL)


@pytest.fixture(autouse=True)
def _titles_only() -> Iterator[None]:
    with titles_only():
        yield


@dataclass
class Schedule:
    """The schedule of prefect.yaml in simulated time: ingest every hour, upkeep every quarter, digests at 08:00.

    At night upkeep runs only every hour, which is enough to see that nothing goes out.
    The forum shows the post from `post_at` on. Between `down` hours of the first Monday its feed cannot be read.
    """

    newsletter: Newsletter
    post_at: datetime
    down: range = range(0)
    has_read: bool = False
    got: dict[int, datetime] = field(default_factory=dict)
    attempts: int = 0

    def run(self, start: datetime, end: datetime) -> None:
        """Let the schedule run, and note when each subscriber got the late issue's first paper."""
        now = start
        while now < end:
            self.newsletter.now = now
            if now.minute == 5:
                self._ingest(now)
            if (now.hour, now.minute) == (8, 0):
                self._ingest(now)  # a digest reads the feed first
                if now.weekday() == 0:
                    self.newsletter.run(Frequency.WEEKLY)
                self.newsletter.run(Frequency.DAILY)
            elif now.minute % (15 if 8 <= now.hour < 21 else 60) == 0 and now >= self.post_at:
                self.newsletter.run("upkeep")
            self._note(now)
            if len(self.got) == 3 and now > max(self.got.values()) + timedelta(hours=2):
                return  # long enough to see that nobody gets it again
            now += timedelta(minutes=5)

    def _ingest(self, now: datetime) -> None:
        is_down = now.date() == MONDAY.date() and now.hour in self.down
        if now >= self.post_at and not is_down and not self.has_read:
            self.has_read = True
            self.newsletter.forum.publish(4, now)
            self.newsletter.read_forum()

    def _note(self, now: datetime) -> None:
        if self.newsletter.transport.attempts == self.attempts:
            return  # nothing was sent
        self.attempts = self.newsletter.transport.attempts
        for number in (WEEKLY, DAILY, LEFTOVER):
            if self.has_read and self.newsletter.forum.posts[-1].papers[0] in self.papers_of(number):
                self.got.setdefault(number, now)

    def papers_of(self, number: int) -> list[int]:
        """The papers that a subscriber has got."""
        return received(self.newsletter).get(self.newsletter.person(number).address, [])


def schedule(database: Database, post_at: datetime, down: range = range(0)) -> Schedule:
    """A first issue has been read by all. One weekly subscriber has an addition to it waiting, for the next Monday."""
    newsletter = Newsletter(database, now=MONDAY - timedelta(days=7))
    newsletter.forum.publish(3, newsletter.now)
    newsletter.read_forum()
    newsletter.now += timedelta(hours=9)
    for number, frequency in (
        (WEEKLY, Frequency.WEEKLY),
        (DAILY, Frequency.DAILY),
        (LEFTOVER, Frequency.WEEKLY),
    ):
        operators.add_subscriber(newsletter, number, Choices(Language.KO, frequency))
    for day in range(3):
        newsletter.now = MONDAY + timedelta(days=day - 7, hours=18)
        newsletter.run(Frequency.DAILY)
        newsletter.run(Frequency.WEEKLY)
    newsletter.now = MONDAY - timedelta(days=3)
    people.pause(newsletter, WEEKLY)
    _add_paper(newsletter, 0)
    newsletter.now = MONDAY - timedelta(days=2)
    newsletter.run(Frequency.DAILY)
    people.resume(newsletter, WEEKLY)
    with database.sessions.begin() as session:
        subscriber = accounts.find(session, newsletter.person(WEEKLY).address)
        assert subscriber
        subscriber.cursor += 1  # they do not wait for the addition
    return Schedule(newsletter, post_at, down)


def _add_paper(newsletter: Newsletter, index: int) -> None:
    newsletter.forum.add_papers(newsletter.forum.posts[index], 1)
    newsletter.read_forum()


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A time in the week of the late issue; day 0 is Monday."""
    return MONDAY + timedelta(days=day, hours=hour, minutes=minute)


@pytest.mark.parametrize(
    ("post_at", "down", "weekly", "daily", "had_mail"),
    [
        pytest.param(at(-1, 19), range(0), at(0, 8), at(0, 8), at(0, 8), id="Sunday 19:00"),
        pytest.param(at(0, 6, 30), range(0), at(0, 8), at(0, 8), at(0, 8), id="Monday 06:30"),
        pytest.param(at(0, 7, 55), range(0), at(0, 8, 30), at(0, 8, 30), at(0, 8, 30), id="Monday 07:55"),
        pytest.param(at(0, 9), range(0), at(0, 9, 45), at(0, 9, 45), at(0, 9, 45), id="Monday 09:00"),
        pytest.param(at(0, 19), range(0), at(0, 19, 45), at(0, 19, 45), at(0, 19, 45), id="Monday 19:00"),
        pytest.param(at(1, 14), range(0), at(1, 14, 45), at(1, 14, 45), at(1, 14, 45), id="Tuesday"),
        pytest.param(at(1, 23), range(0), at(2, 8, 15), at(2, 8), at(2, 8, 15), id="Tuesday night"),
        pytest.param(at(4, 20), range(0), at(4, 20, 45), at(4, 20, 45), at(4, 20, 45), id="Friday 20:00"),
        pytest.param(at(4, 21), range(0), at(7, 8), at(5, 8), at(7, 8), id="Friday 21:00"),
        pytest.param(at(5, 10), range(0), at(7, 8), at(5, 10, 45), at(7, 8), id="Saturday"),
        pytest.param(at(0, 6), range(7, 10), at(0, 8), at(0, 8), at(0, 8), id="feed down, read before"),
        pytest.param(
            at(0, 7), range(7, 10), at(0, 10, 45), at(0, 10, 45), at(0, 10, 45), id="feed down 07-10"
        ),
    ],
)
def test_an_issue_goes_out_as_soon_as_it_is_ready_by_day(
    database: Database, post_at: datetime, down: range, weekly: datetime, daily: datetime, had_mail: datetime
) -> None:
    week = schedule(database, post_at, down)
    week.run(at(-1, 18), at(7, 12))
    assert week.got == {WEEKLY: weekly, DAILY: daily, LEFTOVER: had_mail}
    check_received(week.newsletter)


def test_whoever_had_a_mail_in_the_slot_gets_the_late_issue_in_its_own_slot(
    sqlite_database: Database,
) -> None:
    week = schedule(sqlite_database, at(1, 14))
    week.run(at(-1, 18), at(3, 0))
    topic = week.newsletter.forum.posts[-1].topic_id
    with sqlite_database.sessions() as session:
        subscriber = accounts.find(session, week.newsletter.person(LEFTOVER).address)
        assert subscriber
        slots = session.scalars(select(Delivery.slot).where(Delivery.subscriber_id == subscriber.id)).all()
    assert slots[-2:] == ["weekly:2025-W03", f"weekly:2025-W03:{topic}"]


def test_papers_that_an_edit_adds_wait_for_the_next_slot(sqlite_database: Database) -> None:
    week = schedule(sqlite_database, at(-1, 19))
    week.run(at(-1, 18), at(1, 10))
    _add_paper(week.newsletter, 1)
    added = week.newsletter.forum.posts[-1].papers[-1]
    for day in range(1, 5):
        week.newsletter.now = at(day, 20)
        week.newsletter.run("upkeep")
        week.newsletter.now = at(day + 1, 8)
        week.newsletter.run(Frequency.DAILY)
    assert added not in week.papers_of(WEEKLY)
    assert added in week.papers_of(DAILY)
    week.newsletter.now = at(7, 8)
    week.newsletter.run(Frequency.WEEKLY)
    assert added in week.papers_of(WEEKLY)
