"""Which posts an act of the simulation can be about."""

from datetime import timedelta

from tests.support.simulation.forum import EDITOR, SimulatedPost
from tests.support.simulation.newsletter import Newsletter

MAX_REPOST_AGE = timedelta(days=20)  # the title of a later post would name a week far from its day


def editable(
    newsletter: Newsletter, min_papers: int = 1, *, has_removed: bool = False, lacks_title: bool | None = None
) -> list[SimulatedPost]:
    """The posts that the editors can change now."""
    return [
        post
        for post in newsletter.forum.posts
        if not post.is_deleted
        and (post.author == EDITOR or is_in_force(newsletter, post))
        and len(post.papers) >= min_papers
        and (post.removed or not has_removed)
        and lacks_title in {None, post.lacks_title}
    ]


def deleted(newsletter: Newsletter) -> list[SimulatedPost]:
    """The posts that were deleted."""
    return [post for post in newsletter.forum.posts if post.is_deleted]


def in_force(newsletter: Newsletter) -> list[SimulatedPost]:
    """The posts whose issue is in force."""
    return [post for post in newsletter.forum.posts if is_in_force(newsletter, post) and not post.is_deleted]


def waiting(newsletter: Newsletter) -> list[SimulatedPost]:
    """Posts of new authors that have been read, and wait for an operator."""
    return [
        post
        for post in newsletter.forum.posts
        if post.author != EDITOR
        and not is_in_force(newsletter, post)
        and post.topic_id not in newsletter.forum.unread
    ]


def archived(newsletter: Newsletter) -> list[SimulatedPost]:
    """The posts whose issue is for the archive."""
    return [
        post
        for post in (*newsletter.forum.old_posts, *newsletter.forum.posts)
        if is_settled(newsletter, post) and newsletter.expectation.issues[post.topic_id].is_archive
    ]


def can_be_posted_again(newsletter: Newsletter) -> list[SimulatedPost]:
    """The posts whose week can be posted once more."""
    archive = newsletter.expectation.archive
    return [
        post
        for post in in_force(newsletter)
        if is_settled(newsletter, post)
        and newsletter.now.date() - post.start <= MAX_REPOST_AGE
        and not archive.intersection(post.papers)
    ]


def is_in_force(newsletter: Newsletter, post: SimulatedPost) -> bool:
    """Whether the post has been read and became an issue."""
    return post.topic_id in newsletter.expectation.issues


def is_settled(newsletter: Newsletter, post: SimulatedPost) -> bool:
    """Whether the post is in force as the editors have it now."""
    return (
        is_in_force(newsletter, post)
        and not (post.is_deleted or post.lacks_title)
        and post.topic_id not in newsletter.forum.unread
    )
