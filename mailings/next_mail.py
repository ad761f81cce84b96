"""Renders the next mail of a subscriber, with fewer papers until it fits."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import PaperboyError
from emails.choose import MAX_PAPERS, next_edition
from emails.content import MailSpec
from emails.edition import Edition
from emails.identity import MailIdentity
from emails.message import longest_placeholders
from emails.rendering.render import Rendered, RenderError, render
from issues.arrivals import Arrival


class UnrenderedMailError(PaperboyError):
    """A mail cannot be rendered. The message says which issue's papers it would have brought.

    `topic_id` is that issue's.
    """

    def __init__(self, message: str, topic_id: int) -> None:
        super().__init__(message)
        self.topic_id = topic_id


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
            rendered = render(edition, identity, longest=longest_placeholders(identity))
        except RenderError:
            if count == 1:
                raise
        else:
            if count == 1 or not rendered.fitted.lacks_openings:
                return NextMail(edition, rendered)
        max_papers = count - max(1, count // 8)


def mail_or_fault(
    arrived: Sequence[Arrival], cursor: int, spec: MailSpec, identity: MailIdentity, daily_papers: int
) -> NextMail | None:
    """The next mail as `render_next_mail` makes it. Papers before an issue that cannot be rendered go out alone.

    A stored text was rendered on trial when it came, but templates and libraries change, so anything can be raised.

    Raises:
        UnrenderedMailError: not even the first unread issue can be rendered.
    """
    unread = [arrival for arrival in arrived if arrival.arrival_order > cursor]
    try:
        return render_next_mail(unread, cursor, spec, identity, daily_papers)
    except Exception as error:  # whatever it is, it must not cost other subscribers their mails
        first = unread[0].issue
        before_next_issue = next(
            (index for index, arrival in enumerate(unread) if arrival.issue != first), len(unread)
        )
        if before_next_issue < len(unread):
            return mail_or_fault(unread[:before_next_issue], cursor, spec, identity, daily_papers)
        reason = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise UnrenderedMailError(
            f"the mail in {spec.language} with papers of {first.url} cannot be rendered: {reason}",
            first.topic_id,
        ) from error
