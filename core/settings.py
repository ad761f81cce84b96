"""Settings from the environment, from `.env` and from files of secrets. Each mistake becomes one clear line."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

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

    database_url: Annotated[str, AfterValidator(values.database_url)] = Field(
        default="sqlite:///var/paperboy.db",
        description="The database: `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/NAME`.",
    )
    feed_url: Annotated[str, AfterValidator(values.web_address)] = Field(
        default="https://discuss.pytorch.kr/c/news/14.rss",
        description="The feed of the forum's category, in RSS.",
    )
    authors: Annotated[tuple[str, ...], NoDecode, BeforeValidator(values.split_list)] = Field(
        default=(),
        description="The forum user names of those whose posts become issues. Without any, those who have "
        "published an issue.",
    )
    smtp_url: SecretStr | None = Field(
        default=None,
        description="The mail server: `smtp://USER:PASSWORD@HOST:587?starttls=required` or `smtps://…`; "
        "`ca=FILE` trusts a private CA. Several have spaces between, each with `weight=N`. "
        "Without it, mails go into the embedded mailbox.",
    )
    dkim_key_file: Annotated[tuple[Path, ...], NoDecode, BeforeValidator(values.split_names)] = Field(
        default=(),
        description="Private keys in PEM with which Paperboy signs, RSA or Ed25519. Without any, the mail server "
        "signs.",
    )
    dkim_selector: Annotated[tuple[str, ...], NoDecode, BeforeValidator(values.split_names)] = Field(
        default=("paperboy",),
        description="One for each key: its public key is at `SELECTOR._domainkey.DOMAIN`.",
    )
    connections: int = Field(
        default=4, ge=1, le=100, description="The connections of each sender to the mail server."
    )
    mails_per_second: int = Field(
        default=0, ge=0, le=100_000, description="The most mails a second of each sender; 0 is no limit."
    )
    mails_per_hour: int = Field(
        default=0,
        ge=0,
        le=100_000_000,
        description="The most mails an hour of all senders together; 0 is no limit.",
    )
    warm_up_from: Annotated[date | None, BeforeValidator(values.iso_date)] = Field(
        default=None,
        description="The first day of a new domain's [warm-up](../sending.md#warming-up-a-domain), such as "
        "`2025-08-04`. Without it, there is none.",
    )
    warm_up_mails: int = Field(
        default=200,
        ge=1,
        le=1_000_000,
        description="The most mails to each large provider on the first day of a warm-up, of all senders "
        "together.",
    )
    sender: Annotated[str, AfterValidator(values.sender_address)] = Field(
        default="Paperboy <paperboy@paperboy.localhost>", description="The From address."
    )
    name: Annotated[str, values.one_line(60)] = Field(
        default="Paperboy", description="The newsletter's name in mails, on pages and in the feed."
    )
    forum_name: Annotated[str, values.one_line(120)] = Field(
        default="파이토치 한국 사용자 모임 / the PyTorch Korea user group",
        description="The forum's name in Korean and English; one name alone serves both.",
    )
    contact: Annotated[str, AfterValidator(values.plain_address)] = Field(
        default="", description="The address that readers can write to, shown in mails and on pages."
    )
    postal_address: Annotated[str, values.one_line(200)] = Field(
        default="", description="The sender's postal address in one line, which some laws require in mails."
    )
    processors: Annotated[tuple[str, ...], NoDecode, BeforeValidator(values.split_texts)] = Field(
        default=(),
        description="Who else processes addresses, for the privacy page: `Relay Ltd, Ireland: sends the "
        "mails`.",
    )
    reply_to: Annotated[str, AfterValidator(values.plain_address)] = Field(
        default="", description="Where replies to mails go. Without it, to the From address."
    )
    base_url: Annotated[str, AfterValidator(values.base_address)] = Field(
        default="http://127.0.0.1:8000",
        description="Where the links in mails lead: the address of the pages as visitors see it.",
    )
    secret_key: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="Signs the links. Without it, a key is made once, in `secret_key` of the data folder.",
    )
    old_secret_keys: Annotated[SecretStr, AfterValidator(values.secret_keys)] | None = Field(
        default=None, description="Keys from before. Links that they signed still unsubscribe."
    )
    timezone: Annotated[str, AfterValidator(values.timezone_name)] = Field(
        default="Asia/Seoul",
        description="The time zone of slots, of schedules (from the next `paperboy prefect-setup` on) and of "
        "`--now`.",
    )
    settle_minutes: int = Field(
        default=30,
        ge=0,
        le=10_080,
        description="The quiet period: how many minutes a post must be unchanged before it goes out.",
    )
    daily_papers: int = Field(
        default=2, ge=0, le=100, description="The fewest papers of a daily mail; 0 sends all at once."
    )
    retention_months: int = Field(
        default=13,
        ge=3,
        le=1_200,
        description="How many months deliveries, bounces and runs are kept. Their counts stay.",
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(values.split_list)] = Field(
        default=(), description="Hosts of the feed that may be on a private network."
    )
    uncertain: Literal["repeat", "hold"] = Field(
        default="repeat", description="Whether a mail is sent once more if nobody knows whether it arrived."
    )
    operator: Annotated[str, AfterValidator(values.plain_address)] = Field(
        default="", description="The address that gets the alarms. Without it, they are only in the log."
    )
    operator_language: TextLanguage = Field(
        default=TextLanguage.EN,
        description="The language of the operator's pages, notices and alarms, and of the doctor.",
    )
    operator_token: SecretStr | None = Field(
        default=None,
        min_length=24,
        description="One token for all operators, which opens the pages at `/operator`.",
    )
    operator_tokens: Annotated[SecretStr, AfterValidator(values.operator_tokens)] | None = Field(
        default=None,
        description="A token for each operator by name: `minji:TOKEN, jun:TOKEN`, of at least 24 characters "
        "each. Without any token there are no operator's pages.",
    )
    bounce_alarm: int = Field(
        default=5,
        ge=0,
        le=100,
        description="The percentage of a digest's mails that may bounce without an alarm.",
    )
    heartbeat_url: Annotated[SecretStr, AfterValidator(values.secret_web_address)] | None = Field(
        default=None, description="Where upkeep and digests send a [heartbeat](../watching.md#heartbeat)."
    )
    metrics_token: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="Opens `/metrics`. Without it, only this machine can read them.",
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="Lines for people, or one JSON object for each line."
    )
    sign_ups_per_network: Annotated[str, AfterValidator(values.rates)] = Field(
        default="10 per hour; 30 per day", description="The most sign-ups of an IPv4 /24 or an IPv6 /64."
    )
    sign_ups_per_domain: Annotated[str, AfterValidator(values.rates)] = Field(
        default="500 per hour", description="The most sign-ups of a mail domain."
    )
    sign_ups_in_all: Annotated[str, AfterValidator(values.rates)] = Field(
        default="1000 per hour", description="The most sign-ups of all together."
    )
    limits_url: Annotated[SecretStr, AfterValidator(values.redis_url)] | None = Field(
        default=None,
        description="Where sign-ups are counted: `redis://HOST:6379/0`. Without it, in the database.",
    )
    api_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(values.split_list)] = Field(
        default=(), description="Sites whose forms may call the [JSON interface](json-interface.md)."
    )
    inbox_url: Annotated[SecretStr, AfterValidator(values.inbox_url)] | None = Field(
        default=None,
        description="Where bounces come to: `imaps://USER:PASSWORD@HOST/INBOX`, `imap://…?starttls=required` "
        "or `maildir:///FOLDER`; `ca=FILE` trusts a private CA. Without it, bounces are not read.",
    )
    probe_to: Annotated[
        tuple[Annotated[str, AfterValidator(values.plain_address)], ...],
        NoDecode,
        BeforeValidator(values.split_list),
    ] = Field(
        default=(),
        description="Where [probes](../watching.md#probe) go; all must arrive in the inbox. Without it, to "
        "`bounces@DOMAIN`.",
    )
    probe_authserv_id: str = Field(
        default="", description="The server whose Authentication-Results count. Without it, nobody's do."
    )
    probe_seconds: int = Field(
        default=120, ge=1, le=3_600, description="The seconds within which a probe must arrive."
    )
    probe_weekly: bool = Field(default=False, description="Whether a probe goes before each weekly digest.")
    data_dir: Path = Field(
        default=Path("var"), description="The folder of the embedded mailbox, the secret key and the cards."
    )

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


def database_address(value: str) -> str:
    """The address of a database, as PAPERBOY_DATABASE_URL would have it.

    Raises:
        SettingsError: it is not one. The message does not repeat it, because it can hold a password.
    """
    try:
        return values.database_url(value)
    except ValueError as error:
        raise SettingsError(f"the address of the database {error}") from None
