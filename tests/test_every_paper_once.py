"""Months of simulated time: whatever happens, every active subscriber gets every paper once and in order.

Subscribers join, pause, change their choice and leave, also while their mail is being sent. Posts come late, are
edited, gain, lose and regain papers, move, are posted again, deleted and restored. Runs are repeated, skipped and
crash at any step. The transport is a fake, and mails are not rendered because months of
rendering would take minutes. Everything else is real.
"""

import contextlib
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from core.database import Database
from core.frequencies import Frequency
from core.languages import Language
from core.schema import open_database
from delivery import rate_limit
from delivery.models import Delivery, EditionRow
from delivery.transport.base import SendError
from delivery.transport.smtp.replies import SmtpError
from emails.content import Content
from emails.edition import Edition
from emails.rendering.fit import FittedBlocks
from emails.rendering.render import Rendered
from issues.models import Paper
from mailings import intake, next_mail
from subscribers import accounts
from subscribers.status import SubscriberStatus
from subscribers.suppression import suppress
from tests.support.simulation import LOST_STATES, CrashError, Simulation, number_of


def _render_titles(edition: Edition, **_: object) -> Rendered:
    """Render only the titles of the papers, because a real mail takes much longer."""
    titles = "\n".join(paper.title for paper in edition.papers)
    content = Content(edition.spec.slot, titles, titles, "0" * 20)
    return Rendered(content, FittedBlocks((), ()), fill=0.0)


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
# What somebody does while the mails of a morning are sent: before which mail, who, and what.
INTERRUPTION = st.tuples(
    st.integers(1, 3), SUBSCRIBER, st.sampled_from(["pause", "leave", "switch", "suppress"])
)
MORNING = st.tuples(
    st.just("morning"),
    st.one_of(st.none(), st.integers(0, 20)),
    st.lists(ERROR, max_size=2),
    st.lists(INTERRUPTION, max_size=2),
)
ACTIONS = {"pause": accounts.pause, "resume": accounts.resume, "leave": accounts.unsubscribe}
STEP = st.one_of(
    st.tuples(st.just("publish"), st.integers(1, 6), st.integers(0, 9)),
    st.tuples(st.just("publish_old_week"), st.integers(1, 3)),
    st.tuples(st.just("edit"), st.integers(0, 9), st.integers(0, 2)),
    st.tuples(
        st.sampled_from(["restore", "reorder", "rename", "move", "repost", "delete"]), st.integers(0, 9)
    ),
    st.tuples(st.just("restore"), st.integers(0, 9)),
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
        case ("join", int(number), Language() as language, Frequency() as frequency):
            simulation.join(number, language, frequency)
        case ("switch", int(number), Language() as language, Frequency() as frequency):
            simulation.change(
                number,
                lambda session, subscriber: accounts.change(
                    session, subscriber, simulation.now, language=language, frequency=frequency
                ),
            )
        case (("pause" | "resume" | "leave"), int(number)):
            act = ACTIONS[str(step[0])]
            simulation.change(number, lambda _, subscriber: act(subscriber, simulation.now))
        case ("morning", steps_to_crash, list(errors), list(interruptions)):
            assert steps_to_crash is None or isinstance(steps_to_crash, int)
            _send_in_the_morning(simulation, steps_to_crash, errors, interruptions)
        case ("run", Frequency() as frequency):
            simulation.run(frequency)
        case ("run", "upkeep"):
            simulation.run("upkeep")
        case (str(what), *numbers):
            getattr(simulation, what)(*numbers)


def _send_in_the_morning(
    simulation: Simulation,
    steps_to_crash: int | None,
    errors: list[SendError],
    interruptions: list[tuple[int, int, str]],
) -> None:
    simulation.now = (simulation.now + timedelta(days=1)).replace(hour=8)
    simulation.transport.steps_to_crash, simulation.transport.errors = steps_to_crash, errors
    simulation.transport.interruptions = {
        simulation.transport.attempts + before: partial(_interrupt, simulation, who, what)
        for before, who, what in interruptions
    }
    for _ in range(2):  # the slots run again, with those who have changed meanwhile
        simulation.run(Frequency.DAILY)
        simulation.run(Frequency.WEEKLY)


def _interrupt(simulation: Simulation, number: int, what: str) -> None:
    """Somebody changes something while mails are being sent."""
    now = simulation.now
    match what:
        case "pause":
            simulation.change(number, lambda _, subscriber: accounts.pause(subscriber, now))
        case "leave":
            simulation.change(number, lambda _, subscriber: accounts.unsubscribe(subscriber, now))
        case "switch":
            simulation.change(
                number,
                lambda session, subscriber: accounts.change(
                    session, subscriber, now, language=Language.BOTH, frequency=Frequency.DAILY
                ),
            )
        case "suppress":
            simulation.change(
                number, lambda session, subscriber: suppress(session, subscriber.email, "test", now)
            )


def _without_fsync(database: Database) -> None:
    """A crash here ends a process and not the machine, so waiting for the disk would only take time."""
    if database.engine.dialect.name == "sqlite":
        event.listen(database.engine, "checkout", lambda c, _r, _p: c.execute("PRAGMA synchronous = OFF"))


def _finish(simulation: Simulation) -> None:
    """Let weeks pass in which nothing is published and nothing fails, until there is no mail left to send."""
    simulation.transport.steps_to_crash, simulation.transport.errors = None, []
    simulation.transport.interruptions = {}
    simulation.settle()
    for number in range(1, 5):
        simulation.change(number, lambda _, subscriber: accounts.resume(subscriber, simulation.now))
    attempts = -1
    while attempts < simulation.transport.attempts:
        attempts = simulation.transport.attempts
        simulation.now += timedelta(days=7)
        for frequency in Frequency:
            simulation.run(frequency)
        simulation.run("upkeep")


def _reported_as_lost(session: Session, subscriber_id: int) -> list[int]:
    """The papers of mails that the outbox shows as failed or uncertain, so that the operator knows of them."""
    lost_mails = (
        select(EditionRow.papers)
        .join(Delivery)
        .where(Delivery.subscriber_id == subscriber_id, Delivery.state.in_(LOST_STATES))
    )
    stored = {paper.number: number_of(paper) for paper in session.scalars(select(Paper))}
    return [stored[number] for papers in session.scalars(lost_mails) for number in papers]


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
    monkeypatch.setattr(intake, "faults_of", lambda *_issues, **_rules: {})  # it renders as well
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
        with database.sessions() as session:
            for address, start in simulation.starts.items():
                subscriber = accounts.find(session, address)
                if subscriber and subscriber.status == SubscriberStatus.ACTIVE:
                    due = simulation.due_papers(session, start)
                    known = simulation.papers_of(address) + _reported_as_lost(session, subscriber.id)
                    missed = [number for number in due if number not in known]
                    assert not missed, f"{address} never got {missed}"
    finally:
        database.engine.dispose()
