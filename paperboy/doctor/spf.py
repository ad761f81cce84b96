"""Whether an SPF record lets an address send (RFC 7208): pure, but for the lookups that it is given."""

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

Verdict = Literal["pass", "fail", "unknown", "error"]
MOST_LOOKUPS = 10  # of a record with all that it includes (RFC 7208, 4.6.4)


class _TooManyError(Exception):
    """More lookups than receivers make."""


class _UnknownError(Exception):
    """What counts depends on the mail, or on what nobody can look up."""


@dataclass
class Lookups:
    """What can be asked: the SPF records of a name, its addresses, those of its mail exchangers."""

    records: Callable[[str], Sequence[str]]
    addresses: Callable[[str], Sequence[str]]
    exchangers: Callable[[str], Sequence[str]]
    made: int = field(default=0, init=False)

    def count(self) -> None:
        """One more."""
        self.made += 1
        if self.made > MOST_LOOKUPS:
            raise _TooManyError


def verdict(record: str, domain: str, address: str, lookups: Lookups) -> Verdict:
    """What a domain's record says of mail from an address; `error` for one that receivers give up on."""
    try:
        return "pass" if _qualifier(record, domain, address, lookups) == "+" else "fail"
    except _TooManyError:
        return "error"
    except _UnknownError:
        return "unknown"


def _qualifier(record: str, domain: str, address: str, lookups: Lookups) -> str:
    """The sign before the first mechanism that matches; `?` when none does."""
    redirect = ""
    for term in record.split()[1:]:
        sign, mechanism = (term[0], term[1:]) if term[0] in "+-~?" else ("+", term)
        if mechanism.lower().startswith("redirect="):
            redirect = mechanism.partition("=")[2]
        elif "=" not in mechanism.partition(":")[0] and _matches(mechanism, domain, address, lookups):
            return sign
    if redirect:
        return _of_other(redirect, address, lookups)
    return "?"


def _of_other(domain: str, address: str, lookups: Lookups) -> str:
    lookups.count()
    if "%" in domain:
        raise _UnknownError
    records = lookups.records(domain)
    if len(records) != 1:
        raise _UnknownError
    return _qualifier(records[0], domain, address, lookups)


def _matches(mechanism: str, domain: str, address: str, lookups: Lookups) -> bool:
    name, _, value = mechanism.partition(":")
    name, _, length = name.partition("/") if not value else (name, "", "")
    name = name.lower()
    if name == "all":
        return True
    if name in {"ip4", "ip6"}:
        return _is_in(address, value)
    if name == "include":
        return _of_other(value, address, lookups) == "+"
    if name not in {"a", "mx"} or "%" in value:
        raise _UnknownError
    target, _, given = value.partition("/")
    lookups.count()
    found = (lookups.addresses if name == "a" else lookups.exchangers)(target or domain)
    prefix = (length or given).partition("/")[0]
    return any(_is_in(address, f"{one}/{prefix}" if prefix and ":" not in one else one) for one in found)


def _is_in(address: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        raise _UnknownError from None
