"""Evaluates SPF records (RFC 7208): may an address send mails of a domain? Pure, apart from the given lookups."""

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

SpfResult = Literal["pass", "fail", "unknown", "error"]
MAX_LOOKUPS = 10  # of a record together with all that it includes (RFC 7208, 4.6.4)


class _TooManyLookupsError(Exception):
    """The record needs more DNS lookups than receivers make."""


class _UndecidableError(Exception):
    """The result depends on the mail itself, or on a record that cannot be looked up."""


@dataclass
class Lookups:
    """The DNS lookups of one evaluation, and how many were made.

    The functions take a domain name. They return its SPF records, its IP addresses, and the IP addresses of
    its mail exchangers.
    """

    records: Callable[[str], Sequence[str]]
    addresses: Callable[[str], Sequence[str]]
    exchangers: Callable[[str], Sequence[str]]
    count: int = field(default=0, init=False)

    def add(self) -> None:
        """Count one more lookup."""
        self.count += 1
        if self.count > MAX_LOOKUPS:
            raise _TooManyLookupsError


def check_host(record: str, domain: str, address: str, lookups: Lookups) -> SpfResult:
    """Evaluate a domain's SPF record for mails from an IP address (`check_host` in RFC 7208, 4).

    The result is "error" for a record that receivers give up on, and "unknown" where it cannot be told in
    advance. "fail" stands for all other results of the RFC, such as softfail and neutral.
    """
    try:
        return "pass" if _qualifier(record, domain, address, lookups) == "+" else "fail"
    except _TooManyLookupsError:
        return "error"
    except _UndecidableError:
        return "unknown"


def _qualifier(record: str, domain: str, address: str, lookups: Lookups) -> str:
    """The qualifier of the first mechanism that matches, or `?` if none does."""
    redirect = ""
    for term in record.split()[1:]:  # the first term is the version, v=spf1
        qualifier, mechanism = (term[0], term[1:]) if term[0] in "+-~?" else ("+", term)
        if mechanism.lower().startswith("redirect="):
            redirect = mechanism.partition("=")[2]
        # A term with "=" before any ":" is a modifier, such as exp=, and matches nothing.
        elif "=" not in mechanism.partition(":")[0] and _matches(mechanism, domain, address, lookups):
            return qualifier
    # A redirect counts only where no mechanism matches, wherever it stands in the record.
    if redirect:
        return _qualifier_of_domain(redirect, address, lookups)
    return "?"


def _qualifier_of_domain(domain: str, address: str, lookups: Lookups) -> str:
    """The qualifier by the record of another domain, which was included or redirected to."""
    lookups.add()
    if "%" in domain:  # a macro (RFC 7208, 7), which can depend on the mail
        raise _UndecidableError
    records = lookups.records(domain)
    if len(records) != 1:
        raise _UndecidableError
    return _qualifier(records[0], domain, address, lookups)


def _matches(mechanism: str, domain: str, address: str, lookups: Lookups) -> bool:
    name, _, value = mechanism.partition(":")
    name, _, own_prefix_length = name.partition("/") if not value else (name, "", "")  # as in "a/24"
    name = name.lower()
    if name == "all":
        return True
    if name in {"ip4", "ip6"}:
        return _is_in_network(address, value)
    if name == "include":
        return _qualifier_of_domain(value, address, lookups) == "+"
    if name not in {"a", "mx"} or "%" in value:
        raise _UndecidableError
    target, _, target_prefix_length = value.partition("/")
    lookups.add()
    found = (lookups.addresses if name == "a" else lookups.exchangers)(target or domain)
    # Two lengths can be given, "24//64". The first one is for IPv4.
    length = (own_prefix_length or target_prefix_length).partition("/")[0]
    networks = [f"{host}/{length}" if length and ":" not in host else host for host in found]
    return any(_is_in_network(address, network) for network in networks)


def _is_in_network(address: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        raise _UndecidableError from None
