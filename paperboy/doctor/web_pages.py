"""Checks one-click unsubscribing (RFC 8058) and whether the web pages that mails link to are reachable."""

from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message as EmailMessage

import httpx

from emails.message import Message
from paperboy.doctor.findings import Finding, failed, ok
from paperboy.doctor.tls import tls_context

TIMEOUT_SECONDS = 5


def check_one_click(mail: Message) -> Iterator[Finding]:
    """Check that a mail has what mail programs need for one-click unsubscribing (RFC 8058, 3.1)."""
    name, headers = "one-click", message_from_bytes(mail.data)
    links = [part.strip(" <>") for part in str(headers.get("List-Unsubscribe", "")).split(",")]
    if not any(link.startswith("https://") for link in links):
        problem = "List-Unsubscribe has no https:// link, so mail programs show no button"
        yield failed(name, problem, "set PAPERBOY_BASE_URL to the https:// address of the pages")
    elif headers.get("List-Unsubscribe-Post") != "List-Unsubscribe=One-Click":
        yield failed(name, "List-Unsubscribe-Post is missing", "report this as a bug")
    elif _lacks_signed_fields(headers):
        problem = "the DKIM signature does not cover the List-Unsubscribe fields (RFC 8058, 4)"
        yield failed(name, problem, "report this as a bug")
    else:
        yield ok(name, "mails have an https:// link and List-Unsubscribe-Post, as RFC 8058 requires")


def _lacks_signed_fields(headers: EmailMessage) -> bool:
    signature = "".join(str(headers.get("DKIM-Signature", "")).lower().split())
    return bool(signature) and not {"list-unsubscribe", "list-unsubscribe-post"} <= _signed_fields(signature)


def _signed_fields(signature: str) -> set[str]:
    fields = next((part[2:] for part in signature.split(";") if part.startswith("h=")), "")
    return set(fields.split(":"))


def check_pages(base_url: str) -> Iterator[Finding]:
    """Check that the pages answer at their address, and can reach their database."""
    name, address = "pages", f"{base_url}/health"
    remedy = "check that `paperboy web` runs and that the reverse proxy passes requests on to it"
    try:
        # A proxy from the environment is ignored, as its response would say nothing about the pages.
        response = httpx.get(address, timeout=TIMEOUT_SECONDS, trust_env=False, verify=tls_context())
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        yield failed(name, f"{address} does not answer: {error}", remedy)
        return
    if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        problem = "they answer with status 503, as they cannot reach their database"
        yield failed(name, problem, "see the line of the database")
    # Another site at this address may answer with status 200, too, but not with this text.
    elif response.status_code != httpx.codes.OK or '"ok"' not in response.text[:100]:
        problem = f"{address} answers with status {response.status_code}, and not as Paperboy's pages do"
        yield failed(name, problem, remedy)
    else:
        yield ok(name, f"{base_url} answers")
