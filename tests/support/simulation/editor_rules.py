"""The rules of the editors: what can happen to posts on the forum."""

from datetime import timedelta
from functools import partial

from hypothesis import strategies as st

from tests.support.simulation import operators
from tests.support.simulation.forum import EDITOR, SimulatedPost
from tests.support.simulation.machine import PICK, SimulationMachine, act, act_on
from tests.support.simulation.post_choice import can_be_posted_again, deleted, editable, in_force


class EditorRules(SimulationMachine):
    """What editors do. They act on the forum, and it is read later."""

    @act(count=st.integers(1, 6), days=st.integers(0, 9))
    def publish(self, count: int, days: int) -> None:
        self._publish(count, days)

    @act(count=st.integers(1, 4), needs=in_force)
    def publish_by_new_author(self, count: int) -> None:
        self._publish(count, author="guest")

    @act(count=st.integers(2, 4), needs=in_force)
    def publish_without_a_title(self, count: int) -> None:
        self.forum.set_title(self._publish(count), is_there=False)

    @act(count=st.integers(1, 3), needs=in_force)
    def show_old_week(self, count: int) -> None:
        self.forum.show_old_week(count)

    @act_on(editable, count=st.integers(1, 2))
    def add_papers(self, post: SimulatedPost, count: int) -> None:
        self.forum.add_papers(post, count)

    @act_on(partial(editable, min_papers=2))
    def remove_paper(self, post: SimulatedPost) -> None:
        self.forum.remove_paper(post)

    @act_on(partial(editable, has_removed=True))
    def restore_paper(self, post: SimulatedPost) -> None:
        self.forum.restore_paper(post)

    @act_on(partial(editable, min_papers=2))
    def reorder_papers(self, post: SimulatedPost) -> None:
        self.forum.reorder(post)

    @act_on(editable, paper=PICK)
    def rename_paper(self, post: SimulatedPost, paper: int) -> None:
        self.forum.rename(post, paper)

    @act_on(editable, paper=PICK)
    def correct_paper(self, post: SimulatedPost, paper: int) -> None:
        self.forum.correct(post, paper)

    @act_on(partial(editable, lacks_title=False))
    def lose_title(self, post: SimulatedPost) -> None:
        self.forum.set_title(post, is_there=False)

    @act_on(partial(editable, lacks_title=True))
    def give_title_back(self, post: SimulatedPost) -> None:
        self.forum.set_title(post, is_there=True)

    @act_on(editable)
    def move_post(self, post: SimulatedPost) -> None:
        self.forum.move(post, f"moved-{self.newsletter.now:%j}")

    @act_on(partial(editable, lacks_title=False))
    def delete_post(self, post: SimulatedPost) -> None:
        self.forum.delete(post, is_deleted=True)

    @act_on(deleted)
    def restore_post(self, post: SimulatedPost) -> None:
        self.forum.delete(post, is_deleted=False)

    @act_on(can_be_posted_again)
    def post_week_again(self, post: SimulatedPost) -> None:
        operators.post_again(self.newsletter, post)

    def _publish(self, count: int, days: int = 0, author: str = EDITOR) -> SimulatedPost:
        newsletter = self.newsletter
        newsletter.now = max(newsletter.now, self.forum.next_week_begins() + timedelta(days=days))
        return self.forum.publish(count, newsletter.now, author=author)
