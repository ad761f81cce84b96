"""A simulated forum with its editors, subscribers and a fake transport, around the real pipeline."""

import contextlib
import email
import email.policy
import functools
import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.database import Database
from core.frequencies import Frequency
from core.languages import Language
from delivery.context import SendingContext
from delivery.states import DeliveryState
from delivery.transport.base import Client, SendError
from emails.message import Message
from issues.models import Issue, Paper
from issues.posts import Post
from mailings.context import MailingRules, clock_from
from mailings.digest_run import run_digest
from mailings.forum import ForumReader
from mailings.held_issues import release_issue
from mailings.ingest_report import IngestReport
from mailings.intake import take_posts
from mailings.upkeep import run_upkeep
from subscribers import accounts
from subscribers.status import SUBSCRIBED, SubscriberStatus
from tests.support.factories import IDENTITY, INTAKE_RULES

SEOUL = ZoneInfo("Asia/Seoul")
RULES = MailingRules(quiet_period=timedelta(minutes=30), daily_papers=2, repeat_uncertain=True)
LOST_STATES = (DeliveryState.FAILED, DeliveryState.UNCERTAIN)


class CrashError(BaseException):
    """The process crashes here."""


class FakeClient:
    """A client of the fake transport."""

    def __init__(self, transport: "FakeTransport") -> None:
        self._transport = transport

    async def send(self, message: Message, following: Message | None = None) -> str:  # noqa: ARG002  a protocol
        return self._transport.accept(message)

    async def close(self) -> None:
        return


class FakeTransport:
    """Stores accepted mails by Message-ID, and raises errors or crashes the process when it is told to."""

    def __init__(self) -> None:
        self.accepted: dict[str, tuple[str, list[int]]] = {}
        self.attempts = 0  # including those of repeated mails
        self.errors: list[SendError] = []
        self.steps_to_crash: int | None = None
        self.interruptions: dict[
            int, Callable[[], None]
        ] = {}  # by the number of the attempt that they precede

    def step(self) -> None:
        """Crash if this is the step at which the process should crash."""
        if self.steps_to_crash is not None:
            self.steps_to_crash -= 1
            if self.steps_to_crash < 0:
                self.steps_to_crash = None
                raise CrashError

    def client(self) -> Client:
        return FakeClient(self)

    def accept(self, message: Message) -> str:
        self.step()
        self.attempts += 1
        if interruption := self.interruptions.pop(self.attempts, None):
            interruption()
        if self.errors:
            raise self.errors.pop()
        mail = email.message_from_bytes(message.data, policy=email.policy.default)
        body = mail.get_body(("plain",))
        assert body is not None, "every mail has a text part"
        papers = list(dict.fromkeys(int(found) for found in re.findall(r"T(\d{4})", body.get_content())))
        known = self.accepted.setdefault(str(mail["Message-ID"]), (message.envelope_to, papers))
        assert known == (message.envelope_to, papers), "a repeated mail is the same mail"
        self.step()
        return "250 2.0.0 Ok"


@dataclass
class SimulatedPost:
    """A weekly post as its editors have it: its papers by number, those they took out, and how often each was renamed."""

    topic_id: int
    start: date
    papers: list[int]
    removed: list[int] = field(default_factory=list)
    versions: dict[int, int] = field(default_factory=dict)
    is_deleted: bool = False
    address: str = ""

    def post(self, now: datetime) -> Post:
        """The post as the forum has it."""
        end = self.start + timedelta(days=6)
        title = f"[{self.start:%Y/%m/%d} ~ {end:%Y/%m/%d}] 이번 주에 살펴볼 만한 AI/ML 논문 모음"
        html = "<p>이번 주의 흐름입니다.</p>" + "".join(
            _paper_html(number, self.versions.get(number, 0)) for number in self.papers
        )
        url = f"https://forum.example/t/{self.address or self.topic_id}/{self.topic_id}"
        return Post(self.topic_id, title, url, html, now, author="editor")


@dataclass
class Simulation:
    """A forum with its editors, the subscribers, and the pipeline under test.

    `arrived` are the papers that count as news, in the order in which they came. `archive` are those of old posts.
    """

    database: Database
    now: datetime = datetime(2025, 1, 6, 7, 0, tzinfo=SEOUL)
    transport: FakeTransport = field(default_factory=FakeTransport)
    posts: list[SimulatedPost] = field(default_factory=list)
    arrived: list[int] = field(default_factory=list)
    archive: set[int] = field(default_factory=set)
    starts: dict[str, int] = field(default_factory=dict)
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    topics: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1000))

    # --- the editors ----------------------------------------------------------------

    def publish(self, count: int, days_later: int) -> None:
        """The editors publish the next weekly post, when its week is over or while it lasts."""
        start = self.posts[-1].start + timedelta(days=7) if self.posts else date(2025, 1, 6)
        day = datetime(start.year, start.month, start.day, 7, 0, tzinfo=SEOUL) + timedelta(days=days_later)
        self.now = max(self.now, day)
        start = max(start, self.now.date() - timedelta(days=self.now.weekday()))
        papers = [next(self.numbers) for _ in range(count)]
        self.posts.append(SimulatedPost(next(self.topics), start, papers))
        self._ingest(self.posts[-1])

    def publish_old_week(self, count: int) -> None:
        """The editors publish the post of a week that is long over."""
        start = date(2024, 9, 2) - timedelta(weeks=len(self.archive))
        old = SimulatedPost(next(self.topics), start, [next(self.numbers) for _ in range(count)])
        if self.posts:
            self.archive |= set(old.papers)
            self._take([old.post(self.now)])

    def edit(self, pick: int, added: int) -> None:
        """A post gains papers, or loses its last one."""
        post = self._pick(pick)
        if post is None:
            return
        if added:
            post.papers += [next(self.numbers) for _ in range(added)]
        elif len(post.papers) > 1:
            post.removed.append(post.papers.pop())
        self._ingest(post)

    def restore(self, pick: int) -> None:
        """A paper that was taken out comes back, at the end of its post."""
        post = self._pick(pick)
        if post and post.removed:
            post.papers.append(post.removed.pop())
            self._ingest(post)

    def reorder(self, pick: int) -> None:
        """The papers of a post come in another order."""
        post = self._pick(pick)
        if post:
            post.papers.append(post.papers.pop(0))
            self._ingest(post)

    def rename(self, pick: int) -> None:
        """A paper's title and address change in one edit."""
        post = self._pick(pick)
        if post:
            number = post.papers[pick % len(post.papers)]
            post.versions[number] = post.versions.get(number, 0) + 1
            self._ingest(post)

    def move(self, pick: int) -> None:
        """A post gets another address on the forum."""
        post = self._pick(pick)
        if post:
            post.address = f"moved-{self.now:%j}"
            self._ingest(post)

    def repost(self, pick: int) -> None:
        """The editors post the same week once more with one more paper, and the operator releases it."""
        post = self._pick(pick)
        if post is None or post.topic_id not in self._topics_in_force():
            return
        if self.now.date() - post.start > timedelta(days=21):
            return  # the title would name a week far from the day of the post
        again = SimulatedPost(
            next(self.topics), post.start, [*post.papers, next(self.numbers)], versions=dict(post.versions)
        )
        report = self._take([again.post(self.now)])
        if report is None:
            return
        assert [entry["topic_id"] for entry in report.held] == [again.topic_id], "a second topic is held"
        with contextlib.suppress(CrashError), self.database.sessions.begin() as session:
            issue = session.scalars(select(Issue).where(Issue.topic_id == again.topic_id)).one()
            release_issue(session, issue, self.now)
        if self._has_paper(again.papers[-1]):
            self.arrived.append(again.papers[-1])
            self.reposted.append(again.papers[-1])

    reposted: list[int] = field(default_factory=list)

    def delete(self, pick: int) -> None:
        """A post is deleted, or comes back if it was."""
        post = self.posts[pick % len(self.posts)] if self.posts else None
        if post is None:
            return
        post.is_deleted = not post.is_deleted
        if post.is_deleted:
            self._take([], gone=post.topic_id)
        else:
            self._ingest(post)

    def _pick(self, pick: int) -> SimulatedPost | None:
        kept = [post for post in self.posts if not post.is_deleted]
        return kept[pick % len(kept)] if kept else None

    def _ingest(self, post: SimulatedPost) -> None:
        if post.is_deleted:
            self._take([], gone=post.topic_id)
            return
        self._take([post.post(self.now)])
        for number in post.papers:
            if number not in self.arrived and self._has_paper(number):
                self.arrived.append(number)

    def _take(self, posts: list[Post], gone: int = 0) -> IngestReport | None:
        forum = ForumReader(self.database.sessions, ())
        forum.state.posts = posts
        forum.state.gone = {gone} if gone else set()
        try:
            return take_posts(self.database.sessions, forum, INTAKE_RULES, self.now)
        except CrashError:
            return None

    def _topics_in_force(self) -> set[int]:
        with self.database.sessions() as session:
            return set(session.scalars(select(Issue.topic_id).where(Issue.revision > 0)))

    def _has_paper(self, number: int) -> bool:
        with self.database.sessions() as session:
            return any(number_of(paper) == number for paper in session.scalars(select(Paper)))

    def settle(self) -> None:
        """The forum stays as it is, and everything about it has been read."""
        for post in self.posts:
            self._ingest(post)

    # --- the subscribers ------------------------------------------------------------

    def join(self, number: int, language: Language, frequency: Frequency) -> None:
        """Somebody signs up, or comes back."""
        address = address_of(number)
        with self.database.sessions.begin() as session:
            subscriber = accounts.sign_up(
                session, address, language=language, frequency=frequency, now=self.now
            )
            if subscriber.status != SubscriberStatus.PENDING:
                return  # they are subscribed already
            accounts.confirm(session, subscriber, self.now)
            latest = self._latest_papers()
        first = min((self.arrived.index(n) for n in latest if n in self.arrived), default=len(self.arrived))
        self.starts[address] = max(first, self.starts.get(address, 0))

    def _latest_papers(self) -> list[int]:
        """The papers of the newest issue that is news, in the posts that bring it."""
        kept = [
            post for post in self.posts if not post.is_deleted and any(n in self.arrived for n in post.papers)
        ]
        newest = max((post.start for post in kept), default=None)
        return [number for post in kept if post.start == newest for number in post.papers]

    def change(self, number: int, action: Callable[..., None]) -> None:
        """Somebody who is subscribed does something."""
        with self.database.sessions.begin() as session:
            subscriber = accounts.find(session, address_of(number))
            if subscriber and subscriber.status in SUBSCRIBED:
                action(session, subscriber)

    def run(self, what: Frequency | Literal["upkeep"]) -> None:
        """A run of the schedule."""
        context = SendingContext(
            self.database, self.transport, IDENTITY, clock_from(self.now), lease=timedelta(0)
        )
        try:
            if what == "upkeep":
                run_upkeep(context, local_now=self.now, rules=RULES)
            else:
                report = run_digest(context, what, local_now=self.now, rules=RULES)
                assert report.balances, report.line()
        except CrashError:
            return

    # --- what they got --------------------------------------------------------------

    def check(self) -> None:
        """Check that nobody got a paper twice, an archived one at all, or a new issue before an older one."""
        for address in self.starts:
            received = self.papers_of(address)
            assert len(received) == len(set(received)), f"{address} got {received}"
            assert not set(received) & self.archive, f"{address} got old papers: {received}"
            steady = [number for number in received if number in self._steady_papers]
            order = [self.arrived.index(number) for number in steady]
            assert order == sorted(order), f"{address} got {steady}, arrived {self.arrived}"

    @functools.cached_property
    def _steady_papers(self) -> set[int]:
        """The papers that have arrived once and were never moved in the order of arrival."""
        with self.database.sessions() as session:
            rows = session.scalars(select(Paper))
            return {
                number_of(row) for row in rows if row.restored_at is None and row.arrival_order == row.number
            }

    def papers_of(self, address: str) -> list[int]:
        """The papers that somebody has got, in order."""
        return [paper for to, papers in self.transport.accepted.values() if to == address for paper in papers]

    def due_papers(self, session: Session, start: int) -> list[int]:
        """The papers that somebody must have got by now who began at a place in `arrived`."""
        rows = session.scalars(select(Paper).where(Paper.withdrawn_at.is_(None), ~Paper.archived))
        in_force = {number_of(row) for row in rows}
        expected = {n for post in self.posts if not post.is_deleted for n in post.papers} | set(self.reposted)
        due = [number for number in self.arrived[start:] if number in expected]
        assert set(due) <= in_force, "what the editors show is in force"
        return due


def address_of(number: int) -> str:
    """A subscriber's address. Each has a domain of their own, so that no throttled domain delays the others."""
    return f"reader{number}@example{number}.com"


def number_of(paper: Paper) -> int:
    """The number that the simulation gave a stored paper."""
    return int(paper.content["title_en"][1:5])


def _paper_html(number: int, version: int) -> str:
    name = f"T{number:04}" + (f" revised {version}" if version else "")
    text = " ".join(f"낱말{number}x{index}" for index in range(12))
    return (
        f"<h2>{name}: 논문 / {name}: paper</h2><h3>논문 소개</h3><p>T{number:04} 논문을 소개합니다. {text}</p>"
        f"<h3>초록(Abstract)</h3><p>T{number:04} 논문의 초록입니다.</p><blockquote><p>The abstract of T{number:04}.</p></blockquote>"
        f'<h3>논문 링크</h3><p><a href="https://arxiv.org/abs/25{version:02}.{number:05}">x</a></p><hr>'
    )
