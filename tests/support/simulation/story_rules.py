"""Rules of several acts that seldom follow one another by chance: leaving and coming back, and what meets a waiting mail."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import strategies as st

from emails.rendering.render import Rendered
from mailings import next_mail
from mailings.resend.request import ResendGroup
from subscribers.choices import Choices
from tests.support.simulation import operators, people
from tests.support.simulation.forum import SimulatedPost
from tests.support.simulation.machine import CHOICES, SUBSCRIBER, act, act_on
from tests.support.simulation.newsletter import render_titles
from tests.support.simulation.post_choice import editable, in_force
from tests.support.simulation.schedule_rules import ScheduleRules
from tests.support.simulation.transport import Trouble


class StoryRules(ScheduleRules):
    """Short stories."""

    @act(number=SUBSCRIBER, choices=CHOICES)
    def leave_and_sign_up_again(self, number: int, choices: Choices) -> None:
        people.unsubscribe(self.newsletter, number)
        people.sign_up(self.newsletter, number, choices)
        people.confirm(self.newsletter, number)

    @act(number=SUBSCRIBER, weeks=st.integers(1, 8))
    def leave_for_weeks(self, number: int, weeks: int) -> None:
        people.unsubscribe(self.newsletter, number)
        self.newsletter.now += timedelta(weeks=weeks)
        people.undo_unsubscribe(self.newsletter, number)

    @act_on(partial(editable, min_papers=2))
    def withdraw_and_restore_paper(self, post: SimulatedPost) -> None:
        self.newsletter.read_forum()
        self.forum.remove_paper(post)
        self.newsletter.read_forum()
        self.forum.restore_paper(post)
        self.newsletter.read_forum()

    @act_on(in_force, number=SUBSCRIBER)
    def send_copies_while_a_digest_waits(self, post: SimulatedPost, number: int) -> None:
        """Somebody's digest waits, they get a copy of an issue meanwhile, and they pause before the digest is due."""
        self._morning_put_off()
        operators.resend(self.newsletter, post, ResendGroup.EVERYONE, number)
        people.pause(self.newsletter, number)
        self.newsletter.now += timedelta(hours=1)
        self.newsletter.run("upkeep")
        people.resume(self.newsletter, number)

    @act(number=SUBSCRIBER, other=SUBSCRIBER)
    def run_again_after_pauses(self, number: int, other: int) -> None:
        """One pauses before a digest and one while theirs waits. Both resume, and the digests of the day run again."""
        people.pause(self.newsletter, other)
        self._morning_put_off()
        people.pause(self.newsletter, number)
        self.newsletter.now += timedelta(hours=1)
        self.newsletter.run("upkeep")
        people.resume(self.newsletter, number)
        people.resume(self.newsletter, other)
        self._run_digests()

    @act(upkeeps=st.integers(0, 2))
    def lose_all_replies(self, upkeeps: int) -> None:
        """All mails of a morning arrive, and perhaps they arrive again, but the connection is lost each time."""
        self.newsletter.transport.troubles = [Trouble.LOST_REPLY] * 60
        self._morning()
        for _ in range(upkeeps):
            self.newsletter.now += timedelta(hours=1)
            self.newsletter.run("upkeep")
        self.newsletter.transport.calm_down()

    @act_on(partial(editable, min_papers=2))
    def morning_while_an_edit_is_read(self, post: SimulatedPost) -> None:
        with pytest.MonkeyPatch.context() as patch:

            def render_after_edit(*arguments: Any, **options: Any) -> Rendered:
                patch.undo()
                self.forum.remove_paper(post)
                self.newsletter.read_forum()
                return render_titles(*arguments, **options)

            patch.setattr(next_mail, "render", render_after_edit)
            self._morning()

    def _morning_put_off(self) -> None:
        """A morning on which the server takes no mail yet."""
        self.newsletter.transport.troubles = [Trouble.LATER] * 20
        self._morning()
        self.newsletter.transport.calm_down()
