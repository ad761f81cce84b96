"""Checks the settings and the key that signs links: values that are invalid, unknown or readable by others."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.languages import TextLanguage
from core.settings import Settings, SettingsError, load_settings
from core.unknown_settings import read_env_file, unknown_settings
from delivery.transport.smtp.server import SmtpServer, SmtpUrlError, parse_smtp_urls
from emails.mime.dkim_signing import DkimKeyError, DkimSigner
from mailings.context import dkim_signer
from monitoring.findings import Finding, failed, ok, warning

NAME = "settings"
MIN_KEY_BYTES = 16
_CORRECT = "correct it; see the table of settings in README.md"


@dataclass(frozen=True)
class Configuration:
    """The settings and what they refer to, as far as it is valid. `findings` describe the rest."""

    settings: Settings | None
    servers: tuple[SmtpServer, ...]
    signer: DkimSigner | None
    findings: tuple[Finding, ...]


def check_settings() -> Configuration:
    """Load the settings in force, with a failed finding for each mistake."""
    try:
        settings = load_settings()
    except SettingsError as error:
        mistakes = [failed(NAME, line, _CORRECT) for line in str(error).splitlines()]
        return Configuration(None, (), None, (*mistakes, *_unknown_settings()))
    found: list[Finding] = []
    servers: tuple[SmtpServer, ...] = ()
    signer: DkimSigner | None = None
    try:
        servers = parse_smtp_urls(settings.smtp_url.get_secret_value()) if settings.smtp_url else ()
    except SmtpUrlError as error:
        found.append(failed(NAME, str(error), _CORRECT))
    try:
        signer = dkim_signer(settings)
    except DkimKeyError as error:
        found.append(failed(NAME, str(error), "name a key file that the user of Paperboy can read"))
    found += _unknown_settings()
    if not settings.operator:
        problem = "PAPERBOY_OPERATOR is empty, so nobody is told about problems"
        found.append(warning(NAME, problem, "set it to an address that somebody reads"))
    if not found:
        found.append(ok(NAME, "all are valid"))
    return Configuration(settings, servers, signer, tuple(found))


def _unknown_settings() -> Iterator[Finding]:
    for setting in unknown_settings():
        yield warning(NAME, str(setting), "check its spelling; see the table of settings in README.md")


def check_secret_key(settings: Settings) -> Iterator[Finding]:
    """Check that the key that signs links exists, is long enough, and is readable only by its owner."""
    name = "secret key"
    path = settings.data_dir / "secret_key"
    if settings.secret_key:
        yield ok(name, "PAPERBOY_SECRET_KEY is set")
    elif not path.exists():
        yield ok(name, f"{path} will be created when the first link is signed")
    else:
        yield _check_key_file(name, path)


def _check_key_file(name: str, path: Path) -> Finding:
    try:
        length, mode = len(path.read_bytes()), path.stat().st_mode & 0o777
    except OSError as error:
        problem = f"{path} cannot be read: {error.strerror}"
        return failed(name, problem, "give the user of Paperboy permission to read it")
    if length < MIN_KEY_BYTES:
        problem = f"{path} has only {length} bytes, but {MIN_KEY_BYTES} are needed"
        return failed(name, problem, "restore it from the backup")
    if mode & 0o077:
        return warning(name, f"other users can read {path} (mode {mode:o})", f"chmod 600 {path}")
    return ok(name, f"only the owner can read {path}")


def operator_language() -> TextLanguage:
    """The language of the operator, also where the settings cannot be used. What is no language gives English."""
    variables = {name.upper(): value for name, value in {**read_env_file(), **os.environ}.items()}
    value = variables.get("PAPERBOY_OPERATOR_LANGUAGE", "")
    return TextLanguage(value) if value in set(TextLanguage) else TextLanguage.EN
