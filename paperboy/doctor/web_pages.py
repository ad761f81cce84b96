"""Checks one-click unsubscribing (RFC 8058) and whether the web pages that mails link to are reachable."""

from collections.abc import Iterator
from email import message_from_bytes

import httpx

from core.version import installed_version
from emails.message import Message
from monitoring.findings import Finding, failed, ok, warning
from monitoring.list_headers import allows_one_click, unsigned_fields, unsubscribe_link
from paperboy.doctor.tls import tls_context

# For each of the three requests, which follow each other within the time of the whole checkup.
TIMEOUT_SECONDS = 3
ONE_CLICK = {"List-Unsubscribe": "One-Click"}
_PROXY = "check that `paperboy web` runs and that the reverse proxy passes requests on to it"


def check_one_click(mail: Message) -> Iterator[Finding]:
    """Check that a mail has what mail programs need for one-click unsubscribing (RFC 8058, 3.1)."""
    name, headers = "one-click", message_from_bytes(mail.data)
    signature = str(headers.get("DKIM-Signature", ""))
    if not unsubscribe_link(headers).startswith("https://"):
        problem = "List-Unsubscribe has no https:// link, so mail programs show no button"
        yield failed(name, problem, "set PAPERBOY_BASE_URL to the https:// address of the pages")
    elif not allows_one_click(headers):
        yield failed(name, "List-Unsubscribe-Post is missing", "report this as a bug")
    elif signature and unsigned_fields(signature):
        problem = "the DKIM signature does not cover the List-Unsubscribe fields (RFC 8058, 4)"
        yield failed(name, problem, "report this as a bug")
    else:
        yield ok(name, "mails have an https:// link and List-Unsubscribe-Post, as RFC 8058 requires")


def check_pages(base_url: str, mail: Message) -> Iterator[Finding]:
    """Check that the pages answer at their address and can reach their database, and that they take one-click POSTs.

    `mail` has a link to unsubscribe that belongs to nobody.
    """
    name, address = "pages", f"{base_url}/health"
    try:
        # A proxy from the environment is ignored, as its response would say nothing about the pages.
        response = httpx.get(address, timeout=TIMEOUT_SECONDS, trust_env=False, verify=tls_context())
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        yield failed(name, f"{address} does not answer: {error}", _PROXY)
        return
    if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        problem = "they answer with status 503, as they cannot reach their database"
        yield failed(name, problem, "see the line of the database")
    # Another site at this address may answer with status 200, too, but not with this text.
    elif response.status_code != httpx.codes.OK or '"ok"' not in response.text[:100]:
        problem = f"{address} answers with status {response.status_code}, and not as Paperboy's pages do"
        yield failed(name, problem, _PROXY)
    else:
        yield ok(name, f"{base_url} answers")
        yield from _check_version(base_url)
        yield _check_post(unsubscribe_link(message_from_bytes(mail.data)))


def _check_version(base_url: str) -> Iterator[Finding]:
    """Check that the pages are of this version, because they keep their own until they are started anew."""
    name, installed = "pages version", installed_version()
    try:
        response = httpx.get(
            f"{base_url}/api/openapi.json", timeout=TIMEOUT_SECONDS, trust_env=False, verify=tls_context()
        )
        found = response.json()["info"]["version"]
    except (httpx.HTTPError, OSError, ValueError, LookupError, TypeError):
        yield warning(name, "the pages do not tell it", _PROXY)
        return
    if found != installed:
        problem = f"{str(found)[:20]}, and here it is {installed}"
        yield failed(name, problem, "install the same version everywhere and restart the pages")
    else:
        yield ok(name, f"{installed}, as here")


def _check_post(link: str) -> Finding:
    """Press the button of a mail program, with a link that was never given to anybody.

    The pages answer 404, or 200. A redirect would end here, because mail programs follow none (RFC 8058, 3.1).
    """
    name = "one-click request"
    try:
        response = httpx.post(
            link, data=ONE_CLICK, timeout=TIMEOUT_SECONDS, trust_env=False, verify=tls_context()
        )
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return failed(name, f"the link to unsubscribe does not answer a POST: {error}", _PROXY)
    if response.is_redirect:
        problem = f"the link to unsubscribe answers a POST with a redirect (status {response.status_code})"
        remedy = (
            "set PAPERBOY_BASE_URL to the address that the redirect leads to, as mail programs follow none"
        )
        return failed(name, problem, remedy)
    if response.status_code not in {httpx.codes.OK, httpx.codes.NOT_FOUND}:
        problem = f"the link to unsubscribe answers a POST with status {response.status_code}"
        return failed(
            name, problem, "let the reverse proxy pass POST requests to /u/ on without a login or a challenge"
        )
    return ok(name, "the link to unsubscribe answers a POST without a redirect")
