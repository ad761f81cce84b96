"""After somebody was forgotten, no file of the database and no mail of the embedded mailbox holds a trace of them."""

import stat
from datetime import timedelta
from pathlib import Path

from core.schema import open_database
from core.settings import Settings
from delivery.transport import mailbox
from delivery.transport.base import send_one
from mailings.account_mails import forget
from mailings.context import open_transport
from mailings.traces import erase_traces_of
from monitoring.probe_mail import probe_mail
from subscribers.accounts import change, find
from subscribers.suppression import suppress
from tests.support.factories import IDENTITY, NOW, add_issue, add_subscriber

ADDRESS, NAME = "minji.kim@example.com", "Minji the Reader"


def files_with(folder: Path, *words: str) -> list[str]:
    return sorted(
        f"{path.name}: {word}"
        for path in folder.rglob("*")
        if path.is_file()
        for word in words
        if word.encode() in path.read_bytes()
    )


def test_neither_the_database_nor_the_mailbox_holds_a_trace_of_somebody_who_was_forgotten(
    tmp_path: Path,
) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path}/paperboy.db", data_dir=tmp_path)
    database = open_database(settings.database_url)
    with database.sessions.begin() as session:
        add_issue(session)
        add_subscriber(session, ADDRESS, name=NAME)
        add_subscriber(session, "other@example.com")
    with database.sessions.begin() as session:
        subscriber = find(session, ADDRESS)
        assert subscriber
        change(session, subscriber, NOW + timedelta(days=1), name=f"{NAME} II")
        suppress(session, ADDRESS, "returned", NOW)
    with open_transport(settings) as transport:
        for address in (ADDRESS, "other@example.com"):
            send_one(transport, probe_mail(IDENTITY, address, NOW))
    assert files_with(tmp_path, ADDRESS, NAME)
    with database.sessions.begin() as session:
        subscriber = find(session, ADDRESS)
        assert subscriber
        forget(session, subscriber, IDENTITY, NOW)
    erase_traces_of(ADDRESS, settings, database)
    assert files_with(tmp_path, ADDRESS, NAME) == []
    assert [mail.to for mail in mailbox.read(settings.mailbox_dir)] == ["other@example.com"]


def test_files_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path}/paperboy.db", data_dir=tmp_path)
    database = open_database(settings.database_url)
    with database.sessions.begin() as session:
        add_subscriber(session, ADDRESS)
    with open_transport(settings) as transport:
        send_one(transport, probe_mail(IDENTITY, ADDRESS, NOW))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*") if path.is_file()}
    assert len(modes) >= 3
    assert set(modes.values()) == {0o600}, modes
