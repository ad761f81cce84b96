"""The real pipeline in simulated time: it reads the simulated forum and runs the schedule's flows.

Mails have only the titles of their papers, because rendering months of mails would take minutes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import pytest
from sqlalchemy import and_, event, func, or_, select
from sqlalchemy.orm import Session, joinedload

from core.database import Database
from core.frequencies import Frequency
from core.run_log import RunKind, RunRecord
from delivery import daily_caps, planner, rate_limit
from delivery.context import SendingContext, SendingLimits
from delivery.editions import delivered_papers
from delivery.models import Delivery
from delivery.providers import Provider
from delivery.states import DeliveryKind, DeliveryState
from delivery.warm_up import WarmUp
from emails.content import Content
from emails.edition import Edition
from emails.kinds import MailKind
from emails.rendering.fit import FittedBlocks
from emails.rendering.render import Rendered
from issues.models import Paper
from mailings import account_mails, intake, next_mail
from mailings.context import MailingRules, clock_from
from mailings.digest_run import run_digest
from mailings.forum import ForumReader
from mailings.ingest_report import IngestReport
from mailings.intake import take_posts
from mailings.resend import editions as resend_editions
from mailings.upkeep import run_upkeep
from subscribers.models import Subscriber
from subscribers.status import SubscriberStatus
from tests.support.factories import IDENTITY, INTAKE_RULES
from tests.support.simulation.expectation import Expectation
from tests.support.simulation.forum import SEOUL, SimulatedForum, SimulatedPost
from tests.support.simulation.transport import CrashError, SimulatedTransport

RETENTION = timedelta(weeks=9)  # so short that every upkeep after some weeks prunes something
RULES = MailingRules(
    quiet_period=timedelta(minutes=30), daily_papers=2, repeat_uncertain=True, retention=RETENTION
)


@dataclass
class Person:
    """A person. Each of their addresses has a domain of its own, so that no throttled domain delays others.

    `start` is the place from which they must get papers, if they ever subscribed. Whoever is forgotten becomes
    another person. `abandoned` are addresses that must get no digest any more.
    """

    number: int
    moves: int = 0
    start: int | None = None
    subscriber_id: int | None = None
    addresses: list[str] = field(default_factory=list)
    abandoned: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.use_new_address()

    @property
    def address(self) -> str:
        """Where they are mailed."""
        return self.addresses[-1]

    def use_new_address(self) -> None:
        """They go on with an address that nobody has used."""
        self.moves += 1
        self.addresses.append(f"person{self.number}@example{self.number}-{self.moves}.com")


@dataclass
class PrunedMails:
    """What is remembered of deliveries that upkeep prunes, because the checks read them.

    By subscriber id and state there are the papers (by their stored numbers), and of copies the Message-IDs.
    """

    papers: set[tuple[int, DeliveryState, int]] = field(default_factory=set)
    copies: set[str] = field(default_factory=set)

    @contextmanager
    def remembered(self, database: Database) -> Iterator[None]:
        """Remember what goes meanwhile, also if that crashes."""
        before = self._mails(database)
        try:
            yield
        finally:
            left = self._mails(database)
            for id_ in before.keys() - left.keys():
                mail = before[id_]
                self.papers |= {(mail.subscriber_id, mail.state, number) for number in mail.edition.papers}
                if mail.kind == DeliveryKind.RESEND:
                    self.copies.add(mail.message_id)

    def _mails(self, database: Database) -> dict[int, Delivery]:
        with database.sessions() as session:
            rows = select(Delivery).options(joinedload(Delivery.edition))
            return {mail.id: mail for mail in session.scalars(rows)}


@dataclass
class Newsletter:
    """A forum, people, a mail server, and the pipeline under test between them."""

    database: Database
    now: datetime = datetime(2025, 1, 6, 7, 0, tzinfo=SEOUL)
    forum: SimulatedForum = field(default_factory=SimulatedForum)
    transport: SimulatedTransport = field(default_factory=SimulatedTransport)
    expectation: Expectation = field(default_factory=Expectation)
    people: dict[int, Person] = field(default_factory=dict)
    pruned: PrunedMails = field(default_factory=PrunedMails)
    warm_up: WarmUp | None = None

    def __post_init__(self) -> None:
        engine = self.database.engine
        if engine.dialect.name == "sqlite":
            # A crash here ends a process and not the machine, so waiting for the disk would only take time.
            event.listen(engine, "checkout", lambda c, _r, _p: c.execute("PRAGMA synchronous = OFF"))
        event.listen(engine, "commit", lambda _connection: self.transport.step())
        event.listen(self.database.sessions, "after_commit", lambda _session: self.transport.step())

    def person(self, number: int) -> Person:
        """The person with a number."""
        return self.people.setdefault(number, Person(number))

    # --- the forum ------------------------------------------------------------------

    def read_forum(self) -> None:
        """Read what has changed on the forum. After a crash either all of it is stored or nothing is."""
        posts = self.forum.changed_posts()
        if not posts:
            return
        with self.database.sessions() as session:
            mailed = self._numbers_of(session, delivered_papers(session))
            self.note_pruned_papers(session)
        report = self.take(posts)
        if report is None:
            return
        waiting = {entry["topic_id"] for entry in report.held}
        self.expectation.note_reading(posts, waiting, mailed, self.now)
        self.forum.unread.clear()
        self._check_in_force(posts)
        self.now += timedelta(seconds=1)  # no two readings are at the same moment

    def take(self, posts: list[SimulatedPost]) -> IngestReport | None:
        """Take posts as an intake does. Returns None if it crashed before anything was stored."""
        forum = ForumReader(self.database.sessions, ())
        forum.state.posts = [post.post() for post in posts if not post.is_deleted]
        forum.state.gone = {post.topic_id for post in posts if post.is_deleted}
        runs = self._count_ingest_runs()
        try:
            return take_posts(self.database.sessions, forum, INTAKE_RULES, self.now)
        except CrashError:
            self.transport.steps_to_crash = None
            if self._count_ingest_runs() == runs:
                return None
            return take_posts(self.database.sessions, forum, INTAKE_RULES, self.now)

    def _count_ingest_runs(self) -> int:
        with self.database.sessions() as session:
            rows = select(func.count()).select_from(RunRecord).where(RunRecord.kind == RunKind.INGEST)
            return session.scalar(rows) or 0

    def _check_in_force(self, posts: list[SimulatedPost]) -> None:
        """Every paper that the editors show is in force, once it was read."""
        with self.database.sessions() as session:
            stored = session.scalars(select(Paper).where(Paper.withdrawn_at.is_(None))).all()
            in_force = {number_of(paper) for paper in stored}
        for post in posts:
            issue = self.expectation.issues.get(post.topic_id)
            if issue and not issue.is_deleted:
                missing = set(issue.papers) - in_force
                assert not missing, (
                    f"the papers {missing} of topic {post.topic_id} were read and are not in force"
                )

    def note_pruned_papers(self, session: Session) -> None:
        """Note the papers of which nobody can tell any more who has had them."""
        rows = session.scalars(select(Paper).where(Paper.pruned_at.is_not(None)))
        self.expectation.pruned |= {number_of(paper) for paper in rows}

    # --- the schedule ---------------------------------------------------------------

    def run(self, what: Frequency | Literal["upkeep"]) -> None:
        """A run of the schedule, which may crash."""
        with self.context() as context:
            if what == "upkeep":
                with self.pruned.remembered(self.database):
                    run_upkeep(context, local_now=self.now, rules=RULES)
            else:
                report = run_digest(context, what, local_now=self.now, rules=RULES)
                assert report.balances, report.line()

    @contextmanager
    def context(self) -> Iterator[SendingContext]:
        """What a run needs. A run may crash, and nobody gets a digest in it who was not subscribed when it began."""
        before, strangers = set(self.transport.accepted), self._addresses_not_to_mail()
        try:
            limits = SendingLimits(warm_up=self.warm_up)
            yield SendingContext(
                self.database, self.transport, IDENTITY, clock_from(self.now), limits, lease=timedelta(0)
            )
        except CrashError:
            self.transport.steps_to_crash = None
        for message_id, mail in self.transport.accepted.items():
            if message_id not in before and mail.papers:
                assert mail.to not in strangers, f"{mail.to} got a digest and was not subscribed"

    def _addresses_not_to_mail(self) -> set[str]:
        left = (SubscriberStatus.UNSUBSCRIBED, SubscriberStatus.BOUNCED, SubscriberStatus.PENDING)
        pauses = and_(Subscriber.status == SubscriberStatus.PAUSED, Subscriber.paused_until.is_(None))
        with self.database.sessions() as session:
            gone = set(
                session.scalars(select(Subscriber.email).where(or_(Subscriber.status.in_(left), pauses)))
            )
        return gone.union(*(person.abandoned for person in self.people.values()))

    def _numbers_of(self, session: Session, stored: set[int]) -> set[int]:
        return {number_of(paper) for paper in session.scalars(select(Paper)) if paper.number in stored}


def number_of(paper: Paper) -> int:
    """The number that the editors gave a stored paper."""
    return int(paper.content["title_en"][1:5])


@contextmanager
def titles_only() -> Iterator[None]:
    """Everything goes out at once and reads quickly: digests are lists of titles, and letters say nothing.

    Nobody waits for a throttled domain, all are at one provider, and a batch of planning is two subscribers.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(next_mail, "render", render_titles)
        patch.setattr(resend_editions, "render", render_titles)
        patch.setattr(account_mails, "subscriber_letter", render_letter)
        patch.setattr(intake, "faults_of", lambda *_issues, **_rules: {})  # it renders as well
        patch.setattr(daily_caps, "provider_of", lambda _address: Provider.GMAIL)
        patch.setattr(planner, "MAX_SUBSCRIBERS_PER_TRANSACTION", 2)
        patch.setattr(rate_limit, "INITIAL_INTERVAL_SECONDS", 0.0)
        yield


def render_letter(kind: MailKind, *_arguments: Any) -> Content:
    """Render only the kind of a letter."""
    return Content(kind, kind, kind, "0" * 20)


def render_titles(edition: Edition, *_arguments: Any, **_options: Any) -> Rendered:
    """Render only the titles of the papers."""
    titles = "\n".join(paper.title for paper in edition.papers)
    fitted = FittedBlocks((), (), lacks_openings=False)
    return Rendered(Content(edition.spec.slot, titles, titles, "0" * 20), fitted, fill=0.0)
