"""The state machine whose rules are all that readers, editors, operators, the clock, the servers and crashes do."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial, wraps
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from hypothesis.strategies._internal.featureflags import FeatureFlags

from core.database import Database
from core.frequencies import Frequency
from core.languages import Language
from mailings.resend.request import ResendGroup
from tests.support.simulation import operators, readers
from tests.support.simulation.checks import check_now, check_that_everything_came
from tests.support.simulation.forum import EDITOR, SimulatedPost
from tests.support.simulation.newsletter import Newsletter, titles_only
from tests.support.simulation.transport import Trouble

# Hypothesis' own way to draw, as an alternative backend. With those it draws each history independently, and otherwise it
# repeats parts of earlier histories, so that fewer pairs of rules run.
AVAILABLE_PROVIDERS["independent"] = "hypothesis.internal.conjecture.providers.HypothesisProvider"

RULE_NAMES: list[str] = []
READER = st.integers(1, 3)
LANGUAGE = st.sampled_from(Language)
FREQUENCY = st.sampled_from(Frequency)
PICK = st.integers(0, 9)
MAX_REPOST_AGE = timedelta(days=20)  # the title of a later post would name a week far from its day

# What somebody does while mails are sent.
INTERRUPTIONS: dict[str, Callable[[Newsletter, int], None]] = {
    "pause": readers.pause,
    "unsubscribe": readers.unsubscribe,
    "move": readers.move,
    "forget": readers.forget,
    "be suppressed": operators.suppress_address,
    "switch to daily": lambda newsletter, number: readers.change(
        newsletter, number, Language.BOTH, Frequency.DAILY
    ),
    "switch to weekly": lambda newsletter, number: readers.change(newsletter, number, None, Frequency.WEEKLY),
}
INTERRUPTION = st.tuples(st.integers(1, 3), READER, st.sampled_from(sorted(INTERRUPTIONS)))


class Coverage:
    """How often each rule ran, and how often each pair of rules ran one after the other."""

    def __init__(self) -> None:
        self.histories = 0
        self.rules: Counter[str] = Counter(dict.fromkeys(RULE_NAMES, 0))
        self.pairs: Counter[tuple[str, str]] = Counter()

    def add(self, history: list[str]) -> None:
        """Count the rules of one history."""
        self.histories += 1
        self.rules.update(history)
        self.pairs.update(pairwise(history))

    def summary(self) -> str:
        """The counts in one line."""
        return (
            f"{self.histories} histories with {self.rules.total()} acts: each of the {len(self.rules)} rules ran "
            f"{min(self.rules.values())} to {max(self.rules.values())} times, and {len(self.pairs)} of "
            f"{len(self.rules) ** 2} pairs of rules ran one after the other"
        )

    def table(self) -> str:
        """A line for each rule: how often it ran, and how many different rules came before and after it."""
        before, after = Counter(pair[1] for pair in self.pairs), Counter(pair[0] for pair in self.pairs)
        return "\n".join(
            f"{count:7} {name}, after {before[name]} and before {after[name]} rules"
            for name, count in sorted(self.rules.items(), key=lambda item: item[1])
        )


def act(**arguments: Any) -> Callable[[Callable[..., None]], Any]:
    """A rule that is noted in the history of its machine, after which all that must always hold is checked."""

    def decorate(function: Callable[..., None]) -> Any:
        @wraps(function)
        def noted(self: "NewsletterMachine", **drawn: Any) -> None:
            self.history.append(function.__name__)
            self.has_failed = True  # unless the end is reached
            function(self, **drawn)
            check_now(self.newsletter)
            self.has_failed = False

        RULE_NAMES.append(function.__name__)
        return rule(**arguments)(noted)  # type: ignore[no-untyped-call]  # Hypothesis types only its own use

    return decorate


class _AllRules(FeatureFlags):
    """Every rule may run."""

    def is_enabled(self, name: Any) -> bool:  # noqa: ARG002  the signature is Hypothesis'
        return True


class NewsletterMachine(RuleBasedStateMachine):
    """Histories of a newsletter. A subclass says how a database is opened, and counts the rules in `coverage`."""

    open_database: Callable[[], Database]
    coverage: Coverage

    def __init__(self) -> None:
        super().__init__()
        # Hypothesis would let only some of the rules run in each history, so that fewer pairs of rules ran.
        self._rules_strategy.enabled_rules_strategy = st.just(_AllRules())
        self.newsletter = Newsletter(type(self).open_database())
        self.forum = self.newsletter.forum
        self.history: list[str] = []
        self.has_failed = False

    @initialize(
        count=st.integers(1, 5), choices=st.lists(st.tuples(LANGUAGE, FREQUENCY), min_size=2, max_size=2)
    )
    def begin(self, count: int, choices: list[tuple[Language, Frequency]]) -> None:
        """The newsletter begins with a first issue and two of the readers."""
        self.forum.publish(count, self.newsletter.now)
        self.newsletter.read_forum()
        for number, (language, frequency) in enumerate(choices, start=1):
            operators.add_subscriber(self.newsletter, number, language, frequency)

    def teardown(self) -> None:
        """Whatever has happened, everybody gets in the end what they must get."""
        self.coverage.add(self.history)
        try:
            if not self.has_failed:
                check_that_everything_came(self.newsletter)
        finally:
            self.newsletter.database.engine.dispose()

    # --- the editors ----------------------------------------------------------------

    @act(count=st.integers(1, 6), days=st.integers(0, 9))
    def publish(self, count: int, days: int) -> None:
        self._publish(count, days)

    @precondition(lambda self: self._in_force())
    @act(count=st.integers(1, 4))
    def publish_by_new_author(self, count: int) -> None:
        self._publish(count, author="guest")

    @precondition(lambda self: self._in_force())
    @act(count=st.integers(2, 4))
    def publish_without_a_title(self, count: int) -> None:
        self.forum.set_title(self._publish(count), is_there=False)

    @precondition(lambda self: self._in_force())
    @act(count=st.integers(1, 3))
    def show_old_week(self, count: int) -> None:
        self.forum.show_old_week(count)

    @precondition(lambda self: self._editable())
    @act(pick=PICK, count=st.integers(1, 2))
    def add_papers(self, pick: int, count: int) -> None:
        self.forum.add_papers(_one_of(self._editable(), pick), count)

    @precondition(lambda self: self._editable(min_papers=2))
    @act(pick=PICK)
    def remove_paper(self, pick: int) -> None:
        self.forum.remove_paper(_one_of(self._editable(min_papers=2), pick))

    @precondition(lambda self: self._editable(has_removed=True))
    @act(pick=PICK)
    def restore_paper(self, pick: int) -> None:
        self.forum.restore_paper(_one_of(self._editable(has_removed=True), pick))

    @precondition(lambda self: self._editable(min_papers=2))
    @act(pick=PICK)
    def reorder_papers(self, pick: int) -> None:
        self.forum.reorder(_one_of(self._editable(min_papers=2), pick))

    @precondition(lambda self: self._editable())
    @act(pick=PICK)
    def rename_paper(self, pick: int) -> None:
        self.forum.rename(_one_of(self._editable(), pick), pick)

    @precondition(lambda self: self._editable())
    @act(pick=PICK)
    def correct_paper(self, pick: int) -> None:
        self.forum.correct(_one_of(self._editable(), pick), pick)

    @precondition(lambda self: self._editable(lacks_title=False))
    @act(pick=PICK)
    def lose_title(self, pick: int) -> None:
        self.forum.set_title(_one_of(self._editable(lacks_title=False), pick), is_there=False)

    @precondition(lambda self: self._editable(lacks_title=True))
    @act(pick=PICK)
    def give_title_back(self, pick: int) -> None:
        self.forum.set_title(_one_of(self._editable(lacks_title=True), pick), is_there=True)

    @precondition(lambda self: self._editable())
    @act(pick=PICK)
    def move_post(self, pick: int) -> None:
        self.forum.move(_one_of(self._editable(), pick), f"moved-{self.newsletter.now:%j}")

    @precondition(lambda self: self._editable(lacks_title=False))
    @act(pick=PICK)
    def delete_post(self, pick: int) -> None:
        self.forum.delete(_one_of(self._editable(lacks_title=False), pick), is_deleted=True)

    @precondition(lambda self: self._deleted())
    @act(pick=PICK)
    def restore_post(self, pick: int) -> None:
        self.forum.delete(_one_of(self._deleted(), pick), is_deleted=False)

    @precondition(lambda self: self._can_be_posted_again())
    @act(pick=PICK)
    def post_week_again(self, pick: int) -> None:
        operators.post_again(self.newsletter, _one_of(self._can_be_posted_again(), pick))

    # --- readers --------------------------------------------------------------------

    @act(number=READER, language=LANGUAGE, frequency=FREQUENCY)
    def sign_up(self, number: int, language: Language, frequency: Frequency) -> None:
        readers.sign_up(self.newsletter, number, language, frequency)

    @act(number=READER)
    def confirm(self, number: int) -> None:
        readers.confirm(self.newsletter, number)

    @act(number=READER, language=LANGUAGE, frequency=FREQUENCY)
    def change_choice(self, number: int, language: Language, frequency: Frequency) -> None:
        readers.change(self.newsletter, number, language, frequency)

    @act(number=READER, days=st.one_of(st.none(), st.integers(1, 40)))
    def pause(self, number: int, days: int | None) -> None:
        readers.pause(self.newsletter, number, days)

    @act(number=READER)
    def resume(self, number: int) -> None:
        readers.resume(self.newsletter, number)

    @act(number=READER)
    def unsubscribe(self, number: int) -> None:
        readers.unsubscribe(self.newsletter, number)

    @act(number=READER)
    def undo_unsubscribe(self, number: int) -> None:
        readers.undo_unsubscribe(self.newsletter, number)

    @act(number=READER)
    def move(self, number: int) -> None:
        readers.move(self.newsletter, number)

    @act(number=READER)
    def forget(self, number: int) -> None:
        readers.forget(self.newsletter, number)

    # --- operators ------------------------------------------------------------------

    @act(number=READER, language=LANGUAGE, frequency=FREQUENCY)
    def add_subscriber(self, number: int, language: Language, frequency: Frequency) -> None:
        operators.add_subscriber(self.newsletter, number, language, frequency)

    @act(number=READER)
    def suppress_address(self, number: int) -> None:
        operators.suppress_address(self.newsletter, number)

    @act(number=READER)
    def lift_suppression(self, number: int) -> None:
        operators.lift_suppression(self.newsletter, number)

    @act(number=READER)
    def return_last_mail(self, number: int) -> None:
        operators.return_last_mail(self.newsletter, number)

    @precondition(lambda self: self._waiting())
    @act(pick=PICK)
    def release_issue(self, pick: int) -> None:
        operators.release(self.newsletter, _one_of(self._waiting(), pick))

    @precondition(lambda self: self._archived())
    @act(pick=PICK)
    def mail_archived_issue(self, pick: int) -> None:
        operators.mail_archived(self.newsletter, _one_of(self._archived(), pick))

    @precondition(lambda self: self._in_force())
    @act(pick=PICK, group=st.sampled_from(ResendGroup), number=st.one_of(st.none(), READER))
    def resend_issue(self, pick: int, group: ResendGroup, number: int | None) -> None:
        operators.resend(self.newsletter, _one_of(self._in_force(), pick), group, number)

    @act()
    def reconcile_with_log(self) -> None:
        operators.reconcile_with_log(self.newsletter)

    # --- the clock ------------------------------------------------------------------

    @act(hours=st.integers(1, 30))
    def let_hours_pass(self, hours: int) -> None:
        self.newsletter.now += timedelta(hours=hours)

    @act(weeks=st.integers(1, 10))
    def let_weeks_pass(self, weeks: int) -> None:
        self.newsletter.now += timedelta(weeks=weeks)

    @act(hours=st.integers(1, 3))
    def turn_clock_back(self, hours: int) -> None:
        self.newsletter.now -= timedelta(hours=hours)

    # --- the schedule, with what can go wrong ---------------------------------------

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

    @act(steps=st.integers(0, 24))
    def morning_with_a_crash(self, steps: int) -> None:
        with self._crash_after(steps):
            self._morning()

    @act(troubles=st.lists(st.sampled_from(Trouble), min_size=1, max_size=3))
    def morning_with_server_trouble(self, troubles: list[Trouble]) -> None:
        self.newsletter.transport.troubles = troubles
        self._morning()
        self.newsletter.transport.calm_down()

    @act(acts=st.lists(INTERRUPTION, min_size=1, max_size=2))
    def morning_while_readers_change(self, acts: list[tuple[int, int, str]]) -> None:
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
        newsletter.run(Frequency.DAILY)
        newsletter.run(Frequency.WEEKLY)

    @contextmanager
    def _crash_after(self, steps: int) -> Iterator[None]:
        self.newsletter.transport.steps_to_crash = steps
        yield
        self.newsletter.transport.calm_down()

    # --- which posts an act can be about --------------------------------------------

    def _publish(self, count: int, days: int = 0, author: str = EDITOR) -> SimulatedPost:
        newsletter = self.newsletter
        newsletter.now = max(newsletter.now, self.forum.next_week_begins() + timedelta(days=days))
        return self.forum.publish(count, newsletter.now, author=author)

    def _editable(
        self, min_papers: int = 1, *, has_removed: bool = False, lacks_title: bool | None = None
    ) -> list[SimulatedPost]:
        return [
            post
            for post in self.forum.posts
            if not post.is_deleted
            and (post.author == EDITOR or self._is_in_force(post))
            and len(post.papers) >= min_papers
            and (post.removed or not has_removed)
            and lacks_title in {None, post.lacks_title}
        ]

    def _deleted(self) -> list[SimulatedPost]:
        return [post for post in self.forum.posts if post.is_deleted]

    def _in_force(self) -> list[SimulatedPost]:
        return [post for post in self.forum.posts if self._is_in_force(post) and not post.is_deleted]

    def _waiting(self) -> list[SimulatedPost]:
        """Posts of new authors that have been read, and wait for an operator."""
        return [
            post
            for post in self.forum.posts
            if post.author != EDITOR
            and not self._is_in_force(post)
            and post.topic_id not in self.forum.unread
        ]

    def _archived(self) -> list[SimulatedPost]:
        return [
            post
            for post in (*self.forum.old_posts, *self.forum.posts)
            if self._is_settled(post) and self.newsletter.expectation.issues[post.topic_id].is_archive
        ]

    def _can_be_posted_again(self) -> list[SimulatedPost]:
        archive = self.newsletter.expectation.archive
        return [
            post
            for post in self._in_force()
            if self._is_settled(post)
            and self.newsletter.now.date() - post.start <= MAX_REPOST_AGE
            and not archive.intersection(post.papers)
        ]

    def _is_in_force(self, post: SimulatedPost) -> bool:
        return post.topic_id in self.newsletter.expectation.issues

    def _is_settled(self, post: SimulatedPost) -> bool:
        """Whether the post is in force as the editors have it now."""
        return (
            self._is_in_force(post)
            and not (post.is_deleted or post.lacks_title)
            and post.topic_id not in self.forum.unread
        )


def _one_of(posts: list[SimulatedPost], pick: int) -> SimulatedPost:
    return posts[pick % len(posts)]


def run_histories(
    open_database: Callable[[], Database],
    coverage: Coverage,
    *,
    histories: int,
    steps: int,
    seed_number: int | None = None,
) -> None:
    """Draw histories, let each of them happen in a database of its own, and count what ran.

    Without a seed they are the same each time.

    Raises:
        AssertionError: something did not hold; its notes are the smallest history that shows it.
    """
    how = settings(
        max_examples=histories,
        stateful_step_count=steps,
        derandomize=seed_number is None,
        backend="independent",
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    members = {"open_database": staticmethod(open_database), "coverage": coverage}
    machine = type("Newsletter", (NewsletterMachine,), members)
    if seed_number is not None:
        machine = seed(seed_number)(machine)
    with titles_only():
        run_state_machine_as_test(machine, settings=how)
