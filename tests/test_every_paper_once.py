"""Months of simulated time: whatever happens, every active reader gets every paper once and in order.

Readers join, pause, switch and leave; posts come, are edited, gain and lose papers; runs are
repeated, skipped and crash at any step. The mail server is played by `Postman`, and mails have no
design here (months of it would take minutes); all else is real.
"""

import contextlib
import email
import email.policy
import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from mailings.run_upkeep import run_upkeep
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from core.database import Database
from core.schema import open_database
from delivery import rate_limit
from delivery.context import SendingContext
from delivery.models import Delivery, EditionRow
from delivery.transport.pool import SmtpClient, SmtpPool
from delivery.transport.smtp.replies import SmtpError
from emails.edition import Edition
from emails.message import Message
from emails.rendering.fit import FittedBlocks
from emails.rendering.render import Rendered
from issues.posts import Post
from issues.store import apply
from mailings import digest_run
from mailings.context import MailingRules, clock_from
from mailings.digest_run import run_digest
from subscribers import accounts
from tests.support.factories import IDENTITY

SEOUL = ZoneInfo("Asia/Seoul")
RULES = MailingRules(settle=timedelta(minutes=30), daily_papers=2, repeat_uncertain=True)


class Crash(BaseException):
    """The process dies here."""


class PostmansLine(SmtpClient):
    """Every line leads to the one postman."""

    def __init__(self, mail_worker: "BackgroundWorker") -> None:
        self.mail_worker = mail_worker

    async def send(self, message: Message, _following: Message | None = None) -> str:
        return self.mail_worker.take(message)

    async def close(self) -> None:
        return


class BackgroundWorker(SmtpPool):
    """A mail server that keeps what it takes, by Message-ID, and refuses or crashes when told."""

    def __init__(self) -> None:
        self.taken: dict[str, tuple[str, list[int]]] = {}
        self.visits = 0  # a repeated mail is one more
        self.refusals: list[SmtpError] = []
        self.fuse: int | None = None

    def burn(self) -> None:
        """One step nearer to the crash, if one is due."""
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                self.fuse = None
                raise Crash

    def line(self) -> SmtpClient:
        return PostmansLine(self)

    def take(self, message: Message) -> str:
        self.burn()
        self.visits += 1
        if self.refusals:
            raise self.refusals.pop()
        mail = email.message_from_bytes(message.data, policy=email.policy.default)
        body = mail.get_body(("plain",))
        assert body is not None, "every mail has a text part"
        papers = list(dict.fromkeys(int(found) for found in re.findall(r"T(\d{4})", body.get_content())))
        known = self.taken.setdefault(str(mail["Message-ID"]), (message.envelope_to, papers))
        assert known == (message.envelope_to, papers), "a repeated mail is the same mail"
        self.burn()
        return "250 2.0.0 Ok"


@dataclass
class World:
    """The forum as its editors see it, the readers, and the pipeline under test."""

    database: Database
    now: datetime = datetime(2025, 1, 6, 7, 0, tzinfo=SEOUL)
    mail_worker: BackgroundWorker = field(default_factory=BackgroundWorker)
    posts: list[list[int]] = field(default_factory=list)
    arrived: list[int] = field(default_factory=list)
    starts: dict[str, int] = field(default_factory=dict)
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def publish(self, count: int) -> None:
        """A new weekly post."""
        self.posts.append([next(self.numbers) for _ in range(count)])
        self._ingest(len(self.posts) - 1)

    def edit(self, pick: int, added: int) -> None:
        """A post gains papers, or loses its last one and has a text corrected."""
        if not self.posts:
            return
        place = pick % len(self.posts)
        if added:
            self.posts[place] += [next(self.numbers) for _ in range(added)]
        elif len(self.posts[place]) > 1:
            self.posts[place].pop()
        self._ingest(place)

    def _ingest(self, place: int) -> None:
        papers = self.posts[place]
        start = date(2024, 12, 30) + timedelta(weeks=place)
        title = (
            f"[{start:%Y/%m/%d} ~ {start + timedelta(days=6):%Y/%m/%d}] 이번 주에 살펴볼 만한 AI/ML 논문 모음"
        )
        html = "<p>이번 주의 흐름입니다.</p>" + "".join(_cooked(number, len(papers)) for number in papers)
        post = Post(1000 + place, title, f"https://forum.example/t/{1000 + place}", html, self.now)
        try:
            with self.database.sessions.begin() as session:
                apply(session, post, self.now)
        except Crash:
            return
        self.arrived += [number for number in papers if number not in self.arrived]

    def join(self, number: int, language: str, frequency: str) -> None:
        address = _address(number)
        with self.database.sessions.begin() as session:
            reader = accounts.sign_up(session, address, language=language, frequency=frequency, now=self.now)
            if reader.status != "pending":
                return  # they are a reader already
            accounts.confirm(session, reader, self.now)
        latest_runs = [number for number in self.arrived if self.posts and number in self.posts[-1]]
        first = min(latest_runs, default=len(self.arrived) + 1)
        place = self.arrived.index(first) if first in self.arrived else len(self.arrived)
        self.starts[address] = max(place, self.starts.get(address, 0))

    def change(self, number: int, act: Callable[..., None]) -> None:
        with self.database.sessions.begin() as session:
            reader = accounts.find(session, _address(number))
            if reader and reader.status in {"active", "paused"}:
                act(session, reader)

    def run(self, what: str) -> None:
        context = SendingContext(
            self.database, self.mail_worker, IDENTITY, clock_from(self.now), lease=timedelta(0)
        )
        try:
            if what == "upkeep":
                run_upkeep(context, local_now=self.now, rules=RULES)
            else:
                report = run_digest(context, what, local_now=self.now, rules=RULES)
                assert report.balances, report.line()
        except Crash:
            return

    def check(self) -> None:
        """Nobody got a paper twice or out of order."""
        for address in self.starts:
            got = self.got(address)
            order = [self.arrived.index(number) for number in got]
            assert order == sorted(set(order)), f"{address} got {got}, arrived {self.arrived}"

    def got(self, address: str) -> list[int]:
        return [paper for to, papers in self.mail_worker.taken.values() if to == address for paper in papers]


def _address(number: int) -> str:
    return f"reader{number}@example{number}.com"  # a domain of their own: the others need not wait for it


def _bare(edition: Edition, **_: object) -> Rendered:
    """The mail of an edition without its design: its papers' titles."""
    titles = "\n".join(paper.title for paper in edition.papers)
    return Rendered(edition.slot, titles, titles, "0" * 20, FittedBlocks((), ()), fill_placeholders=0.0)


def _cooked(number: int, _count: int) -> str:
    name = f"T{number:04}"
    return (
        f"<h2>{name}: 논문 / {name}: paper</h2><h3>논문 소개</h3><p>{name} 논문을 소개합니다.</p>"
        f"<h3>초록(Abstract)</h3><p>{name} 논문의 초록입니다.</p><blockquote><p>The abstract of {name}.</p></blockquote>"
        f'<h3>논문 링크</h3><p><a href="https://arxiv.org/abs/2501.{number:05}">x</a></p><hr>'
    )


READER = st.integers(1, 4)
LANGUAGE = st.sampled_from(["ko", "en", "both"])
FREQUENCY = st.sampled_from(["weekly", "daily"])
REFUSAL = st.sampled_from(
    [
        SmtpError("rcpt", 450, "4.2.1 try later"),
        SmtpError("data", 0, "connection lost"),
        SmtpError("body", 0, "connection lost"),
        SmtpError("login", 535, "5.7.8 no"),
    ]
)
MORNING = st.tuples(
    st.just("morning"), st.one_of(st.none(), st.integers(0, 20)), st.lists(REFUSAL, max_size=2)
)
STEP = st.one_of(
    st.tuples(st.just("publish"), st.integers(1, 6)),
    st.tuples(st.just("edit"), st.integers(0, 9), st.integers(0, 2)),
    st.tuples(st.just("join"), READER, LANGUAGE, FREQUENCY),
    st.tuples(st.just("switch"), READER, LANGUAGE, FREQUENCY),
    st.tuples(st.just("pause"), READER),
    st.tuples(st.just("resume"), READER),
    st.tuples(st.just("leave"), READER),
    MORNING,
    MORNING,
    MORNING,
    st.tuples(st.just("run"), st.sampled_from(["weekly", "daily", "upkeep"])),
)


def _take(world: World, step: tuple[object, ...]) -> None:
    match step:
        case ("publish", int(count)):
            world.publish(count)
        case ("edit", int(pick), int(added)):
            world.edit(pick, added)
        case ("join", int(number), str(language), str(frequency)):
            world.join(number, language, frequency)
        case ("switch", int(number), str(language), str(frequency)):
            world.change(
                number,
                lambda session, r: accounts.change(
                    session, r, world.now, language=language, frequency=frequency
                ),
            )
        case ("pause", int(number)):
            world.change(number, lambda _, r: accounts.pause(r, world.now))
        case ("resume", int(number)):
            world.change(number, lambda _, r: accounts.resume(r, world.now))
        case ("leave", int(number)):
            world.change(number, lambda _, r: accounts.unsubscribe(r, world.now))
        case ("morning", fuse, list(refusals)):
            world.now = (world.now + timedelta(days=1)).replace(hour=8)
            assert fuse is None or isinstance(fuse, int)
            world.mail_worker.fuse, world.mail_worker.refusals = fuse, refusals
            world.run("daily")
            world.run("weekly")
        case ("run", str(what)):
            world.run(what)


def _without_fsync(database: Database) -> None:
    """Crashes here end a process, not the machine: waiting for the disk would only cost time."""
    if database.engine.dialect.name == "sqlite":
        event.listen(database.engine, "checkout", lambda c, _r, _p: c.execute("PRAGMA synchronous = OFF"))


def _settle(world: World) -> None:
    """Quiet weeks: nothing is published, nothing fails, every run takes place, until one has no mail to send."""
    world.mail_worker.fuse, world.mail_worker.refusals = None, []
    for place in range(len(world.posts)):
        world._ingest(place)
    for number in range(1, 5):
        world.change(number, lambda _, r: accounts.resume(r, world.now))
    visits = -1
    while visits < world.mail_worker.visits:
        visits = world.mail_worker.visits
        world.now += timedelta(days=7)
        for what in ("weekly", "daily", "upkeep"):
            world.run(what)


def _reported(session: Session, world: World, reader_id: int) -> list[int]:
    """Papers whose mail the ledger shows as failed or uncertain: the operator knows of them."""
    lost = (
        select(EditionRow.papers)
        .join(Delivery)
        .where(Delivery.subscriber_id == reader_id, Delivery.state.in_(["failed", "uncertain"]))
    )
    return [world.arrived[number - 1] for papers in session.scalars(lost) for number in papers]


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
def test_every_active_reader_gets_every_paper_once_and_in_order(
    new_database_url: Callable[[], str], monkeypatch: pytest.MonkeyPatch, steps: list[tuple[object, ...]]
) -> None:
    monkeypatch.setattr(digest_run, "render", _bare)
    monkeypatch.setattr(rate_limit, "FIRST_INTERVAL", 0.0)  # nobody waits a second here for a slow domain
    database = open_database(new_database_url())
    try:
        _without_fsync(database)
        world = World(database)
        event.listen(database.engine, "commit", lambda _connection: world.mail_worker.burn())
        event.listen(database.sessions, "after_commit", lambda _session: world.mail_worker.burn())
        for step in steps:
            with contextlib.suppress(Crash):
                _take(world, step)
            if step[0] != "morning":
                world.mail_worker.fuse = None
        _settle(world)
        world.check()
        in_force = {number for post in world.posts for number in post}
        with database.sessions() as session:
            for address, start in world.starts.items():
                reader = accounts.find(session, address)
                if reader and reader.status == "active":
                    owed = [number for number in world.arrived[start:] if number in in_force]
                    settled = world.got(address) + _reported(session, world, reader.id)
                    missed = [number for number in owed if number not in settled]
                    assert not missed, f"{address} never got {missed}"
    finally:
        database.engine.dispose()
