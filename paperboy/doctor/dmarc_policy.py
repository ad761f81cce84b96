"""Checks the DMARC record that applies to the sender's domain, and says what it asks of receivers (RFC 9989)."""

from collections.abc import Iterator

from monitoring.findings import Finding, failed, ok, warning
from paperboy.doctor import dmarc
from paperboy.doctor.dns_client import DnsClient

NAME = "DMARC"


def check(dns_client: DnsClient, domain: str) -> Iterator[Finding]:
    """Check the record of the domain, or that of the domain above it from which it gets its policy."""

    def texts_at(name: str) -> list[str]:
        return dns_client.look_up(name, "TXT")

    own = dmarc.records_at(domain, texts_at)
    record = dmarc.discover(domain, texts_at)
    if len(own) > 1:
        problem = f"{own[0].name} has {len(own)} DMARC records, so receivers use none of them"
        yield failed(NAME, problem, "merge them into one")
    elif record is None:
        remedy = f'add a TXT record at _dmarc.{domain}: "v=DMARC1; p=none"; large providers require one'
        yield failed(NAME, f"{domain} has no DMARC record", remedy)
    else:
        yield _check_record(record, domain, exists=dns_client.exists(domain))


def _check_record(record: dmarc.DmarcRecord, domain: str, *, exists: bool) -> Finding:
    try:
        record.check()
    except dmarc.DmarcRecordError as error:
        problem = f"receivers ignore the record at {record.name}: {error}"
        return failed(NAME, problem, "correct it")
    policy, tag = record.policy_for(domain, exists=exists)
    if not tag:
        problem = f"the record at {record.name} has no p, which counts as p=none only since RFC 9989"
        return warning(NAME, problem, "add p=none, p=quarantine or p=reject, as older receivers ignore it")
    # From, envelope sender and signature all use the same domain, which satisfies strict alignment, too.
    aligned = f"From, envelope sender and signature are aligned on {domain}"
    if record.is_test:
        return ok(
            NAME,
            f"policy {policy} by {tag} at {record.name}, weakened by one step for a test (t=y); {aligned}",
        )
    return ok(NAME, f"policy {policy} by {tag} at {record.name}; {aligned}")
