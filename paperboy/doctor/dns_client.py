"""The DNS lookups of the checks, through a given resolver or that of this machine."""

import ipaddress
from functools import cached_property

import dns.name
import dns.resolver
import dns.reversename

TIMEOUT_SECONDS = 5  # for one lookup
_IMPOSSIBLE_NAMES = (dns.name.EmptyLabel, dns.name.LabelTooLong, dns.name.NameTooLong)


class DnsClient:
    """The DNS lookups of the checks.

    Every method raises dns.exception.DNSException if no server answers.
    """

    def __init__(self, resolver: dns.resolver.Resolver | None) -> None:
        self._given_resolver = resolver

    @cached_property
    def _resolver(self) -> dns.resolver.Resolver:
        # The machine's resolver is created on first use, as it raises an error where none is configured.
        return self._given_resolver or dns.resolver.Resolver()

    def look_up(self, name: str, record_type: str) -> list[str]:
        """The records of a type as text. A name that does not exist, or that cannot exist, has none."""
        try:
            answer = self._resolver.resolve(name, record_type, lifetime=TIMEOUT_SECONDS)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, *_IMPOSSIBLE_NAMES):
            return []
        if record_type == "TXT":
            # A long text is split into strings of 255 bytes, which belong together (RFC 7208, 3.3).
            return [b"".join(record.strings).decode("utf-8", "replace") for record in answer]
        if record_type == "MX":
            return [record.exchange.to_text().rstrip(".") for record in answer]
        return [record.to_text().rstrip(".") for record in answer]

    def exists(self, name: str) -> bool:
        """Whether there is such a name, with or without records."""
        try:
            self._resolver.resolve(name, "A", lifetime=TIMEOUT_SECONDS)
        except (dns.resolver.NXDOMAIN, *_IMPOSSIBLE_NAMES):
            return False
        except dns.resolver.NoAnswer:
            return True
        return True

    def addresses(self, host: str) -> list[str]:
        """All IP addresses of a host name. An IP address is returned as it is."""
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            return [address for version in (4, 6) for address in self.addresses_of_version(host, version)]

    def addresses_of_version(self, host: str, version: int) -> list[str]:
        """The IP addresses of a host name of one IP version, 4 or 6."""
        return self.look_up(host, "A" if version == 4 else "AAAA")

    def exchangers(self, domain: str) -> list[str]:
        """The host names of a domain's mail exchangers. An empty one says that it takes no mail (RFC 7505)."""
        return self.look_up(domain, "MX")

    def spf_records(self, domain: str) -> list[str]:
        """The SPF records of a domain (RFC 7208, 4.5)."""
        return [text for text in self.look_up(domain, "TXT") if text.lower().split(" ")[0] == "v=spf1"]

    def reverse_names(self, address: str) -> list[str]:
        """The host names in the PTR records of an IP address."""
        return self.look_up(dns.reversename.from_address(address).to_text(), "PTR")
