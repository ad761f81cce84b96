"""What the values of settings may be. Each function takes a value, and returns it in the form that the program uses.

All raise a ValueError whose message goes on from the name of the setting, such as "must be a time zone like Asia/Seoul".
"""

from datetime import date
from email.utils import getaddresses, parseaddr
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, SecretStr

SHARED_OPERATOR = "operator"  # the name of whoever signs in with the token of PAPERBOY_OPERATOR_TOKEN


def split_list(value: object) -> object:
    """Values in small letters, with commas between them."""
    return (
        tuple(part.strip().lower() for part in value.split(",") if part.strip())
        if isinstance(value, str)
        else value
    )


def split_names(value: object) -> object:
    """Names with commas between them, as they are written."""
    return (
        tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
    )


def split_texts(value: object) -> object:
    """Texts with semicolons between them, because each may have commas."""
    return tuple(map(str.strip, value.split(";"))) if isinstance(value, str) else value


def web_address(value: str) -> str:
    """An address that begins with http:// or https://, without a slash at its end."""
    parts = urlsplit(value)
    is_plain = value.isascii() and value.isprintable() and " " not in value
    if parts.scheme not in {"http", "https"} or not parts.hostname or not is_plain:
        raise ValueError("must be an address in ASCII that begins with http:// or https://")
    return value.rstrip("/")


def base_address(value: str) -> str:
    """A web address that the paths of pages are appended to."""
    if "?" in value or "#" in value:
        raise ValueError("must be an address without ? and #")
    return web_address(value)


def database_url(value: str) -> str:
    """The address of a database of a kind that Paperboy knows, with its driver."""
    value = value.replace("postgres://", "postgresql://", 1)
    if value.startswith("postgresql://"):
        return value.replace("postgresql://", "postgresql+psycopg://", 1)
    if not value.startswith(("sqlite:///", "postgresql+psycopg://")):
        raise ValueError("must begin with sqlite:/// or postgresql://")
    if value in {"sqlite:///", "sqlite:///:memory:"}:  # each connection would have tables of its own
        raise ValueError("must name a file: sqlite:///FILE")
    return value


def sender_address(value: str) -> str:
    """An address with or without a name."""
    if not _has_address(value):
        raise ValueError("must be an address like Paperboy <news@example.org>")
    return value


def plain_address(value: str) -> str:
    """An address without a name."""
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
    is_one_address = len(getaddresses([value])) == 1 and address.count("@") == 1
    return is_one_line and is_one_address and bool(local and domain) and local.isascii()


def one_line(max_characters: int) -> AfterValidator:
    """A text that a page or a header shows in one line."""

    def checked(value: str) -> str:
        value = value.strip()
        if not (value and value.isprintable() and len(value) <= max_characters):
            raise ValueError(f"must be one line of at most {max_characters} characters")
        return value

    return AfterValidator(checked)


def timezone_name(value: str) -> str:
    """The name of a time zone that this machine knows."""
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError("must be a time zone like Asia/Seoul") from None
    return value


def iso_date(value: object) -> object:
    """A day."""
    if not isinstance(value, str):
        return value
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError("must be a date like 2025-08-04") from None


def rates(value: str) -> str:
    """Rates as the library of rate limits reads them."""
    from limits import parse_many  # noqa: PLC0415  only installations that set a rate load it

    try:
        parse_many(value)
    except ValueError:
        raise ValueError("must be like 10 per hour; 30 per day") from None
    return value


def redis_url(value: SecretStr) -> SecretStr:
    """The address of a Redis server."""
    if not value.get_secret_value().startswith(("redis://", "rediss://")):
        raise ValueError("must be like redis://host:6379/0")
    return value


def secret_keys(value: SecretStr) -> SecretStr:
    """Keys that sign links, with commas between them."""
    if any(len(key) < 16 for key in split_keys(value)):
        raise ValueError("must have at least 16 characters in each key, with commas between the keys")
    return value


def split_keys(value: SecretStr) -> list[str]:
    """The keys in the text."""
    return [key for key in map(str.strip, value.get_secret_value().split(",")) if key]


def operator_tokens(value: SecretStr) -> SecretStr:
    """Names of operators, each with a token."""
    pairs = named_tokens(value)
    are_usable = all(name.isprintable() and 0 < len(name) <= 40 and len(token) >= 24 for name, token in pairs)
    if not are_usable:
        raise ValueError("must be like minji:TOKEN, jun:TOKEN with tokens of at least 24 characters")
    names, tokens = [name for name, _ in pairs], [token for _, token in pairs]
    if len({*names, SHARED_OPERATOR}) <= len(names) or len(set(tokens)) < len(tokens):
        raise ValueError(f"must have another name and token for everyone, and nobody named {SHARED_OPERATOR}")
    return value


def named_tokens(value: SecretStr) -> list[tuple[str, str]]:
    """The names with their tokens, as they are in the text."""
    parts = (part.partition(":") for part in value.get_secret_value().split(",") if part.strip())
    return [(name.strip(), token.strip()) for name, _, token in parts]


def secret_web_address(value: SecretStr) -> SecretStr:
    """A web address that is a secret itself."""
    web_address(value.get_secret_value())
    return value


def inbox_url(value: SecretStr) -> SecretStr:
    """The address of an inbox that bounces come to."""
    if not value.get_secret_value().startswith(("imaps://", "imap://", "maildir:///")):
        raise ValueError("must be like imaps://user:pass@host/INBOX or maildir:///var/mail/paperboy")
    return value
