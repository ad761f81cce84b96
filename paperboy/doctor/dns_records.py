"""Checks the DNS records of the sender: SPF, DKIM, DMARC, MX, reverse DNS, and notes on TLS for mail that comes back."""

import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import dns.exception

from emails.identity import MailIdentity
from monitoring.findings import Finding, failed, ok, warning
from paperboy.doctor import dkim_key, dmarc_policy, spf
from paperboy.doctor.checks import Check
from paperboy.doctor.dns_client import DnsClient

# For evaluating a record when nobody knows where mails come from. No record allows this address (RFC 5737).
ANY_ADDRESS = "192.0.2.1"


def checks(
    dns_client: DnsClient, identity: MailIdentity, hosts: Sequence[str], sends_from: str = ""
) -> Iterator[Check]:
    """The checks of a sender's DNS records.

    `hosts` are the mail servers, and `sends_from` is the IP address that their mails come from, if it is known.
    """
    domain = identity.domain
    functions: dict[str, Callable[[], Iterator[Finding]]] = {
        "SPF": lambda: _check_spf(dns_client, domain, _sources(dns_client, hosts, sends_from)),
        "DKIM": lambda: dkim_key.check(dns_client, identity),
        "DMARC": lambda: dmarc_policy.check(dns_client, domain),
        "MX": lambda: _check_mx(dns_client, domain),
        "MTA-STS": lambda: _note_record(dns_client, "MTA-STS", f"_mta-sts.{domain}", "v=STSv1"),
        "TLS-RPT": lambda: _note_record(dns_client, "TLS-RPT", f"_smtp._tls.{domain}", "v=TLSRPTv1"),
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
        yield _spf_finding(name, dns_client, records[0], domain, sources)


def _spf_finding(
    name: str, dns_client: DnsClient, record: str, domain: str, sources: Sequence[str]
) -> Finding:
    try:
        results = {source: _evaluate_spf(dns_client, record, domain, source) for source in sources}
        if not sources:
            _evaluate_spf(dns_client, record, domain, ANY_ADDRESS)
    except spf.SpfRecordError as error:
        problem = f"receivers cannot evaluate the record: {error}: {record}"
        return failed(name, problem, "correct or remove that part of the record")
    return _spf_verdict(name, record, results)


def _evaluate_spf(dns_client: DnsClient, record: str, domain: str, source: str) -> spf.SpfResult:
    # Receivers limit the lookups for one mail, so they are counted for each source address by itself.
    lookups = spf.Lookups(dns_client.spf_records, dns_client.addresses_of_version, dns_client.exchangers)
    return spf.check_host(record, domain, source, lookups)


def _spf_verdict(name: str, record: str, results: Mapping[str, spf.SpfResult]) -> Finding:
    not_allowed = [source for source, result in results.items() if result == "fail"]
    if not_allowed:
        problem = f"the record does not allow {', '.join(not_allowed)} to send: {record}"
        remedy = "add the address, or name the one that mails come from with --sends-from"
        return warning(name, problem, remedy)
    allowed = [source for source, result in results.items() if result == "pass"]
    return ok(name, f"the record allows {', '.join(allowed)} to send" if allowed else record)


def _check_mx(dns_client: DnsClient, domain: str) -> Iterator[Finding]:
    name, hosts = "MX", dns_client.exchangers(domain)
    if "" in hosts:  # an empty name says that the domain accepts no mail (RFC 7505)
        problem = f"{domain} accepts no mail, so bounces and requests to unsubscribe are lost"
        yield failed(name, problem, f"replace the empty MX record at {domain} by one with your mail server")
    elif hosts:
        yield ok(name, f"bounces to {domain} go to {', '.join(hosts)}")
    elif addresses := dns_client.addresses(domain):  # RFC 5321, 5.1
        problem = f"{domain} has no MX record, so bounces go to its own address {', '.join(addresses)}"
        yield warning(
            name, problem, f"add an MX record at {domain}, or make sure that a mail server runs there"
        )
    else:
        problem = f"{domain} has no MX record and no address, so bounces and requests to unsubscribe are lost"
        yield failed(name, problem, f"add an MX record at {domain}")


def _note_record(dns_client: DnsClient, name: str, record_name: str, version: str) -> Iterator[Finding]:
    """A note on a record that is optional, about the encryption of mails to the domain (RFC 8461 and RFC 8460)."""
    if any(text.startswith(version) for text in dns_client.look_up(record_name, "TXT")):
        yield ok(name, f"there is a record at {record_name}")
    else:
        yield ok(name, f"there is no record at {record_name}; it is optional and concerns mails to you only")


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
