"""Renders the next mail of a subscriber, with fewer papers until it fits."""

from collections.abc import Sequence
from dataclasses import dataclass

from emails.choose import MAX_PAPERS, next_edition
from emails.content import MailSpec
from emails.edition import Edition
from emails.identity import MailIdentity
from emails.message import longest_placeholders
from emails.rendering.render import Rendered, RenderError, render
from issues.arrivals import Arrival


@dataclass(frozen=True)
class NextMail:
    """An edition and its rendering."""

    edition: Edition
    rendered: Rendered


def render_next_mail(
    arrived: Sequence[Arrival], cursor: int, spec: MailSpec, identity: MailIdentity, daily_papers: int
) -> NextMail | None:
    """The next mail for subscribers at `cursor`, or None when nothing is unread.

    It has as many papers as find room for their opening paragraphs, and at least one.

    Raises:
        RenderError: not even one paper fits.
    """
    max_papers = MAX_PAPERS
    while True:
        edition = next_edition(arrived, cursor, spec, daily_papers=daily_papers, max_papers=max_papers)
        if edition is None:
            return None
        count = len(edition.papers)
        try:
            rendered = render(edition, archive=identity.archive, longest=longest_placeholders(identity))
        except RenderError:
            if count == 1:
                raise
        else:
            if count == 1 or not rendered.fitted.lacks_openings:
                return NextMail(edition, rendered)
        max_papers = count - max(1, count // 8)
