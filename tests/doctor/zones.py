"""DNS zones in memory for tests: a resolver of dnspython's that answers from them, for the doctor and for checkdmarc."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import dns.name
import dns.rdata
import dns.resolver

from paperboy.doctor.dns_client import DnsClient

Records = Mapping[str, str | Sequence[str]]


@dataclass
class Zone:
    """Names with their records by type. A name without records exists, and so does every name above one that exists."""

    names: Mapping[str, Records]
    asked: list[tuple[str, str]] = field(default_factory=list)

    def client(self) -> DnsClient:
        """The doctor's DNS client with this zone in place of a server."""
        return DnsClient(self.resolver())

    def resolver(self) -> Any:
        """A resolver that has no server to ask."""
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers = ["192.0.2.53"]
        resolver.resolve = self._resolve  # type: ignore[method-assign, assignment]
        return resolver

    def _resolve(self, name: object, record_type: object, *_arguments: Any, **_options: Any) -> Any:
        asked = dns.name.from_text(str(name)).to_text(omit_final_dot=True).lower()
        kind = getattr(record_type, "name", str(record_type))
        self.asked.append((asked, kind))
        if not any(known == asked or known.endswith(f".{asked}") for known in self.names):
            raise dns.resolver.NXDOMAIN
        values = self.names.get(asked, {}).get(kind, ())
        if not values:
            raise dns.resolver.NoAnswer(response=SimpleNamespace(question=[asked]))  # type: ignore[no-untyped-call]  # dnspython's
        return [_record(kind, value) for value in ([values] if isinstance(values, str) else values)]


def _record(kind: str, value: str) -> Any:
    if kind != "TXT":
        return dns.rdata.from_text("IN", kind, value)
    strings = [value[start : start + 255] for start in range(0, len(value), 255)]
    return dns.rdata.from_text("IN", kind, " ".join(f'"{string}"' for string in strings))
