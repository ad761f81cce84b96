"""Rate limits for sign-ups (per network, per mail domain and in all) and for what else a network may try."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from limits import RateLimitItem, parse_many
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter


@dataclass(frozen=True)
class SignupRates:
    """How many sign-ups are accepted, each in the notation of `limits`: `10 per hour; 30 per day`."""

    network: str
    domain: str
    total: str


class SignupLimits:
    """Counts sign-ups, and says when there are too many."""

    def __init__(self, storage: Storage, rates: SignupRates) -> None:
        self._limiter = FixedWindowRateLimiter(storage)
        self._network = parse_many(rates.network)
        self._domain = parse_many(rates.domain)
        self._total = parse_many(rates.total)

    def hit(self, network: str, domain: str) -> str:
        """Count a sign-up. Returns the name of the limit that it exceeds, or nothing."""
        counted: list[tuple[str, Sequence[RateLimitItem], str]] = [
            ("network", self._network, network),
            ("domain", self._domain, domain),
            ("total", self._total, "all"),
        ]
        for name, rates, key in counted:
            for rate in rates:
                if not self._limiter.hit(rate, "sign-up", name, key):
                    return name
        return ""

    def is_first_today(self, what: str) -> bool:
        """Count an event. Returns whether it had not happened within a day."""
        (once,) = parse_many("1 per day")
        return self._limiter.hit(once, "once", what)


class AttemptLimit:
    """Counts the attempts of a network at something, and says when there are too many."""

    def __init__(self, storage: Storage, what: str, rates: str) -> None:
        self._limiter = FixedWindowRateLimiter(storage)
        self._what, self._rates = what, parse_many(rates)

    def hit(self, network: str) -> bool:
        """Count an attempt. Returns whether it is allowed."""
        return all(self._limiter.hit(rate, self._what, network) for rate in self._rates)


def network_of(address: str) -> str:
    """The network of an IP address: an IPv4 /24 or an IPv6 /64; `unknown` for anything else."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    ip = mapped or ip
    return str(ipaddress.ip_network((ip, 24 if ip.version == 4 else 64), strict=False))
