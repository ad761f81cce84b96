"""Reads Authentication-Results fields (RFC 8601): what a receiver says about SPF, DKIM and DMARC. Pure.

Anybody on the way can write such a field. So only the topmost one of a named server counts, because that server puts its
own on top, and takes out those that pretend to be its own (RFC 8601, 5).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_PAIR = re.compile(rf"([\w.-]+)\s*(?:/\s*\d+\s*)?=\s*({_QUOTED}|[^\s;]+)")
_AUTHSERV_ID = re.compile(rf'\s*({_QUOTED}|[^\s;="]+)(?:\s+\d+)?\s*(?:;|$)')
_BETWEEN_SEMICOLONS = re.compile(rf'(?:{_QUOTED}|[^;"]|")+')


@dataclass(frozen=True)
class MethodResult:
    """What a server says about one method, such as `dkim`: the result, and properties such as `header.d`, in lower case."""

    method: str
    result: str
    properties: Mapping[str, str]

    @property
    def domain(self) -> str:
        """The domain that a signature speaks for, or an empty string."""
        named = self.properties.get("header.d") or self.properties.get("header.i", "").rpartition("@")[2]
        return named.strip("@")


def results_of(headers: Message, authserv_id: str) -> list[MethodResult] | None:
    """The results in the topmost field of a server, or None if it has written none."""
    for field in headers.get_all("Authentication-Results", []):
        text = _without_comments(" ".join(str(field).split()))
        found = _AUTHSERV_ID.match(text)
        if found and found[1].strip('"').lower() == authserv_id.lower():
            return list(_parse(text[found.end() :]))
    return None


def _parse(text: str) -> Iterator[MethodResult]:
    for part in _BETWEEN_SEMICOLONS.findall(text):
        pairs = [(name.lower(), value.strip('"').lower()) for name, value in _PAIR.findall(part)]
        if pairs:
            (method, result), *properties = pairs
            yield MethodResult(method, result, dict(properties))


def _without_comments(text: str) -> str:
    """The text without its comments, which can hold others (RFC 5322, 3.2.2)."""
    kept: list[str] = []
    depth, is_quoted = 0, False
    for sign in re.findall(r"\\.|.", text):
        if sign == '"' and not depth:
            is_quoted = not is_quoted
        if is_quoted or (not depth and sign not in {"(", ")"}):
            kept.append(sign)
        elif sign == "(":
            depth += 1
            kept.append(" ")
        elif sign == ")":
            depth = max(depth - 1, 0)
    return "".join(kept)
