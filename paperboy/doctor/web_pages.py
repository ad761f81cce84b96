"""The pages that mails lead to: one-click unsubscribing as mail programs ask for it, and whether they answer."""

from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message as Parsed

import httpx

from emails.message import Message
from paperboy.doctor.findings import Finding, failed, ok
from paperboy.doctor.trust import trusted

PATIENCE = 5  # seconds for an answer


def check_one_click(mail: Message) -> Iterator[Finding]:
    """Whether a mail can be unsubscribed from by one click (RFC 8058, 3.1)."""
    name, headers = "one-click", message_from_bytes(mail.data)
    links = [part.strip(" <>") for part in str(headers.get("List-Unsubscribe", "")).split(",")]
    if not any(link.startswith("https://") for link in links):
        remedy = "set PAPERBOY_BASE_URL to the https:// address of the pages"
        yield failed(name, "List-Unsubscribe has no https:// link, so mail programs show no button", remedy)
    elif headers.get("List-Unsubscribe-Post") != "List-Unsubscribe=One-Click":
        yield failed(name, "List-Unsubscribe-Post is missing", "report it")
    elif _is_unsigned(headers):
        remedy = "both List-Unsubscribe fields belong into h= (RFC 8058, 4); report it"
        yield failed(name, "the signature made here does not cover its headers", remedy)
    else:
        yield ok(name, "an https:// link and List-Unsubscribe-Post, as RFC 8058 asks")


def _is_unsigned(headers: Parsed) -> bool:
    signature = "".join(str(headers.get("DKIM-Signature", "")).lower().split())
    return bool(signature) and not {"list-unsubscribe", "list-unsubscribe-post"} <= _covered(signature)


def _covered(signature: str) -> set[str]:
    fields = next((part[2:] for part in signature.split(";") if part.startswith("h=")), "")
    return set(fields.split(":"))


def check_pages(base_url: str) -> Iterator[Finding]:
    """Whether the pages answer at their address, and can reach their database."""
    name, address = "pages", f"{base_url}/health"
    remedy = "see that `paperboy web` runs, and what stands before it passes requests on"
    try:
        answer = httpx.get(address, timeout=PATIENCE, trust_env=False, verify=trusted())
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        yield failed(name, f"{address} does not answer: {error}", remedy)
        return
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        yield failed(name, "they answer 503: their database is away", "see the line of the database")
    elif answer.status_code != httpx.codes.OK or '"ok"' not in answer.text[:100]:
        yield failed(name, f"{address} answers {answer.status_code}, not what Paperboy's pages do", remedy)
    else:
        yield ok(name, f"{base_url} answers")
