"""The state machine without its rules: how it begins and ends, and how an act becomes a rule."""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from hypothesis.strategies._internal.featureflags import FeatureFlags

from core.database import Database
from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language
from delivery.warm_up import WarmUp
from subscribers.choices import Choices
from tests.support.simulation import operators
from tests.support.simulation.checks import check_now, check_that_everything_came
from tests.support.simulation.coverage import Coverage
from tests.support.simulation.forum import SEOUL, SimulatedPost
from tests.support.simulation.newsletter import Newsletter

SUBSCRIBER = st.integers(1, 3)
# Half of all choose the same, so that they often share an edition.
CHOICES = st.one_of(
    st.just(Choices(Language.KO, Frequency.WEEKLY, Detail.FULL)),
    st.builds(Choices, st.sampled_from(Language), st.sampled_from(Frequency), st.sampled_from(Detail)),
)
PICK = st.integers(0, 9)
RULE_NAMES: list[str] = []


Posts = Callable[[Newsletter], list[SimulatedPost]]


def act(needs: Posts | None = None, **arguments: Any) -> Callable[[Callable[..., None]], Any]:
    """A rule that is noted in the history of its machine, after which all that must always hold is checked.

    It runs only while the posts that it `needs` exist.
    """

    def decorate(function: Callable[..., None]) -> Any:
        @wraps(function)
        def noted(self: "SimulationMachine", **drawn: Any) -> None:
            self.history.append(function.__name__)
            self.has_failed = True  # unless the end is reached
            function(self, **drawn)
            check_now(self.newsletter)
            self.has_failed = False

        RULE_NAMES.append(function.__name__)
        made = rule(**arguments)(noted)  # type: ignore[no-untyped-call]  # Hypothesis types only its own use
        return precondition(lambda self: bool(needs(self.newsletter)))(made) if needs else made

    return decorate


def act_on(posts: Posts, **arguments: Any) -> Callable[[Callable[..., None]], Any]:
    """A rule about one of these posts, which runs only while there is one."""

    def decorate(function: Callable[..., None]) -> Any:
        @wraps(function)
        def on_one(self: "SimulationMachine", post: int, **drawn: Any) -> None:
            found = posts(self.newsletter)
            function(self, found[post % len(found)], **drawn)

        return act(needs=posts, post=PICK, **arguments)(on_one)

    return decorate


class _AllRules(FeatureFlags):
    """Every rule may run."""

    def is_enabled(self, name: Any) -> bool:  # noqa: ARG002  the signature is Hypothesis'
        return True


class SimulationMachine(RuleBasedStateMachine):
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

    @initialize(count=st.integers(1, 5), choices=st.lists(CHOICES, min_size=2, max_size=2))
    def begin(self, count: int, choices: list[Choices]) -> None:
        """The newsletter begins with a first issue and two subscribers, and two times in five with a new domain.

        For its first two months a day has room for one mail.
        """
        if count <= 2:
            first_day = self.newsletter.now.date() + timedelta(days=60)
            self.newsletter.warm_up = WarmUp(first_day, 1, SEOUL)
        self.forum.publish(count, self.newsletter.now)
        self.newsletter.read_forum()
        for number, each in enumerate(choices, start=1):
            operators.add_subscriber(self.newsletter, number, each)

    def teardown(self) -> None:
        """Whatever has happened, everybody gets in the end what they must get."""
        self.coverage.add(self.history)
        try:
            if not self.has_failed:
                self.has_failed = True  # unless the end is reached
                check_that_everything_came(self.newsletter)
                self.has_failed = False
        finally:
            if self.has_failed:
                self.coverage.last_failure = self.history
            self.newsletter.database.engine.dispose()
