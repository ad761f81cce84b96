"""Settings: what cannot be used, what has no effect, and the key that signs links."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from core.settings import Settings, SettingsError, load
from delivery.transport.pool import AddressError, parse_addresses
from delivery.transport.smtp.connection import SmtpAddress
from emails.mime.dkim_signing import Signer, SigningError, read_signer
from paperboy.doctor.findings import Finding, failed, ok, warning

NAME = "settings"
_GUIDE = "see the table of settings in README.md"


@dataclass(frozen=True)
class Equipment:
    """The settings and what they name, as far as it can be used; `findings` tell of the rest."""

    settings: Settings | None
    servers: tuple[SmtpAddress, ...]
    signer: Signer | None
    findings: tuple[Finding, ...]


def read() -> Equipment:
    """The settings in force, with a failed line for each mistake."""
    try:
        settings = load()
    except SettingsError as error:
        mistakes = [failed(NAME, line, f"correct it; {_GUIDE}") for line in str(error).splitlines()]
        return Equipment(None, (), None, (*mistakes, *_without_effect()))
    found: list[Finding] = []
    servers: tuple[SmtpAddress, ...] = ()
    signer: Signer | None = None
    try:
        servers = parse_addresses(settings.smtp_url.get_secret_value()) if settings.smtp_url else ()
    except AddressError as error:
        found.append(failed(NAME, str(error), f"correct it; {_GUIDE}"))
    try:
        if settings.dkim_key_file:
            signer = read_signer(settings.dkim_selector, settings.dkim_key_file)
    except SigningError as error:
        found.append(failed(NAME, str(error), "name a key file that the user of Paperboy can read"))
    found += _without_effect()
    if not settings.operator:
        said = "PAPERBOY_OPERATOR is empty: nobody is told of trouble"
        found.append(warning(NAME, said, "set it to an address that somebody reads"))
    if not found:
        found.append(ok(NAME, "all can be used"))
    return Equipment(settings, servers, signer, tuple(found))


def _without_effect() -> Iterator[Finding]:
    known = {f"PAPERBOY_{name.upper()}" for name in Settings.model_fields}
    for name in sorted({*os.environ, *in_file()}):
        if name.upper().startswith("PAPERBOY_") and name.upper() not in known:
            yield warning(NAME, f"{name} is no setting and has no effect", f"mistyped? {_GUIDE}")


def in_file() -> dict[str, str]:
    """What `.env` sets; nothing where it cannot be read, which is told as a mistake of the settings."""
    try:
        return {name: value or "" for name, value in dotenv_values(".env").items()}
    except (OSError, UnicodeDecodeError):
        return {}


def check_key(settings: Settings) -> Iterator[Finding]:
    """The key that signs links: there, long enough, and for nobody else to read."""
    name = "secret key"
    path = settings.data_dir / "secret_key"
    if settings.secret_key:
        yield ok(name, "PAPERBOY_SECRET_KEY is set")
    elif not path.exists():
        yield ok(name, f"{path} will be made when the first link is signed")
    else:
        yield _key_file(name, path)


def _key_file(name: str, path: Path) -> Finding:
    try:
        length, mode = len(path.read_bytes()), path.stat().st_mode & 0o777
    except OSError as error:
        return failed(name, f"{path} cannot be read: {error.strerror}", "let the user of Paperboy read it")
    if length < 16:
        return failed(name, f"{path} holds {length} bytes, not 16 or more", "bring it back from the backup")
    if mode & 0o077:
        return warning(name, f"others can read {path} (mode {mode:o})", f"chmod 600 {path}")
    return ok(name, f"in {path}, for its owner only")
