"""Checks the DNS records of the sender: SPF, DKIM, DMARC, the MX record for bounces, and reverse DNS."""

import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial

import dkim
import dns.exception
import dns.resolver
import dns.reversename

from emails.identity import MailIdentity
from emails.message import Message
from paperboy.doctor import spf
from paperboy.doctor.findings import Check, Finding, failed, ok, warning

TIMEOUT_SECONDS = 5  # for one lookup


class DnsClient:
    """The DNS lookups of the checks, through a given resolver or that of this machine.

    Every method raises dns.exception.DNSException if no server answers.
    """

    def __init__(self, resolver: dns.resolver.Resolver | None) -> None:
        self._given_resolver = resolver

    @cached_property
    def _resolver(self) -> dns.resolver.Resolver:
        # The machine's resolver is created on first use, as it raises an error where none is configured.
        return self._given_resolver or dns.resolver.Resolver()

    def look_up(self, name: str, record_type: str) -> list[str]:
        """The records of a type as text. A name that does not exist has none."""
        try:
            answer = self._resolver.resolve(name, record_type, lifetime=TIMEOUT_SECONDS)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        if record_type == "TXT":
            # A long text is split into strings of 255 bytes, which belong together (RFC 7208, 3.3).
            return [b"".join(record.strings).decode("utf-8", "replace") for record in answer]
        if record_type == "MX":
            return [record.exchange.to_text(omit_final_dot=True) for record in answer]
        return [record.to_text().rstrip(".") for record in answer]

    def addresses(self, host: str) -> list[str]:
        """All IP addresses of a host name. An IP address is returned as it is."""
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            return self.look_up(host, "A") + self.look_up(host, "AAAA")

    def exchangers(self, domain: str) -> list[str]:
        """The IP addresses of a domain's mail exchangers."""
        return [address for host in self.look_up(domain, "MX") for address in self.addresses(host)]

    def spf_records(self, domain: str) -> list[str]:
        """The SPF records of a domain (RFC 7208, 4.5)."""
        return [text for text in self.look_up(domain, "TXT") if text.lower().split(" ")[0] == "v=spf1"]

    def reverse_names(self, address: str) -> list[str]:
        """The host names in the PTR records of an IP address."""
        return self.look_up(dns.reversename.from_address(address).to_text(), "PTR")


def checks(
    dns_client: DnsClient, identity: MailIdentity, mail: Message, hosts: Sequence[str], sends_from: str = ""
) -> Iterator[Check]:
    """The checks of a sender's DNS records.

    `mail` is one of the sender's mails, signed if Paperboy signs. `hosts` are the mail servers, and
    `sends_from` is the IP address that their mails come from, if it is known.
    """
    domain = identity.domain
    functions: dict[str, Callable[[], Iterator[Finding]]] = {
        "SPF": lambda: _check_spf(dns_client, domain, _sources(dns_client, hosts, sends_from)),
        "DKIM": lambda: _check_dkim(dns_client, identity, mail),
        "DMARC": lambda: _check_dmarc(dns_client, domain),
        "MX": lambda: _check_mx(dns_client, domain),
        "reverse DNS": lambda: _check_reverse_dns(dns_client, _sources(dns_client, hosts, sends_from)),
    }
    # Each subject is a check of its own, so that one slow lookup does not delay the others.
    for name, function in functions.items():
        yield Check(name, partial(_report_dns_errors, name, function))


def _report_dns_errors(name: str, function: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from function()
    except dns.exception.DNSException as error:
        remedy = "check that the DNS resolver of this machine works"
        yield failed(name, f"the DNS lookup failed: {error}", remedy)


def _sources(dns_client: DnsClient, hosts: Sequence[str], sends_from: str) -> list[str]:
    """The IP addresses that receivers see mails come from, or none if they cannot be known from here."""
    if sends_from:
        return [sends_from]
    found = [address for host in hosts for address in dns_client.addresses(host)]
    # A server with a private address sends through another address, which only its network knows.
    return found if all(ipaddress.ip_address(address).is_global for address in found) else []


def _check_spf(dns_client: DnsClient, domain: str, sources: Sequence[str]) -> Iterator[Finding]:
    name, records = "SPF", dns_client.spf_records(domain)
    if not records:
        remedy = f'add a TXT record at {domain}: "v=spf1 ip4:ADDRESS -all" with your mail server\'s address'
        yield failed(name, f"{domain} has no SPF record", remedy)
    elif len(records) > 1:
        problem = f"{domain} has {len(records)} SPF records, so receivers use none of them (RFC 7208, 4.5)"
        yield failed(name, problem, "merge them into one")
    else:
        results = {source: _evaluate_spf(dns_client, records[0], domain, source) for source in sources}
        yield _spf_finding(name, records[0], results)


def _evaluate_spf(dns_client: DnsClient, record: str, domain: str, source: str) -> spf.SpfResult:
    # Receivers limit the lookups for one mail, so they are counted for each source address by itself.
    lookups = spf.Lookups(dns_client.spf_records, dns_client.addresses, dns_client.exchangers)
    return spf.check_host(record, domain, source, lookups)


def _spf_finding(name: str, record: str, results: Mapping[str, spf.SpfResult]) -> Finding:
    not_allowed = [source for source, result in results.items() if result == "fail"]
    if "error" in results.values():
        problem = f"the record takes more than {spf.MAX_LOOKUPS} lookups, so receivers ignore it: {record}"
        return failed(name, problem, "include fewer other records")
    if not_allowed:
        problem = f"the record does not allow {', '.join(not_allowed)} to send: {record}"
        return warning(
            name, problem, "add the address, or name the one that mails come from with --sends-from"
        )
    allowed = [source for source, result in results.items() if result == "pass"]
    return ok(name, f"the record allows {', '.join(allowed)} to send" if allowed else record)


def _check_dkim(dns_client: DnsClient, identity: MailIdentity, mail: Message) -> Iterator[Finding]:
    name = "DKIM"
    if identity.signer is None:
        problem = "Paperboy does not sign, and whether the mail server does cannot be seen from here"
        remedy = "read Authentication-Results in a mail sent by `paperboy doctor --send-to EMAIL`"
        yield warning(name, problem, remedy)
        return
    record_name = f"{identity.signer.selector}._domainkey.{identity.domain}"
    keys = dns_client.look_up(record_name, "TXT")
    if not keys:
        yield failed(name, f"there is no public key at {record_name}", "add it as a TXT record")
    elif not _verifies(mail.data, keys[0]):
        problem = f"the public key at {record_name} does not match the key in PAPERBOY_DKIM_KEY_FILE"
        yield failed(
            name, problem, "put the matching public key there, or use another PAPERBOY_DKIM_SELECTOR"
        )
    else:
        yield ok(name, f"the public key at {record_name} matches the signature made here")


def _verifies(data: bytes, key: str) -> bool:
    try:
        # dkimpy would look up the key itself, through another resolver. It gets the key from here instead.
        return bool(dkim.verify(data, dnsfunc=lambda _name, timeout=0: key.encode()))  # noqa: ARG005  dkimpy names it
    except (dkim.DKIMException, ValueError):
        return False


def _check_dmarc(dns_client: DnsClient, domain: str) -> Iterator[Finding]:
    name = "DMARC"
    record_name, records = _find_dmarc_records(dns_client, domain)
    if not records:
        remedy = f'add a TXT record at _dmarc.{domain}: "v=DMARC1; p=none"; large providers require one'
        yield failed(name, f"{domain} has no DMARC record", remedy)
        return
    if len(records) > 1:
        problem = f"{record_name} has {len(records)} DMARC records, so receivers use none of them"
        yield failed(name, problem, "merge them into one")
        return
    policy = dict(_parse_tag(part) for part in records[0].split(";") if "=" in part).get("p", "")
    if policy not in {"none", "quarantine", "reject"}:
        problem = f"the record at {record_name} has no policy"
        yield failed(name, problem, "add p=none, p=quarantine or p=reject")
        return
    # From, envelope sender and signature all use the same domain, which satisfies strict alignment, too.
    yield ok(name, f"policy {policy}; From, envelope sender and signature are aligned on {domain}")


def _find_dmarc_records(dns_client: DnsClient, domain: str) -> tuple[str, list[str]]:
    """The DMARC records that apply to a domain, with their name: its own, or those of a parent domain."""
    labels = domain.split(".")
    for start in range(max(len(labels) - 1, 1)):
        record_name = "_dmarc." + ".".join(labels[start:])
        texts = dns_client.look_up(record_name, "TXT")
        if found := [text for text in texts if text.lower().startswith("v=dmarc1")]:
            return record_name, found
    return "", []


def _parse_tag(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return name.strip().lower(), value.strip().lower()


def _check_mx(dns_client: DnsClient, domain: str) -> Iterator[Finding]:
    name, hosts = "MX", dns_client.look_up(domain, "MX")
    if not hosts or "" in hosts:  # an empty name says that the domain accepts no mail (RFC 7505)
        problem = f"{domain} accepts no mail, so bounces and requests to unsubscribe are lost"
        yield failed(name, problem, f"add an MX record at {domain}")
    else:
        yield ok(name, f"bounces to {domain} go to {', '.join(hosts)}")


def _check_reverse_dns(dns_client: DnsClient, sources: Sequence[str]) -> Iterator[Finding]:
    name = "reverse DNS"
    if not sources:
        problem = "the mail server is on a private network, so its public address cannot be seen from here"
        yield warning(name, problem, "name it with --sends-from ADDRESS")
    for source in sources:
        found = dns_client.reverse_names(source)
        confirmed = [host for host in found if source in dns_client.addresses(host)]
        if not found:
            remedy = "ask the provider of the address for a PTR record with the mail server's name"
            yield failed(name, f"{source} has no host name", remedy)
        elif not confirmed:
            problem = f"{source} has the host name {', '.join(found)}, which does not resolve back to it"
            yield failed(name, problem, f"give {found[0]} an address record with {source}")
        else:
            yield ok(name, f"{source} has the host name {confirmed[0]}, which resolves back to it")
