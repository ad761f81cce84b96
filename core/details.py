"""How much of each paper a subscriber's digests hold."""

from enum import StrEnum


class Detail(StrEnum):
    """`full` brings introductions and abstracts below the list of gists, `brief` only the list and the overview."""

    FULL = "full"
    BRIEF = "brief"
