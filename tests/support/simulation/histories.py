"""Draws histories in which subscribers, editors, operators, the clock, the servers and crashes act."""

from collections.abc import Callable

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS
from hypothesis.stateful import run_state_machine_as_test

from core.database import Database
from tests.support.simulation.coverage import Coverage
from tests.support.simulation.editor_rules import EditorRules
from tests.support.simulation.machine import RULE_NAMES
from tests.support.simulation.newsletter import titles_only
from tests.support.simulation.people_rules import OperatorRules, SubscriberRules
from tests.support.simulation.schedule_rules import ClockRules
from tests.support.simulation.story_rules import StoryRules

# Hypothesis' own way to draw, as an alternative backend. With those it draws each history independently, and otherwise it
# repeats parts of earlier histories, so that fewer pairs of rules run.
AVAILABLE_PROVIDERS["independent"] = "hypothesis.internal.conjecture.providers.HypothesisProvider"


class NewsletterMachine(EditorRules, SubscriberRules, OperatorRules, ClockRules, StoryRules):
    """The state machine with all rules."""


def new_coverage() -> Coverage:
    """A coverage of all rules, of which none has run."""
    return Coverage(RULE_NAMES)


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
    machine = type("NewsletterMachine", (NewsletterMachine,), members)
    if seed_number is not None:
        machine = seed(seed_number)(machine)
    with titles_only():
        run_state_machine_as_test(machine, settings=how)
