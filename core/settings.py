"""Settings from the environment and from `.env`. Each mistake becomes one clear line."""

import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from dotenv import dotenv_values
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from core.errors import PaperboyError
from core.languages import TextLanguage

SHARED_OPERATOR = "operator"  # whoever signs in with the one token that has no name

PREFIX = "PAPERBOY_"  # what the names of all settings begin with


class SettingsError(PaperboyError):
    """The settings cannot be used. The message has one line for each mistake."""


def _split(value: object) -> object:
    return (
        tuple(part.strip().lower() for part in value.split(",") if part.strip())
        if isinstance(value, str)
        else value
    )


def _lines(value: object) -> object:
    """Texts with semicolons between them, because each may have commas."""
    return tuple(map(str.strip, value.split(";"))) if isinstance(value, str) else value


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not value.isascii():
        raise ValueError("must be an address in ASCII that begins with http:// or https://")
    return value.rstrip("/")


def _database_address(value: str) -> str:
    value = value.replace("postgres://", "postgresql://", 1)
    if value.startswith("postgresql://"):
        return value.replace("postgresql://", "postgresql+psycopg://", 1)
    if not value.startswith(("sqlite:///", "postgresql+psycopg://")):
        raise ValueError("must begin with sqlite:/// or postgresql://")
    return value


def _sender(value: str) -> str:
    if not _has_address(value):
        raise ValueError("must be an address like Paperboy <news@example.org>")
    return value


def _address(value: str) -> str:
    if not _has_address(value) or parseaddr(value) != ("", value):
        raise ValueError("must be an address like editors@example.org")
    return value


def _has_address(value: str) -> bool:
    """Whether there is an address that a header can hold, perhaps with a display name."""
    address = parseaddr(value)[1]
    local, _, domain = address.partition("@")
    try:
        domain.encode("idna")
    except UnicodeError:
        return False
    is_one_line = all(ord(sign) >= 32 for sign in value)
    return is_one_line and address.count("@") == 1 and bool(local and domain) and local.isascii()


def _line(max_characters: int) -> AfterValidator:
    """A text that a page or a header shows in one line."""

    def checked(value: str) -> str:
        value = value.strip()
        if not (value and value.isprintable() and len(value) <= max_characters):
            raise ValueError(f"must be one line of at most {max_characters} characters")
        return value

    return AfterValidator(checked)


def _timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError("must be a time zone like Asia/Seoul") from None
    return value


def _rates(value: str) -> str:
    from limits import parse_many  # noqa: PLC0415  only installations that set a rate load it

    try:
        parse_many(value)
    except ValueError:
        raise ValueError("must be like 10 per hour; 30 per day") from None
    return value


def _redis_address(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith(("redis://", "rediss://")):
        raise ValueError("must be like redis://host:6379/0")
    return value


def _keys(value: SecretStr) -> SecretStr:
    if any(len(key) < 16 for key in _split_keys(value)):
        raise ValueError("must have at least 16 characters in each key, with commas between the keys")
    return value


def _split_keys(value: SecretStr) -> list[str]:
    return [key for key in map(str.strip, value.get_secret_value().split(",")) if key]


def _operator_tokens(value: SecretStr) -> SecretStr:
    pairs = _named_tokens(value)
    are_usable = all(name.isprintable() and len(name) <= 40 and len(token) >= 24 for name, token in pairs)
    if not are_usable:
        raise ValueError("must be like minji:TOKEN, jun:TOKEN with tokens of at least 24 characters")
    names, tokens = [name for name, _ in pairs], [token for _, token in pairs]
    if len({*names, SHARED_OPERATOR}) <= len(names) or len(set(tokens)) < len(tokens):
        raise ValueError(f"must have another name and token for everyone, and nobody named {SHARED_OPERATOR}")
    return value


def _named_tokens(value: SecretStr) -> list[tuple[str, str]]:
    parts = (part.partition(":") for part in value.get_secret_value().split(",") if part.strip())
    return [(name.strip(), token.strip()) for name, _, token in parts]


def _secret_web_address(value: SecretStr) -> SecretStr:
    _web_address(value.get_secret_value())
    return value


def _inbox_address(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith(("imaps://", "imap://", "maildir:///")):
        raise ValueError("must be like imaps://user:pass@host/INBOX or maildir:///var/mail/paperboy")
    return value


class Settings(BaseSettings):
    """Everything an operator can set, as `PAPERBOY_…` in the environment or in `.env`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        validate_default=False,  # validating rates loads the library of rate limits, which takes a tenth of a second
    )

    database_url: Annotated[str, AfterValidator(_database_address)] = "sqlite:///var/paperboy.db"
    feed_url: Annotated[str, AfterValidator(_web_address)] = "https://discuss.pytorch.kr/c/news/14.rss"
    authors: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = ()
    smtp_url: SecretStr | None = None
    dkim_key_file: Path | None = None
    dkim_selector: str = "paperboy"
    connections: int = Field(default=4, ge=1, le=100)
    mails_per_second: int = Field(default=0, ge=0, le=100_000)
    mails_per_hour: int = Field(default=0, ge=0, le=100_000_000)
    sender: Annotated[str, AfterValidator(_sender)] = "Paperboy <paperboy@paperboy.localhost>"
    name: Annotated[str, _line(60)] = "Paperboy"
    forum_name: Annotated[str, _line(120)] = "파이토치 한국 사용자 모임 / the PyTorch Korea user group"
    contact: Annotated[str, AfterValidator(_address)] = ""
    postal_address: Annotated[str, _line(200)] = ""
    processors: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_lines)] = ()
    reply_to: Annotated[str, AfterValidator(_address)] = ""
    base_url: Annotated[str, AfterValidator(_web_address)] = "http://127.0.0.1:8000"
    secret_key: SecretStr | None = Field(default=None, min_length=16)
    old_secret_keys: Annotated[SecretStr, AfterValidator(_keys)] | None = None
    timezone: Annotated[str, AfterValidator(_timezone)] = "Asia/Seoul"
    settle_minutes: int = Field(default=30, ge=0, le=10_080)
    daily_papers: int = Field(default=2, ge=0, le=100)
    allowed_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = ()
    uncertain: Literal["repeat", "hold"] = "repeat"
    operator: str = ""
    operator_language: TextLanguage = TextLanguage.EN
    operator_token: SecretStr | None = Field(default=None, min_length=24)
    operator_tokens: Annotated[SecretStr, AfterValidator(_operator_tokens)] | None = None
    bounce_alarm: int = Field(default=5, ge=0, le=100)
    heartbeat_url: Annotated[SecretStr, AfterValidator(_secret_web_address)] | None = None
    metrics_token: SecretStr | None = Field(default=None, min_length=16)
    log_format: Literal["text", "json"] = "text"
    sign_ups_per_network: Annotated[str, AfterValidator(_rates)] = "10 per hour; 30 per day"
    sign_ups_per_domain: Annotated[str, AfterValidator(_rates)] = "500 per hour"
    sign_ups_in_all: Annotated[str, AfterValidator(_rates)] = "1000 per hour"
    limits_url: Annotated[SecretStr, AfterValidator(_redis_address)] | None = None
    api_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = ()
    inbox_url: Annotated[SecretStr, AfterValidator(_inbox_address)] | None = None
    probe_to: Annotated[
        tuple[Annotated[str, AfterValidator(_address)], ...], NoDecode, BeforeValidator(_split)
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
        """The tokens of those who may open the operator's pages, by name. It is empty if there are no such pages."""
        shared = {SHARED_OPERATOR: self.operator_token.get_secret_value()} if self.operator_token else {}
        return shared | dict(_named_tokens(self.operator_tokens) if self.operator_tokens else ())

    @property
    def mailbox_dir(self) -> Path:
        """Where the embedded mailbox keeps mails while no SMTP server is set."""
        return self.data_dir / "mailbox"

    def local(self, moment: datetime) -> datetime:
        """An aware time, in the time zone of the settings."""
        return moment.astimezone(self.zone)


def load_settings() -> Settings:
    """The settings from the environment and `.env`.

    Raises:
        SettingsError: some settings cannot be used; one line for each.
    """
    try:
        return Settings()
    except (OSError, UnicodeDecodeError):
        raise SettingsError(".env cannot be read as UTF-8 text") from None
    except ValidationError as error:
        lines = [_explain(str(fault["loc"][0]), fault["msg"]) for fault in error.errors()]
        raise SettingsError("\n".join(lines)) from None


def _explain(name: str, message: str) -> str:
    return f"{PREFIX}{name.upper()}: {message.removeprefix('Value error, ')}"


@dataclass(frozen=True)
class UnknownSetting:
    """A variable `PAPERBOY_…` that no setting has, and the setting with the nearest name, or nothing."""

    name: str
    nearest: str

    def __str__(self) -> str:
        """The setting in one line, without its value, which may be a secret."""
        question = f"; is {self.nearest} meant?" if self.nearest else ""
        return f"{self.name} is not a setting and has no effect{question}"


def unknown_settings() -> Iterator[UnknownSetting]:
    """The variables of the environment and of `.env` that look like settings and are none, by name."""
    known = [name.upper() for name in Settings.model_fields]
    for name in sorted({*os.environ, *read_env_file()}):
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


def database_address(value: str) -> str:
    """The address of a database, as PAPERBOY_DATABASE_URL would have it.

    Raises:
        SettingsError: it is not one. The message does not repeat it, because it can hold a password.
    """
    try:
        return _database_address(value)
    except ValueError as error:
        raise SettingsError(f"the address of the database {error}") from None


def old_secret_keys(settings: Settings) -> tuple[bytes, ...]:
    """The keys that signed links before. They serve for unsubscribing only."""
    return tuple(map(str.encode, _split_keys(settings.old_secret_keys))) if settings.old_secret_keys else ()


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
