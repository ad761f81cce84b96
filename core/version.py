"""Which version of Paperboy is installed here."""

from functools import cache
from importlib.metadata import version


@cache
def installed_version() -> str:
    """The version in pyproject.toml when this installation was made, like `0.2.0`."""
    return version("paperboy")
