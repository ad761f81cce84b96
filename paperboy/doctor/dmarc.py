"""Which DMARC policy applies to a domain: discovery by walking up the DNS tree (RFC 9989, 4.10). Pure, apart from the lookup."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

POLICIES = ("none", "quarantine", "reject")
MAX_LABELS = 8  # of the names that are asked for one domain (RFC 9989, 4.10)

_VERSION = re.compile(r"v\s*=\s*DMARC1\s*(?:;|$)", re.IGNORECASE)
_VALUES = {"p": POLICIES, "sp": POLICIES, "np": POLICIES, "t": ("y", "n"), "psd": ("y", "n", "u")}

TextsAt = Callable[[str], Sequence[str]]  # the TXT records of a name


class DmarcRecordError(Exception):
    """Receivers cannot use a record. The message says what is wrong with it."""


@dataclass(frozen=True)
class DmarcRecord:
    """A DMARC record, and the domain at which it was found."""

    domain: str
    text: str

    @property
    def name(self) -> str:
        """The name in the DNS that has the record."""
        return f"_dmarc.{self.domain}"

    @property
    def tags(self) -> dict[str, str]:
        """The tags and their values, in lower case. Of a tag that is there twice, the last one."""
        return dict(_split_tags(self.text))

    @property
    def is_test(self) -> bool:
        """Whether receivers are asked to apply the next weaker policy (the tag `t`)."""
        return self.tags.get("t") == "y"

    def check(self) -> None:
        """Check the syntax, and the values of the tags that decide.

        Raises:
            DmarcRecordError: receivers ignore the record.
        """
        tags = _split_tags(self.text)
        names = [name for name, _ in tags]
        for name, value in tags:
            if names.count(name) > 1:
                raise DmarcRecordError(f"the tag {name} is there twice")
            if name in _VALUES and value not in _VALUES[name]:
                raise DmarcRecordError(f"the tag {name} cannot have the value {value}")

    def policy_for(self, domain: str, *, exists: bool) -> tuple[str, str]:
        """The policy for mails from a domain, and the tag that says so, or an empty one if the record has none.

        For a domain below that of the record `sp` counts before `p`, and `np` before both if the domain does not
        exist. A record without any counts as `p=none` (RFC 9989, 4.7).
        """
        inherited = [] if domain == self.domain else ["sp"] if exists else ["np", "sp"]
        tags = self.tags
        tag = next((name for name in (*inherited, "p") if name in tags), "")
        return tags.get(tag, "none"), tag


def _split_tags(text: str) -> list[tuple[str, str]]:
    parts = [part for part in text.split(";") if part.strip()]
    if any("=" not in part for part in parts):
        raise DmarcRecordError("a part of it has no =")
    return [
        (name.strip().lower(), value.strip().lower())
        for name, _, value in (part.partition("=") for part in parts)
    ]


def records_at(domain: str, texts_at: TextsAt) -> list[DmarcRecord]:
    """The DMARC records of a domain itself."""
    return [DmarcRecord(domain, text) for text in texts_at(f"_dmarc.{domain}") if _VERSION.match(text)]


def discover(domain: str, texts_at: TextsAt) -> DmarcRecord | None:
    """The record that applies to a domain: its own, or else that of the organizational domain above it.

    A name with several records counts as one without any (RFC 9989, 4.10).
    """
    labels = domain.split(".")
    found: list[DmarcRecord] = []
    for name in [domain, *(".".join(labels[start:]) for start in range(_first_parent(labels), len(labels)))]:
        records = records_at(name, texts_at)
        if len(records) != 1:
            continue
        if name == domain:
            return records[0]
        found.append(records[0])
        if _psd(records[0]) in {"y", "n"}:
            break
    return _organizational(found) if found else None


def _first_parent(labels: Sequence[str]) -> int:
    return 1 if len(labels) <= MAX_LABELS else len(labels) - MAX_LABELS + 1


def _organizational(found: Sequence[DmarcRecord]) -> DmarcRecord:
    """Of the records above a domain, from the longest name to the shortest, that of the organizational domain.

    It is the last one, except where that belongs to a public suffix (`psd=y`): the domain one label below comes first.
    """
    *others, last = found
    if _psd(last) == "y" and others and others[-1].domain.count(".") == last.domain.count(".") + 1:
        return others[-1]
    return last


def _psd(record: DmarcRecord) -> str:
    try:
        return record.tags.get("psd", "u")
    except DmarcRecordError:
        return "u"
