"""The rules of subscribers and operators."""

from hypothesis import strategies as st

from mailings.resend.request import ResendGroup
from subscribers.choices import Choices
from tests.support.simulation import operators, people
from tests.support.simulation.forum import SimulatedPost
from tests.support.simulation.machine import CHOICES, SUBSCRIBER, SimulationMachine, act, act_on
from tests.support.simulation.post_choice import archived, in_force, waiting


class SubscriberRules(SimulationMachine):
    """What people do about their subscriptions."""

    @act(number=SUBSCRIBER, choices=CHOICES)
    def sign_up(self, number: int, choices: Choices) -> None:
        people.sign_up(self.newsletter, number, choices)

    @act(number=SUBSCRIBER)
    def confirm(self, number: int) -> None:
        people.confirm(self.newsletter, number)

    @act(number=SUBSCRIBER, choices=CHOICES)
    def change_choice(self, number: int, choices: Choices) -> None:
        people.change(self.newsletter, number, **vars(choices))

    @act(number=SUBSCRIBER, days=st.one_of(st.none(), st.integers(1, 40)))
    def pause(self, number: int, days: int | None) -> None:
        people.pause(self.newsletter, number, days)

    @act(number=SUBSCRIBER)
    def resume(self, number: int) -> None:
        people.resume(self.newsletter, number)

    @act(number=SUBSCRIBER)
    def unsubscribe(self, number: int) -> None:
        people.unsubscribe(self.newsletter, number)

    @act(number=SUBSCRIBER)
    def undo_unsubscribe(self, number: int) -> None:
        people.undo_unsubscribe(self.newsletter, number)

    @act(number=SUBSCRIBER)
    def move(self, number: int) -> None:
        people.move(self.newsletter, number)

    @act(number=SUBSCRIBER)
    def forget(self, number: int) -> None:
        people.forget(self.newsletter, number)


class OperatorRules(SimulationMachine):
    """What operators do, and what comes back to them."""

    @act(number=SUBSCRIBER, choices=CHOICES)
    def add_subscriber(self, number: int, choices: Choices) -> None:
        operators.add_subscriber(self.newsletter, number, choices)

    @act(number=SUBSCRIBER)
    def suppress_address(self, number: int) -> None:
        operators.suppress_address(self.newsletter, number)

    @act(number=SUBSCRIBER)
    def lift_suppression(self, number: int) -> None:
        operators.lift_suppression(self.newsletter, number)

    @act(number=SUBSCRIBER)
    def return_last_mail(self, number: int) -> None:
        operators.return_last_mail(self.newsletter, number)

    @act_on(waiting)
    def release_issue(self, post: SimulatedPost) -> None:
        operators.release(self.newsletter, post)

    @act_on(archived)
    def mail_archived_issue(self, post: SimulatedPost) -> None:
        operators.mail_archived(self.newsletter, post)

    @act_on(in_force, group=st.sampled_from(ResendGroup), number=st.one_of(st.none(), SUBSCRIBER))
    def resend_issue(self, post: SimulatedPost, group: ResendGroup, number: int | None) -> None:
        operators.resend(self.newsletter, post, group, number)

    @act()
    def reconcile_with_log(self) -> None:
        operators.reconcile_with_log(self.newsletter)
