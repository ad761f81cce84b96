"""What looks like a setting and is none: misspelt variables, lines of `.env` and files of secrets."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from dotenv import dotenv_values

from core import settings


@dataclass(frozen=True)
class UnknownSetting:
    """A variable or a file of secrets that no setting has, and the setting with the nearest name, or nothing."""

    name: str
    nearest: str

    def __str__(self) -> str:
        """The setting in one line, without its value, which may be a secret."""
        question = f"; is {self.nearest} meant?" if self.nearest else ""
        return f"{self.name} is not a setting and has no effect{question}"


def unknown_settings() -> Iterator[UnknownSetting]:
    """What looks like a setting in the environment, in `.env` or among the files of secrets and is none, by name."""
    known = [name.upper() for name in settings.Settings.model_fields]
    for name in sorted({*os.environ, *read_env_file(), *_names_of_secret_files()}):
        upper = name.upper()  # the names of settings are not case-sensitive
        short = upper.removeprefix(settings.PREFIX)
        if upper.startswith(settings.PREFIX) and short not in known:
            nearest = get_close_matches(short, known, n=1)
            yield UnknownSetting(name, f"{settings.PREFIX}{nearest[0]}" if nearest else "")


def read_env_file() -> dict[str, str]:
    """The variables in `.env`, or none if it cannot be read: `load_settings` reports that as a mistake."""
    try:
        return {name: value or "" for name, value in dotenv_values(".env").items()}
    except (OSError, UnicodeDecodeError):
        return {}


def _names_of_secret_files() -> list[str]:
    """The names in the folder of secrets, or none if it cannot be read: `load_settings` reports that as a mistake."""
    try:
        return [file.name for file in settings.SECRETS.iterdir()]
    except OSError:
        return []
