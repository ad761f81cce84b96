"""What the DNS says of the sender: SPF, DKIM, DMARC, who takes returned mail, reverse DNS."""

import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial

import dkim
import dns.exception
import dns.resolver
import dns.reversename

from emails.message import House, Message
from paperboy.doctor import spf
from paperboy.doctor.findings import Check, Finding, failed, ok, warning

PATIENCE = 5  # seconds for an answer


class Names:
    """The DNS as the checks ask it: a resolver, or that of this machine.

    Every method raises dns.exception.DNSException when nobody answers.
    """

    def __init__(self, resolver: dns.resolver.Resolver | None) -> None:
        self._given = resolver

    @cached_property
    def _resolver(self) -> dns.resolver.Resolver:
        return self._given or dns.resolver.Resolver()

    def look_up(self, name: str, kind: str) -> list[str]:
        """The records of a kind as text; none for a name that does not exist."""
        try:
            answer = self._resolver.resolve(name, kind, lifetime=PATIENCE)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        if kind == "TXT":
            return [b"".join(record.strings).decode("utf-8", "replace") for record in answer]
        if kind == "MX":
            return [record.exchange.to_text(omit_final_dot=True) for record in answer]
        return [record.to_text().rstrip(".") for record in answer]

    def addresses(self, name: str) -> list[str]:
        """All IP addresses of a host, which may be one itself."""
        try:
            return [str(ipaddress.ip_address(name))]
        except ValueError:
            return self.look_up(name, "A") + self.look_up(name, "AAAA")

    def exchangers(self, domain: str) -> list[str]:
        """The IP addresses of a domain's mail exchangers."""
        return [address for host in self.look_up(domain, "MX") for address in self.addresses(host)]

    def spf(self, domain: str) -> list[str]:
        """The SPF records of a domain (RFC 7208, 4.5)."""
        return [text for text in self.look_up(domain, "TXT") if text.lower().split(" ")[0] == "v=spf1"]

    def pointers(self, address: str) -> list[str]:
        """The names of an address."""
        return self.look_up(dns.reversename.from_address(address).to_text(), "PTR")


def checks(
    names: Names, house: House, mail: Message, hosts: Sequence[str], sends_from: str = ""
) -> Iterator[Check]:
    """What is asked about a sender whose mails `hosts` relay, from the address `sends_from` if that is
    known; `mail` is one of the sender's, signed if the house signs."""
    domain = house.domain
    looks: dict[str, Callable[[], Iterator[Finding]]] = {
        "SPF": lambda: _spf(names, domain, _sources(names, hosts, sends_from)),
        "DKIM": lambda: _dkim(names, house, mail),
        "DMARC": lambda: _dmarc(names, domain),
        "MX": lambda: _mx(names, domain),
        "reverse DNS": lambda: _reverse(names, _sources(names, hosts, sends_from)),
    }
    for name, look in looks.items():
        yield Check(name, partial(_ask, name, look))


def _ask(name: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from look()
    except dns.exception.DNSException as error:
        yield failed(name, f"the DNS gives no answer: {error}", "see that the resolver of this machine works")


def _sources(names: Names, hosts: Sequence[str], sends_from: str) -> list[str]:
    """The addresses that mails come from, as others see them; none where that cannot be said."""
    if sends_from:
        return [sends_from]
    found = [address for host in hosts for address in names.addresses(host)]
    return found if all(ipaddress.ip_address(address).is_global for address in found) else []


def _spf(names: Names, domain: str, sources: Sequence[str]) -> Iterator[Finding]:
    name, records = "SPF", names.spf(domain)
    if not records:
        remedy = f'add a TXT record at {domain}: "v=spf1 ip4:ADDRESS -all" with your mail server\'s address'
        yield failed(name, f"{domain} has no record", remedy)
    elif len(records) > 1:
        said = f"{domain} has {len(records)} records, which receivers take for none (RFC 7208, 4.5)"
        yield failed(name, said, "make them one")
    else:
        verdicts = {
            address: spf.verdict(
                records[0],
                domain,
                address,
                spf.Lookups(names.spf, names.addresses, names.exchangers),  # counted anew for each
            )
            for address in sources
        }
        yield _judge_spf(name, records[0], verdicts)


def _judge_spf(name: str, record: str, verdicts: Mapping[str, spf.Verdict]) -> Finding:
    left_out = [address for address, verdict in verdicts.items() if verdict == "fail"]
    if "error" in verdicts.values():
        said = f"takes more than {spf.MOST_LOOKUPS} lookups, so receivers give up: {record}"
        return failed(name, said, "include fewer others")
    if left_out:
        remedy = "add the address, or name the one that mails come from with --sends-from"
        return warning(name, f"does not let {', '.join(left_out)} send: {record}", remedy)
    covered = [address for address, verdict in verdicts.items() if verdict == "pass"]
    return ok(name, f"lets {', '.join(covered)} send" if covered else record)


def _dkim(names: Names, house: House, mail: Message) -> Iterator[Finding]:
    name = "DKIM"
    if house.signer is None:
        remedy = "read Authentication-Results in a mail sent by `paperboy doctor --send-to EMAIL`"
        yield warning(name, "the mail server signs, or nobody: that cannot be seen from here", remedy)
        return
    place = f"{house.signer.selector}._domainkey.{house.domain}"
    keys = names.look_up(place, "TXT")
    if not keys:
        yield failed(name, f"there is no public key at {place}", "add it as a TXT record")
    elif not _fits(mail.data, keys[0]):
        said = f"the public key at {place} does not fit the key in PAPERBOY_DKIM_KEY_FILE"
        yield failed(name, said, "put the right public key there, or name its own selector")
    else:
        yield ok(name, f"a signature made here fits the public key at {place}")


def _fits(data: bytes, key: str) -> bool:
    try:
        return bool(dkim.verify(data, dnsfunc=lambda _name, timeout=0: key.encode()))  # noqa: ARG005  dkimpy names it
    except (dkim.DKIMException, ValueError):
        return False


def _dmarc(names: Names, domain: str) -> Iterator[Finding]:
    name = "DMARC"
    place, records = _policy(names, domain)
    if not records:
        remedy = f'add a TXT record at _dmarc.{domain}: "v=DMARC1; p=none"; large providers ask for it'
        yield failed(name, f"{domain} has no record", remedy)
        return
    if len(records) > 1:
        yield failed(name, f"{place} has {len(records)} records, so none counts", "make them one")
        return
    policy = dict(_tag(part) for part in records[0].split(";") if "=" in part).get("p", "")
    if policy not in {"none", "quarantine", "reject"}:
        yield failed(name, f"the record at {place} has no policy", "add p=none, p=quarantine or p=reject")
        return
    # Sender, envelope and signature are of one domain, which is alignment in its strict sense too.
    yield ok(name, f"policy {policy}; sender, envelope and signature are aligned, all of {domain}")


def _policy(names: Names, domain: str) -> tuple[str, list[str]]:
    """The DMARC records that count for a domain, and where they stand: at itself or at one above it."""
    parts = domain.split(".")
    for start in range(max(len(parts) - 1, 1)):
        place = "_dmarc." + ".".join(parts[start:])
        found = [text for text in names.look_up(place, "TXT") if text.lower().startswith("v=dmarc1")]
        if found:
            return place, found
    return "", []


def _tag(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return name.strip().lower(), value.strip().lower()


def _mx(names: Names, domain: str) -> Iterator[Finding]:
    name, hosts = "MX", names.look_up(domain, "MX")
    if not hosts or "" in hosts:  # an empty name says that the domain takes no mail (RFC 7505)
        said = f"{domain} takes no mail: returned mails and requests to unsubscribe are lost"
        yield failed(name, said, f"add an MX record at {domain}")
    else:
        yield ok(name, f"{', '.join(hosts)} for mails that come back to {domain}")


def _reverse(names: Names, sources: Sequence[str]) -> Iterator[Finding]:
    name = "reverse DNS"
    if not sources:
        said = "the mail server is on a private network, its public address cannot be seen from here"
        yield warning(name, said, "name it with --sends-from ADDRESS")
    for address in sources:
        found = names.pointers(address)
        confirmed = [host for host in found if address in names.addresses(host)]
        if not found:
            remedy = "ask whoever gave you the address for a PTR record with the mail server's name"
            yield failed(name, f"{address} has no name", remedy)
        elif not confirmed:
            said = f"{address} is called {', '.join(found)}, which does not lead back to it"
            yield failed(name, said, f"give {found[0]} an address record with {address}")
        else:
            yield ok(name, f"{address} is {confirmed[0]}, and that is {address}")
