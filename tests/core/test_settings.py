"""Settings that cannot be used are reported in one line each."""

import re
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values

from bounces.handler import RAW_RETENTION
from core.settings import Settings, SettingsError, load_settings
from core.unknown_settings import unknown_settings
from issues.paper_rows import MAX_ABSENCE
from mailings.context import rules_from


@pytest.mark.parametrize("address", ["http://counts.example", "memory://", "redis:", "soon"])
def test_a_limits_address_that_is_not_redis_is_reported_in_one_line(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("PAPERBOY_LIMITS_URL", address)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value).splitlines() == ["PAPERBOY_LIMITS_URL: must be like redis://host:6379/0"]


def test_a_retention_shorter_than_what_needs_old_mails_is_reported_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PAPERBOY_RETENTION_MONTHS", "2")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    message = "PAPERBOY_RETENTION_MONTHS: Input should be greater than or equal to 3"
    assert str(caught.value).splitlines() == [message]
    monkeypatch.setenv("PAPERBOY_RETENTION_MONTHS", "3")
    assert rules_from(load_settings()).retention > max(MAX_ABSENCE, RAW_RETENTION)


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
        ("OPERATOR", "Minji <minji@example.org>", "must be an address like editors@example.org"),
        ("REPLY_TO", "a@b@example.org", "must be an address like editors@example.org"),
        ("REPLY_TO", "편집부@example.org", "must be an address like editors@example.org"),
        ("SENDER", "news@", "must be an address like Paperboy <news@example.org>"),
        ("SENDER", "A <a@b.org>, B <c@d.org>", "must be an address like Paperboy <news@example.org>"),
    ],
)
def test_a_name_or_an_address_that_no_mail_can_bear_is_reported_in_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, line: str
) -> None:
    monkeypatch.setenv(f"PAPERBOY_{name}", value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value).splitlines() == [f"PAPERBOY_{name}: {line}"]


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("BASE_URL", "https://papers.example.org/?from=mail", "must be an address without ? and #"),
        ("BASE_URL", "https://papers.example.org#top", "must be an address without ? and #"),
        (
            "BASE_URL",
            "https://papers example.org",
            "must be an address in ASCII that begins with http:// or https://",
        ),
        ("DATABASE_URL", "sqlite:///", "must name a file: sqlite:///FILE"),
        ("DATABASE_URL", "sqlite:///:memory:", "must name a file: sqlite:///FILE"),
    ],
)
def test_an_address_that_pages_or_commands_cannot_use_is_reported_in_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, line: str
) -> None:
    monkeypatch.setenv(f"PAPERBOY_{name}", value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value).splitlines() == [f"PAPERBOY_{name}: {line}"]


PROJECT = Path(__file__).parents[2]


def test_every_setting_is_in_the_example() -> None:
    settings = {f"PAPERBOY_{name.upper()}" for name in Settings.model_fields}
    example = (PROJECT / "docs" / "example.env").read_text("utf-8")
    assert set(re.findall(r"^#?(PAPERBOY_[A-Z_]+)=", example, re.MULTILINE)) == settings


def test_the_readme_and_the_guides_name_no_setting_that_does_not_exist() -> None:
    settings = {f"PAPERBOY_{name.upper()}" for name in Settings.model_fields}
    pages = [PROJECT / "README.md", *(PROJECT / "docs").rglob("*.md")]
    named = {name for page in pages for name in re.findall(r"`(PAPERBOY_[A-Z_]+)\b", page.read_text("utf-8"))}
    assert len(named) > 30
    assert named - settings == set()


def test_the_example_of_settings_can_be_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    example = PROJECT / "docs" / "example.env"
    (tmp_path / ".env").write_bytes(example.read_bytes())
    shown = {name: value for name, value in dotenv_values(example).items() if name.startswith("PAPERBOY_")}
    assert load_settings().operator == shown["PAPERBOY_OPERATOR"]


def test_what_the_example_leaves_out_is_valid_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    example = (PROJECT / "docs" / "example.env").read_text("utf-8")
    (tmp_path / ".env").write_text(re.sub(r"^#(PAPERBOY_)", r"\1", example, flags=re.MULTILINE), "utf-8")
    assert load_settings().api_origins == ("https://forum.example.org",)


def test_secrets_come_from_files_unless_the_environment_has_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("core.settings.SECRETS", tmp_path)
    (tmp_path / "paperboy_secret_key").write_text("a key from a file, and no other\n")
    (tmp_path / "paperboy_metrics_token").write_text("a token from a file")
    monkeypatch.setenv("PAPERBOY_METRICS_TOKEN", "a token from the environment")
    settings = load_settings()
    assert settings.secret_key
    assert settings.metrics_token
    assert settings.secret_key.get_secret_value() == "a key from a file, and no other"
    assert settings.metrics_token.get_secret_value() == "a token from the environment"


def test_a_secret_that_is_no_text_is_reported_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("core.settings.SECRETS", tmp_path)
    (tmp_path / "paperboy_secret_key").write_bytes(b"\xff" * 20)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value) == f"a file in {tmp_path} cannot be read as UTF-8 text"


def test_a_file_of_secrets_with_a_misspelt_name_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("core.settings.SECRETS", tmp_path)
    (tmp_path / "paperboy_smpt_url").write_text("smtp://mail.example")
    (tmp_path / "postgres_password").write_text("of another program")
    assert [str(setting) for setting in unknown_settings()] == [
        "paperboy_smpt_url is not a setting and has no effect; is PAPERBOY_SMTP_URL meant?"
    ]
