"""Loads a database that version b83c152 left on a server, as `tests/kept/README.md` describes it."""

import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import create_engine, make_url

from emails.identity import MailIdentity

FOLDER = Path(__file__).parents[1] / "kept"
KEY = b"kept database: key of its links"
IDENTITY = MailIdentity("Paperboy <news@paperboy.example>", "https://paperboy.example", KEY)
END = datetime(2025, 8, 4, 9, 30, tzinfo=UTC)  # when the server was stopped
REVISION = "0004"


def load_kept_database(url: str) -> None:
    """Write the kept database into an empty one."""
    if make_url(url).get_backend_name() == "sqlite":
        connection = sqlite3.connect(str(make_url(url).database))
        connection.executescript((FOLDER / "b83c152.sqlite.sql").read_text(encoding="utf-8"))
        connection.close()
        return
    engine = create_engine(url)
    with engine.begin() as opened:
        script = (FOLDER / "b83c152.postgresql.sql").read_text(encoding="utf-8")
        opened.exec_driver_sql(script, execution_options={"no_parameters": True})
    engine.dispose()


def kept_links() -> dict[str, dict[str, str]]:
    """The tokens of links that version b83c152 has sent, by address and purpose."""
    links: dict[str, dict[str, str]] = json.loads((FOLDER / "links.json").read_text(encoding="utf-8"))
    return links
