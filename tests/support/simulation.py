"""A simulated forum with its editors, subscribers and a fake transport, around the real pipeline."""

import email
import email.policy
import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from core.database import Database
from core.frequencies import Frequency
from core.languages import Language
from delivery.context import SendingContext
from delivery.states import DeliveryState
from delivery.transport.base import Client, SendError
from emails.message import Message
from issues.posts import Post
from issues.store import apply
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


def _paper_html(number: int) -> str:
    name = f"T{number:04}"
    return (
        f"<h2>{name}: 논문 / {name}: paper</h2><h3>논문 소개</h3><p>{name} 논문을 소개합니다.</p>"
        f"<h3>초록(Abstract)</h3><p>{name} 논문의 초록입니다.</p><blockquote><p>The abstract of {name}.</p></blockquote>"
        f'<h3>논문 링크</h3><p><a href="https://arxiv.org/abs/2501.{number:05}">x</a></p><hr>'
    )
