"""Rate limits for sign-ups (per network, per mail domain and in all) and for what else a network may try."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from limits import RateLimitItem, parse_many
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

LARGER_NETWORKS = {56: 2, 48: 8}  # bits of a prefix, and how many times the limit of a /64 it may use


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
        """Count a sign-up from a network (see `network_of`). Returns the name of the limit that it exceeds, or nothing.

        Larger networks around an IPv6 network have limits of their own, so that one provider's customer who owns many
        networks cannot use up everyone's sign-ups.
        """
        counted: list[tuple[str, Sequence[RateLimitItem], str]] = [
            ("network", self._network, network),
            *(
                ("network", [_times(rate, factor) for rate in self._network], larger)
                for larger, factor in networks_around(network)
            ),
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


def _times(rate: RateLimitItem, factor: int) -> RateLimitItem:
    """A limit that allows so many times as much."""
    return type(rate)(rate.amount * factor, rate.multiples)


def networks_around(network: str) -> list[tuple[str, int]]:
    """The IPv6 networks of 56 and 48 bits around one, and how many times as much each may do. IPv4 has none.

    Providers give a household a /56 and an organisation a /48 (RFC 6177).
    """
    if ":" not in network:
        return []
    inner = ipaddress.ip_network(network)
    return [(str(inner.supernet(new_prefix=bits)), factor) for bits, factor in LARGER_NETWORKS.items()]


def network_of(address: str) -> str:
    """The network of an IP address: an IPv4 /24 or an IPv6 /64; `unknown` for anything else."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    ip = mapped or ip
    return str(ipaddress.ip_network((ip, 24 if ip.version == 4 else 64), strict=False))
