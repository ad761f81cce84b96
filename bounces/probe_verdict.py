"""Judges a probe mail as it came back: its one-click fields, its DKIM signature, and what the receiver says about it. Pure."""

from collections.abc import Iterator, Sequence
from email.message import Message

from bounces.authentication_results import MethodResult, results_of
from monitoring.findings import Finding, failed, ok, warning
from monitoring.list_headers import allows_one_click, signature_tags, unsigned_fields, unsubscribe_link

TEMPORARY = "temperror"  # a lookup failed for now (RFC 8601, 2.7)
_RELAY = "let the mail server pass on the header fields as they are"
_SIGNATURE = "have List-Unsubscribe, List-Unsubscribe-Post, From and Subject signed: see docs/sending.md"
_DOCTOR = "run `paperboy doctor`, which checks the DNS records"


def judge(headers: Message, address: str, domain: str, authserv_id: str) -> Iterator[Finding]:
    """What a probe mail shows that came to `address` from a sender of `domain`.

    `authserv_id` names the one server whose results count. Without it nobody's do.
    """
    yield _judge_one_click(headers, address)
    yield _judge_signature(headers, address, domain)
    if not authserv_id:
        problem = "PAPERBOY_PROBE_AUTHSERV_ID is not set, so nobody's results about SPF, DKIM and DMARC count"
        yield warning(
            f"results at {address}", problem, "set it to the name in the Authentication-Results of this inbox"
        )
        return
    results = results_of(headers, authserv_id)
    if results is None:
        problem = f"there are no results of {authserv_id}, so nobody knows whether SPF and DKIM hold"
        yield failed(
            f"results at {address}",
            problem,
            "check that it still writes Authentication-Results under this name",
        )
        return
    yield _judge_results(
        f"DKIM at {address}", "DKIM", _about_our_signature(results, domain), authserv_id, domain
    )
    yield _judge_results(f"SPF at {address}", "SPF", _about_our_envelope(results), authserv_id, domain)
    dmarc = [entry for entry in results if entry.method == "dmarc"]
    if dmarc:  # not every server judges DMARC
        yield _judge_results(f"DMARC at {address}", "DMARC", dmarc, authserv_id, domain)


def _judge_one_click(headers: Message, address: str) -> Finding:
    name = f"one-click at {address}"
    if not unsubscribe_link(headers).startswith("https://"):
        return failed(name, "List-Unsubscribe came without an https:// link", _RELAY)
    if not allows_one_click(headers):
        return failed(name, "List-Unsubscribe-Post was removed or changed on the way", _RELAY)
    return ok(name, "both fields of one-click came as they were sent")


def _judge_signature(headers: Message, address: str, domain: str) -> Finding:
    """Whether one signature of our domain covers all fields that it must."""
    name = f"signature at {address}"
    signatures = [str(field) for field in headers.get_all("DKIM-Signature", [])]
    ours = [field for field in signatures if _is_aligned(signature_tags(field).get("d", "").lower(), domain)]
    if not ours:
        return failed(name, f"there is no DKIM signature of {domain}", "see docs/sending.md for who can sign")
    missing = min((unsigned_fields(field) for field in ours), key=len)
    if missing:
        return failed(name, f"the DKIM signature does not cover {', '.join(missing)}", _SIGNATURE)
    return ok(name, "it covers the sender, the subject and both fields of one-click")


def _about_our_signature(results: Sequence[MethodResult], domain: str) -> list[MethodResult]:
    """The DKIM results about signatures of our domain. A signature of the relay's domain proves nothing about us."""
    return [
        entry for entry in results if entry.method == "dkim" and _is_aligned(entry.domain or domain, domain)
    ]


def _about_our_envelope(results: Sequence[MethodResult]) -> list[MethodResult]:
    """The results of SPF, without those about the name that the relay greets with (RFC 8601, 2.7.2)."""
    return [entry for entry in results if entry.method == "spf" and "smtp.helo" not in entry.properties]


def _judge_results(
    name: str, method: str, results: Sequence[MethodResult], server: str, domain: str
) -> Finding:
    if any(entry.result == "pass" for entry in results):
        return ok(name, f"{server} says pass")
    if any(entry.result == TEMPORARY for entry in results):
        return warning(name, f"{server} could not look {method} up for now", "try again later")
    if results:
        return failed(name, f"{server} says {results[0].result} for {method}", _DOCTOR)
    return failed(name, f"{server} says nothing about {method} of {domain}", _DOCTOR)


def _is_aligned(found: str, domain: str) -> bool:
    """Whether a domain is ours, or one above or below it: From is aligned with these, unless DMARC asks for more."""
    return found == domain or domain.endswith(f".{found}") or found.endswith(f".{domain}")
