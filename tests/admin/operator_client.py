"""What tests of the operator's pages share: the token, signing in, and reading what a page shows."""

import httpx
from selectolax.lexbor import LexborHTMLParser

from tests.support.all_mails import EDITED
from tests.support.site import Site

OPERATOR_TOKEN = "a token for operators, in tests"
NEWEST = 9655  # the topic id of the newest sample issue
PAGES = (
    "/operator",
    "/operator/actions",
    "/operator/bounces",
    "/operator/issues",
    f"/operator/issues/{EDITED}",
    "/operator/preview",
    "/operator/preview/weekly/ko/0",
    "/operator/mails",
    "/operator/readers",
    "/operator/readers/1",
    "/operator/figures",
    "/operator/resend",
    "/operator/resends/1",
)


def sign_in(site: Site, token: str = OPERATOR_TOKEN) -> httpx.Response:
    """Send the sign-in form. The client of the site keeps the session cookie."""
    return site.client.post("/operator/login", data={"token": token})


def proof_of_session(site: Site) -> str:
    """The proof that every form of the current session contains."""
    return field_value(site.client.get("/operator").text, "proof")


def field_value(html: str, name: str) -> str:
    """The value of a form field."""
    field = LexborHTMLParser(html).css_first(f"input[name={name}]")
    assert field is not None, f"the page has no field {name}"
    return field.attributes["value"] or ""


def visible_text(answer: httpx.Response) -> str:
    """The text of a page, with single spaces."""
    body = LexborHTMLParser(answer.text).body
    assert body is not None
    return " ".join(body.text(separator=" ").split())
