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


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("NAME", "Paper\nboy", "must be one line of at most 60 characters"),
        ("NAME", "x" * 61, "must be one line of at most 60 characters"),
        ("FORUM_NAME", " \t ", "must be one line of at most 120 characters"),
        ("POSTAL_ADDRESS", "Seoul\r\nKorea", "must be one line of at most 200 characters"),
        ("CONTACT", "nobody", "must be an address like editors@example.org"),
        ("CONTACT", "Editors <editors@example.org>", "must be an address like editors@example.org"),
        ("REPLY_TO", "a@b@example.org", "must be an address like editors@example.org"),
        ("REPLY_TO", "편집부@example.org", "must be an address like editors@example.org"),
        ("SENDER", "news@", "must be an address like Paperboy <news@example.org>"),
    ],
)
def test_a_name_or_an_address_that_no_mail_can_bear_is_reported_in_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, line: str
) -> None:
    monkeypatch.setenv(f"PAPERBOY_{name}", value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value).splitlines() == [f"PAPERBOY_{name}: {line}"]
