"""What the head of a public page tells search engines and sites that show a card: Open Graph, canonical and languages."""

from dataclasses import dataclass
from typing import Literal

from paperboy.web.deps import WebContext
from paperboy.web.issue_views import forum_host

MAX_DESCRIPTION_CHARACTERS = 200


@dataclass(frozen=True)
class PageHead:
    """A page as others see it: title and description, the path of its image, and its Open Graph type.

    `structured` is its JSON-LD (schema.org), or empty.
    """

    title: str
    description: str
    image: str
    kind: Literal["website", "article"] = "website"
    structured: str = ""

    @property
    def short_description(self) -> str:
        """The description, cut off at a word."""
        if len(self.description) <= MAX_DESCRIPTION_CHARACTERS:
            return self.description
        return self.description[:MAX_DESCRIPTION_CHARACTERS].rpartition(" ")[0] + "…"


def picture_policy(context: WebContext) -> str:
    """The Content-Security-Policy of a page that shows the forum's pictures."""
    return (
        f"default-src 'none'; style-src 'self'; img-src 'self' https://{forum_host(context)}; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
