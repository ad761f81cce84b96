"""Settings from the environment, from `.env` and from files of secrets. Each mistake becomes one clear line."""

import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from dotenv import dotenv_values
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableSource

from core import setting_values as values
from core.errors import PaperboyError
from core.languages import TextLanguage

PREFIX = "PAPERBOY_"  # what the names of all settings begin with
# Where containers have files with secrets. Each is named like its setting, in small letters.
SECRETS = Path("/run/secrets")


class SettingsError(PaperboyError):
    """The settings cannot be used. The message has one line for each mistake."""


class Settings(BaseSettings):
    """Everything an operator can set, as `PAPERBOY_…` in the environment or in `.env`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        validate_default=False,  # validating rates loads the library of rate limits, which takes a tenth of a second
    )

    database_url: Annotated[str, AfterValidator(values.database_url)] = "sqlite:///var/paperboy.db"
    feed_url: Annotated[str, AfterValidator(values.web_address)] = "https://discuss.pytorch.kr/c/news/14.rss"
    authors: Annotated[tuple[str, ...], NoDecode, BeforeValidator(values.split_list)] = ()
    smtp_url: SecretStr | None = None
    dkim_key_file: Annotated[tuple[Path, ...], NoDecode, BeforeValidator(values.split_names)] = ()
    dkim_selector: Annotated[tuple[str, ...], NoDecode, BeforeValidator(values.split_names)] = ("paperboy",)
    connections: int = Field(default=4, ge=1, le=100)
    mails_per_second: int = Field(default=0, ge=0, le=100_000)
    mails_per_hour: int = Field(default=0, ge=0, le=100_000_000)
    sender: Annotated[str, AfterValidator(values.sender_address)] = "Paperboy <paperboy@paperboy.localhost>"
    name: Annotated[str, values.one_line(60)] = "Paperboy"
    forum_name: Annotated[str, values.one_line(120)] = (
        "파이토치 한국 사용자 모임 / the PyTorch Korea user group"
    )
    contact: Annotated[str, AfterValidator(values.plain_address)] = ""
    postal_address: Annotated[str, values.one_line(200)] = ""
    processors: Annotated[tuple[str, ...], NoDecode, BeforeValidator(values.split_texts)] = ()
    reply_to: Annotated[str, AfterValidator(values.plain_address)] = ""
    base_url: Annotated[str, AfterValidator(values.web_address)] = "http://127.0.0.1:8000"
    secret_key: SecretStr | None = Field(default=None, min_length=16)
    old_secret_keys: Annotated[SecretStr, AfterValidator(values.secret_keys)] | None = None
    timezone: Annotated[str, AfterValidator(values.timezone_name)] = "Asia/Seoul"
    settle_minutes: int = Field(default=30, ge=0, le=10_080)
    daily_papers: int = Field(default=2, ge=0, le=100)
    retention_months: int = Field(default=13, ge=3, le=1_200)
    allowed_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(values.split_list)] = ()
    uncertain: Literal["repeat", "hold"] = "repeat"
    operator: str = ""
    operator_language: TextLanguage = TextLanguage.EN
    operator_token: SecretStr | None = Field(default=None, min_length=24)
    operator_tokens: Annotated[SecretStr, AfterValidator(values.operator_tokens)] | None = None
    bounce_alarm: int = Field(default=5, ge=0, le=100)
    heartbeat_url: Annotated[SecretStr, AfterValidator(values.secret_web_address)] | None = None
    metrics_token: SecretStr | None = Field(default=None, min_length=16)
    log_format: Literal["text", "json"] = "text"
    sign_ups_per_network: Annotated[str, AfterValidator(values.rates)] = "10 per hour; 30 per day"
    sign_ups_per_domain: Annotated[str, AfterValidator(values.rates)] = "500 per hour"
    sign_ups_in_all: Annotated[str, AfterValidator(values.rates)] = "1000 per hour"
    limits_url: Annotated[SecretStr, AfterValidator(values.redis_url)] | None = None
    api_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(values.split_list)] = ()
    inbox_url: Annotated[SecretStr, AfterValidator(values.inbox_url)] | None = None
    probe_to: Annotated[
        tuple[Annotated[str, AfterValidator(values.plain_address)], ...],
        NoDecode,
        BeforeValidator(values.split_list),
    ] = ()
    probe_authserv_id: str = ""
    probe_seconds: int = Field(default=120, ge=1, le=3_600)
    probe_weekly: bool = False
    data_dir: Path = Path("var")

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of slots and schedules."""
        return ZoneInfo(self.timezone)

    @property
    def operators(self) -> dict[str, str]:
        """The token of each operator, by name. Without any, there are no operator's pages."""
        shared = (
            {values.SHARED_OPERATOR: self.operator_token.get_secret_value()} if self.operator_token else {}
        )
        return shared | dict(values.named_tokens(self.operator_tokens) if self.operator_tokens else ())

    @property
    def mailbox_dir(self) -> Path:
        """Where the embedded mailbox keeps mails while no SMTP server is set."""
        return self.data_dir / "mailbox"

    def local(self, moment: datetime) -> datetime:
        """An aware time, in the time zone of the settings."""
        return moment.astimezone(self.zone)


def load_settings() -> Settings:
    """The settings from the environment, from `.env` and from the files in `/run/secrets`; the first of them wins.

    Raises:
        SettingsError: some settings cannot be used; one line for each.
    """
    try:
        return Settings(_secrets_dir=SECRETS if SECRETS.is_dir() else None)  # type: ignore[call-arg]
    except (OSError, UnicodeDecodeError) as error:
        file = getattr(error, "filename", None) or ".env"  # an OSError names its file or folder
        raise SettingsError(f"{file} cannot be read as UTF-8 text") from None
    except UnreadableSource:
        raise SettingsError(f"a file in {SECRETS} cannot be read as UTF-8 text") from None
    except ValidationError as error:
        lines = [_explain(str(fault["loc"][0]), fault["msg"]) for fault in error.errors()]
        raise SettingsError("\n".join(lines)) from None


def _explain(name: str, message: str) -> str:
    return f"{PREFIX}{name.upper()}: {message.removeprefix('Value error, ')}"


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
    known = [name.upper() for name in Settings.model_fields]
    for name in sorted({*os.environ, *read_env_file(), *_names_of_secret_files()}):
        upper = name.upper()  # the names of settings are not case-sensitive
        short = upper.removeprefix(PREFIX)
        if upper.startswith(PREFIX) and short not in known:
            nearest = get_close_matches(short, known, n=1)
            yield UnknownSetting(name, f"{PREFIX}{nearest[0]}" if nearest else "")


def read_env_file() -> dict[str, str]:
    """The variables in `.env`, or none if it cannot be read: `load_settings` reports that as a mistake."""
    try:
        return {name: value or "" for name, value in dotenv_values(".env").items()}
    except (OSError, UnicodeDecodeError):
        return {}


def _names_of_secret_files() -> list[str]:
    """The names in the folder of secrets, or none if it cannot be read: `load_settings` reports that as a mistake."""
    try:
        return [file.name for file in SECRETS.iterdir()]
    except OSError:
        return []


def database_address(value: str) -> str:
    """The address of a database, as PAPERBOY_DATABASE_URL would have it.

    Raises:
        SettingsError: it is not one. The message does not repeat it, because it can hold a password.
    """
    try:
        return values.database_url(value)
    except ValueError as error:
        raise SettingsError(f"the address of the database {error}") from None


def old_secret_keys(settings: Settings) -> tuple[bytes, ...]:
    """The keys that signed links before. They serve for unsubscribing only."""
    return (
        tuple(map(str.encode, values.split_keys(settings.old_secret_keys)))
        if settings.old_secret_keys
        else ()
    )


def secret_key(settings: Settings) -> bytes:
    """The key that signs links: the setting, or a key that is made once and kept in the data folder."""
    if settings.secret_key:
        return settings.secret_key.get_secret_value().encode()
    path = settings.data_dir / "secret_key"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_hex(32).encode())
        with suppress(FileExistsError):
            os.link(fresh, path)  # the file appears complete, and of two processes the first one wins
        fresh.unlink()
    return path.read_bytes()
