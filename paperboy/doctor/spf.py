"""Evaluates SPF records (RFC 7208): may an address send mails of a domain? Pure, apart from the given lookups."""

import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

SpfResult = Literal["pass", "fail", "unknown"]
MAX_LOOKUPS = 10  # of a record together with all that it includes (RFC 7208, 4.6.4)
MAX_VOID_LOOKUPS = 2  # of names without records (RFC 7208, 4.6.4)
MAX_EXCHANGERS = 10  # of one domain (RFC 7208, 4.6.4)

# A name, in which a macro can stand for parts of the mail (RFC 7208, 7.1).
_NAME = r"(?P<value>(?:[!-$&-.0-~]|%[%_-]|%\{[slodiphv]\d*r?[.+,/_=-]*\})+)"
_LENGTHS = r"(?:/(?P<four>\d{1,2}))?(?://(?P<six>\d{1,3}))?"
_AFTER_MECHANISM = {
    "all": "",
    "include": f":{_NAME}",
    "exists": f":{_NAME}",
    "a": f"(?::{_NAME})?{_LENGTHS}",
    "mx": f"(?::{_NAME})?{_LENGTHS}",
    "ptr": f"(?::{_NAME})?",
    "ip4": r":(?P<value>[\d.]+(?:/\d{1,2})?)",
    "ip6": r":(?P<value>[\da-f:.]+(?:/\d{1,3})?)",
}
_MECHANISM = re.compile(r"(?P<qualifier>[+~?-]?)(?P<name>[a-z0-9]+)(?P<rest>.*)", re.IGNORECASE)
_MODIFIER = re.compile(r"(?P<name>[a-z][a-z0-9_.-]*)=(?P<value>.*)", re.IGNORECASE)


class SpfRecordError(Exception):
    """Receivers cannot evaluate a record and use nothing of it (permerror, RFC 7208, 2.6.7). The message says why."""


@dataclass
class Lookups:
    """The DNS lookups of one evaluation, and how many were made.

    The functions take a domain name. They return its SPF records, its IP addresses of a version (4 or 6), and the
    host names of its mail exchangers.
    """

    records: Callable[[str], Sequence[str]]
    addresses: Callable[[str, int], Sequence[str]]
    exchangers: Callable[[str], Sequence[str]]
    count: int = field(default=0, init=False)
    void_count: int = field(default=0, init=False)

    def add(self) -> None:
        """Count one more lookup.

        Raises:
            SpfRecordError: it is one too many.
        """
        self.count += 1
        if self.count > MAX_LOOKUPS:
            raise SpfRecordError(f"it takes more than {MAX_LOOKUPS} lookups")

    def counted(self, answers: Sequence[str]) -> Sequence[str]:
        """The answers of a lookup, which counts as void if there are none.

        Raises:
            SpfRecordError: it is one void lookup too many.
        """
        self.void_count += not answers
        if self.void_count > MAX_VOID_LOOKUPS:
            raise SpfRecordError(f"it looks up more than {MAX_VOID_LOOKUPS} names that have no records")
        return answers


@dataclass(frozen=True)
class _Mechanism:
    """A mechanism of a record (RFC 7208, 5), with the lengths of IPv4 and IPv6 prefixes as text, or empty."""

    qualifier: str
    name: str
    value: str
    lengths: tuple[str, str]

    @property
    def depends_on_the_mail(self) -> bool:
        """Whether nobody can tell in advance what it matches."""
        return "%" in self.value or self.name == "ptr"


@dataclass(frozen=True)
class _Record:
    mechanisms: tuple[_Mechanism, ...]
    redirect: str


def check_host(record: str, domain: str, address: str, lookups: Lookups) -> SpfResult:
    """Evaluate a domain's SPF record for mails from an IP address (`check_host` in RFC 7208, 4).

    The result is "unknown" where it depends on the mail. "fail" stands for all other results of the RFC, such as
    softfail and neutral.

    Raises:
        SpfRecordError: receivers give up on the record.
    """
    qualifier = _first_match(record, domain, address, lookups)
    if qualifier is None:
        return "unknown"
    return "pass" if qualifier == "+" else "fail"


def _first_match(record: str, domain: str, address: str, lookups: Lookups) -> str | None:
    """The qualifier of the first mechanism that matches, `?` if none does, None if that depends on the mail."""
    parsed, is_unknown = _parse(record), False
    for mechanism in parsed.mechanisms:
        matches = _matches(mechanism, domain, address, lookups)
        if matches:
            return None if is_unknown else mechanism.qualifier
        is_unknown |= matches is None
    # A redirect counts only where no mechanism matches, wherever it stands in the record.
    if parsed.redirect:
        lookups.add()
        qualifier = None if "%" in parsed.redirect else _match_of(parsed.redirect, address, lookups)
        return None if is_unknown else qualifier
    return None if is_unknown else "?"


def _match_of(domain: str, address: str, lookups: Lookups) -> str | None:
    """The first match in the record of another domain, which was included or redirected to."""
    records = lookups.records(domain)
    if not records:
        raise SpfRecordError(f"{domain}, which it refers to, has no SPF record")
    if len(records) > 1:
        raise SpfRecordError(f"{domain}, which it refers to, has {len(records)} SPF records")
    return _first_match(records[0], domain, address, lookups)


def _matches(mechanism: _Mechanism, domain: str, address: str, lookups: Lookups) -> bool | None:
    """Whether a mechanism matches, or None if that depends on the mail."""
    if mechanism.name == "all":
        return True
    if mechanism.name in {"ip4", "ip6"}:
        return _is_in(address, mechanism.value)
    lookups.add()
    if mechanism.depends_on_the_mail:
        return None
    target = mechanism.value or domain
    if mechanism.name == "include":
        qualifier = _match_of(target, address, lookups)
        return None if qualifier is None else qualifier == "+"
    if mechanism.name == "exists":
        return bool(lookups.counted(lookups.addresses(target, 4)))
    version = ipaddress.ip_address(address).version
    length = mechanism.lengths[version == 6]
    hosts = _hosts(mechanism, target, version, lookups)
    return any(_is_in(address, f"{host}/{length}" if length else host) for host in hosts)


def _hosts(mechanism: _Mechanism, target: str, version: int, lookups: Lookups) -> Sequence[str]:
    """The IP addresses of a domain, or those of its mail exchangers."""
    if mechanism.name == "a":
        return lookups.counted(lookups.addresses(target, version))
    exchangers = [name for name in lookups.counted(lookups.exchangers(target)) if name]
    if len(exchangers) > MAX_EXCHANGERS:
        raise SpfRecordError(f"{target} has more than {MAX_EXCHANGERS} mail exchangers")
    return [host for name in exchangers for host in lookups.addresses(name, version)]


def _is_in(address: str, network: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)


# --- syntax (RFC 7208, 12) ----------------------------------------------------------


def _parse(record: str) -> _Record:
    """The parts of a record. A mistake anywhere makes all of it unusable (RFC 7208, 4.6)."""
    mechanisms: list[_Mechanism] = []
    modifiers: dict[str, str] = {}
    for term in filter(None, record.split(" ")[1:]):  # the first term is the version, v=spf1
        if modifier := _MODIFIER.fullmatch(term):
            _add_modifier(modifiers, modifier["name"].lower(), modifier["value"])
        else:
            mechanisms.append(_parse_mechanism(term))
    has_all = any(mechanism.name == "all" for mechanism in mechanisms)
    return _Record(tuple(mechanisms), "" if has_all else modifiers.get("redirect", ""))


def _add_modifier(modifiers: dict[str, str], name: str, value: str) -> None:
    if name not in {"redirect", "exp"}:  # unknown ones are ignored (RFC 7208, 6)
        return
    if name in modifiers or not re.fullmatch(_NAME, value):
        raise SpfRecordError(f"it has a mistake at {name}=")
    modifiers[name] = value


def _parse_mechanism(term: str) -> _Mechanism:
    found = _MECHANISM.fullmatch(term)
    name = found["name"].lower() if found else ""
    rest = (
        found
        and name in _AFTER_MECHANISM
        and re.fullmatch(_AFTER_MECHANISM[name], found["rest"], re.IGNORECASE)
    )
    if not found or not rest:
        raise SpfRecordError(f"it has a mistake at {term}")
    groups = {"value": "", "four": "", "six": "", **rest.groupdict("")}
    if (
        not _has_valid_network(name, groups["value"])
        or int(groups["four"] or 0) > 32
        or int(groups["six"] or 0) > 128
    ):
        raise SpfRecordError(f"it has a mistake at {term}")
    return _Mechanism(found["qualifier"] or "+", name, groups["value"], (groups["four"], groups["six"]))


def _has_valid_network(name: str, value: str) -> bool:
    if name not in {"ip4", "ip6"}:
        return True
    try:
        return ipaddress.ip_network(value, strict=False).version == int(name[-1])
    except ValueError:
        return False
