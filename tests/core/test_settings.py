"""Settings that cannot be used are reported in one line each."""

from typing import Any

import pytest

from core.settings import Settings, SettingsError, load_settings


@pytest.mark.parametrize("address", ["http://counts.example", "memory://", "redis:", "soon"])
def test_a_limits_address_that_is_not_redis_is_reported_in_one_line(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("PAPERBOY_LIMITS_URL", address)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value).splitlines() == ["PAPERBOY_LIMITS_URL: must be like redis://host:6379/0"]


def test_every_default_is_a_valid_setting() -> None:
    """Defaults are not validated when settings are loaded, because that would load a slow library."""
    default = Settings(_env_file=None)  # type: ignore[call-arg]
    texts: dict[str, Any] = {
        name: value for name, value in default.model_dump().items() if isinstance(value, str) and value
    }
    assert Settings(_env_file=None, **texts) == default  # type: ignore[call-arg]
