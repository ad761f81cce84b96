"""The keys that sign links: the present one, which is made if there is none, and those from before."""

import os
import secrets
from contextlib import suppress

from core.setting_values import split_keys
from core.settings import Settings


def old_secret_keys(settings: Settings) -> tuple[bytes, ...]:
    """The keys that signed links before. They serve for unsubscribing only."""
    return tuple(map(str.encode, split_keys(settings.old_secret_keys))) if settings.old_secret_keys else ()


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
