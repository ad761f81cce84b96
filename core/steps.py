"""The steps of a run. A flow shows each of them as a task of Prefect; a command just takes them."""

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Step(Protocol):
    """Does one step of a run, under its name, and returns the result."""

    def __call__(self, name: str, work: Callable[[], T], /) -> T:
        """Do the work."""


def plain_step(_name: str, work: Callable[[], T], /) -> T:
    """Do the work, for runs that nobody watches."""
    return work()
