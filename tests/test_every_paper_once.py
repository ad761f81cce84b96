"""Months of simulated time: whatever happens, every active subscriber gets every paper once and in order.

Subscribers join, pause, change their choice and leave. Posts come, are edited, gain and lose papers. Runs are
repeated, skipped and crash at any step. The transport is a fake, and mails are not rendered because months of
rendering would take minutes. Everything else is real.
"""

import contextlib
import email
import email.policy
import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from core.database import Database
from core.languages import Language
from core.schema import open_database
from core.slots import Frequency
from delivery import rate_limit
from delivery.context import SendingContext
from delivery.models import Delivery, EditionRow
from delivery.states import DeliveryState
from delivery.transport.base import Client, SendError
from delivery.transport.smtp.replies import SmtpError
from emails.content import Content
from emails.edition import Edition
from emails.message import Message
from emails.rendering.fit import FittedBlocks
from emails.rendering.render import Rendered
from issues.posts import Post
from issues.store import apply
from mailings import next_mail
from mailings.context import MailingRules, clock_from
from mailings.digest_run import run_digest
from mailings.upkeep import run_upkeep
from subscribers import accounts
from subscribers.status import SUBSCRIBED, SubscriberStatus
from tests.support.factories import IDENTITY

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
class Simulation:
    """A forum with its editors, the subscribers, and the pipeline under test."""

    database: Database
    now: datetime = datetime(2025, 1, 6, 7, 0, tzinfo=SEOUL)
    transport: FakeTransport = field(default_factory=FakeTransport)
    posts: list[list[int]] = field(default_factory=list)
    arrived: list[int] = field(default_factory=list)
    starts: dict[str, int] = field(default_factory=dict)
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def publish(self, count: int) -> None:
        """The editors publish a weekly post."""
        self.posts.append([next(self.numbers) for _ in range(count)])
        self._ingest(len(self.posts) - 1)

    def edit(self, pick: int, added: int) -> None:
        """A post gains papers, or loses its last one."""
        if not self.posts:
            return
        index = pick % len(self.posts)
        if added:
            self.posts[index] += [next(self.numbers) for _ in range(added)]
        elif len(self.posts[index]) > 1:
            self.posts[index].pop()
        self._ingest(index)

    def _ingest(self, index: int) -> None:
        papers = self.posts[index]
        start = date(2024, 12, 30) + timedelta(weeks=index)
        title = (
            f"[{start:%Y/%m/%d} ~ {start + timedelta(days=6):%Y/%m/%d}] 이번 주에 살펴볼 만한 AI/ML 논문 모음"
        )
        html = "<p>이번 주의 흐름입니다.</p>" + "".join(_paper_html(number) for number in papers)
        post = Post(1000 + index, title, f"https://forum.example/t/{1000 + index}", html, self.now)
        try:
            with self.database.sessions.begin() as session:
                apply(session, post, self.now)
        except CrashError:
            return
        self.arrived += [number for number in papers if number not in self.arrived]

    def join(self, number: int, language: Language, frequency: Frequency) -> None:
        address = _address(number)
        with self.database.sessions.begin() as session:
            subscriber = accounts.sign_up(
                session, address, language=language, frequency=frequency, now=self.now
            )
            if subscriber.status != SubscriberStatus.PENDING:
                return  # they are subscribed already
            accounts.confirm(session, subscriber, self.now)
        latest = [number for number in self.arrived if self.posts and number in self.posts[-1]]
        first = min(latest, default=len(self.arrived) + 1)
        start = self.arrived.index(first) if first in self.arrived else len(self.arrived)
        self.starts[address] = max(start, self.starts.get(address, 0))

    def change(self, number: int, action: Callable[..., None]) -> None:
        with self.database.sessions.begin() as session:
            subscriber = accounts.find(session, _address(number))
            if subscriber and subscriber.status in SUBSCRIBED:
                action(session, subscriber)

    def run(self, what: Frequency | Literal["upkeep"]) -> None:
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

    def check(self) -> None:
        """Check that nobody got a paper twice or out of order."""
        for address in self.starts:
            received = self.papers_of(address)
            order = [self.arrived.index(number) for number in received]
            assert order == sorted(set(order)), f"{address} got {received}, arrived {self.arrived}"

    def papers_of(self, address: str) -> list[int]:
        return [paper for to, papers in self.transport.accepted.values() if to == address for paper in papers]


def _address(number: int) -> str:
    return f"reader{number}@example{number}.com"  # each has a domain of their own, so that no throttled domain delays the others


def _render_titles(edition: Edition, **_: object) -> Rendered:
    """Render only the titles of the papers, because a real mail takes much longer."""
    titles = "\n".join(paper.title for paper in edition.papers)
    content = Content(edition.spec.slot, titles, titles, "0" * 20)
    return Rendered(content, FittedBlocks((), ()), fill=0.0)


def _paper_html(number: int) -> str:
    name = f"T{number:04}"
    return (
        f"<h2>{name}: 논문 / {name}: paper</h2><h3>논문 소개</h3><p>{name} 논문을 소개합니다.</p>"
        f"<h3>초록(Abstract)</h3><p>{name} 논문의 초록입니다.</p><blockquote><p>The abstract of {name}.</p></blockquote>"
        f'<h3>논문 링크</h3><p><a href="https://arxiv.org/abs/2501.{number:05}">x</a></p><hr>'
    )


SUBSCRIBER = st.integers(1, 4)
LANGUAGE = st.sampled_from(Language)
FREQUENCY = st.sampled_from(Frequency)
ERROR = st.sampled_from(
    [
        SmtpError("rcpt", 450, "4.2.1 try later"),
        SmtpError("data", 0, "connection lost"),
        SmtpError("body", 0, "connection lost"),
        SmtpError("login", 535, "5.7.8 no"),
    ]
)
MORNING = st.tuples(st.just("morning"), st.one_of(st.none(), st.integers(0, 20)), st.lists(ERROR, max_size=2))
STEP = st.one_of(
    st.tuples(st.just("publish"), st.integers(1, 6)),
    st.tuples(st.just("edit"), st.integers(0, 9), st.integers(0, 2)),
    st.tuples(st.just("join"), SUBSCRIBER, LANGUAGE, FREQUENCY),
    st.tuples(st.just("switch"), SUBSCRIBER, LANGUAGE, FREQUENCY),
    st.tuples(st.just("pause"), SUBSCRIBER),
    st.tuples(st.just("resume"), SUBSCRIBER),
    st.tuples(st.just("leave"), SUBSCRIBER),
    MORNING,
    MORNING,
    MORNING,
    st.tuples(st.just("run"), st.sampled_from([*Frequency, "upkeep"])),
)


def _perform(simulation: Simulation, step: tuple[object, ...]) -> None:
    match step:
        case ("publish", int(count)):
            simulation.publish(count)
        case ("edit", int(pick), int(added)):
            simulation.edit(pick, added)
        case ("join", int(number), Language() as language, Frequency() as frequency):
            simulation.join(number, language, frequency)
        case ("switch", int(number), Language() as language, Frequency() as frequency):
            simulation.change(
                number,
                lambda session, subscriber: accounts.change(
                    session, subscriber, simulation.now, language=language, frequency=frequency
                ),
            )
        case ("pause", int(number)):
            simulation.change(number, lambda _, subscriber: accounts.pause(subscriber, simulation.now))
        case ("resume", int(number)):
            simulation.change(number, lambda _, subscriber: accounts.resume(subscriber, simulation.now))
        case ("leave", int(number)):
            simulation.change(number, lambda _, subscriber: accounts.unsubscribe(subscriber, simulation.now))
        case ("morning", steps_to_crash, list(errors)):
            simulation.now = (simulation.now + timedelta(days=1)).replace(hour=8)
            assert steps_to_crash is None or isinstance(steps_to_crash, int)
            simulation.transport.steps_to_crash, simulation.transport.errors = steps_to_crash, errors
            simulation.run(Frequency.DAILY)
            simulation.run(Frequency.WEEKLY)
        case ("run", Frequency() as frequency):
            simulation.run(frequency)
        case ("run", "upkeep"):
            simulation.run("upkeep")


def _without_fsync(database: Database) -> None:
    """A crash here ends a process and not the machine, so waiting for the disk would only take time."""
    if database.engine.dialect.name == "sqlite":
        event.listen(database.engine, "checkout", lambda c, _r, _p: c.execute("PRAGMA synchronous = OFF"))


def _finish(simulation: Simulation) -> None:
    """Let weeks pass in which nothing is published and nothing fails, until there is no mail left to send."""
    simulation.transport.steps_to_crash, simulation.transport.errors = None, []
    for index in range(len(simulation.posts)):
        simulation._ingest(index)
    for number in range(1, 5):
        simulation.change(number, lambda _, subscriber: accounts.resume(subscriber, simulation.now))
    attempts = -1
    while attempts < simulation.transport.attempts:
        attempts = simulation.transport.attempts
        simulation.now += timedelta(days=7)
        for frequency in Frequency:
            simulation.run(frequency)
        simulation.run("upkeep")


def _reported_as_lost(session: Session, simulation: Simulation, subscriber_id: int) -> list[int]:
    """The papers of mails that the outbox shows as failed or uncertain, so that the operator knows of them."""
    lost_mails = (
        select(EditionRow.papers)
        .join(Delivery)
        .where(Delivery.subscriber_id == subscriber_id, Delivery.state.in_(LOST_STATES))
    )
    return [simulation.arrived[number - 1] for papers in session.scalars(lost_mails) for number in papers]


@settings(
    max_examples=20,
    phases=[Phase.generate],
    derandomize=True,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
@given(steps=st.lists(STEP, min_size=10, max_size=60))
def test_every_active_subscriber_gets_every_paper_once_and_in_order(
    new_database_url: Callable[[], str], monkeypatch: pytest.MonkeyPatch, steps: list[tuple[object, ...]]
) -> None:
    monkeypatch.setattr(next_mail, "render", _render_titles)
    monkeypatch.setattr(
        rate_limit, "INITIAL_INTERVAL_SECONDS", 0.0
    )  # nobody waits here for a throttled domain
    database = open_database(new_database_url())
    try:
        _without_fsync(database)
        simulation = Simulation(database)
        event.listen(database.engine, "commit", lambda _connection: simulation.transport.step())
        event.listen(database.sessions, "after_commit", lambda _session: simulation.transport.step())
        for step in steps:
            with contextlib.suppress(CrashError):
                _perform(simulation, step)
            if step[0] != "morning":
                simulation.transport.steps_to_crash = None
        _finish(simulation)
        simulation.check()
        in_force = {number for post in simulation.posts for number in post}
        with database.sessions() as session:
            for address, start in simulation.starts.items():
                subscriber = accounts.find(session, address)
                if subscriber and subscriber.status == SubscriberStatus.ACTIVE:
                    due = [number for number in simulation.arrived[start:] if number in in_force]
                    known = simulation.papers_of(address) + _reported_as_lost(
                        session, simulation, subscriber.id
                    )
                    missed = [number for number in due if number not in known]
                    assert not missed, f"{address} never got {missed}"
    finally:
        database.engine.dispose()
