"""`paperboy move-database`, `paperboy backup` and `paperboy vacuum`: the database as a whole."""

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from paperboy.cli.installation import open_installation
from paperboy.cli.options import Json, Now, now_or, parse_now, print_table, show

MODELS = (
    "core.audit_log",
    "core.operator_sessions",
    "core.rate_storage",
    "core.run_log",
    "delivery.models",
    "issues.models",
    "subscribers.models",
)


def move_database(
    target: Annotated[
        str, typer.Argument(metavar="URL", help="An empty database: postgresql://user:pass@host/name.")
    ],
    as_json: Json = False,
) -> None:
    """Move everything from SQLite to PostgreSQL. Stop the worker and the pages before. Links in mails keep working.

    The SQLite file stays as it is. Without a password in the URL, ~/.pgpass is used.
    """
    from core.database import Base, open_engine
    from core.moving import move
    from core.settings import database_address

    for module in MODELS:
        import_module(module)  # which adds its tables to Base.metadata
    settings, database = open_installation()
    counts = move(database.engine, open_engine(database_address(target)), Base.metadata)
    key = "PAPERBOY_SECRET_KEY" if settings.secret_key else f"{settings.data_dir}/secret_key"

    def print_lines() -> None:
        print_table("Moved", ["table", "rows"], [[name, str(count)] for name, count in counts.items()])
        typer.echo(
            f"Next: set PAPERBOY_DATABASE_URL to the new database in .env, keep {key}, which signs the links, run "
            "`paperboy doctor`, and start the worker and the pages. Nothing may use the SQLite file any more."
        )

    show({"moved": counts}, as_json, print_lines)


def backup(
    to: Annotated[
        Path,
        typer.Argument(
            metavar="TO",
            help="A file, or a folder for a file named by the time. A name without a suffix is a folder.",
        ),
    ],
    now: Now = None,
    as_json: Json = False,
) -> None:
    """Write a consistent copy of the database while everything runs. PostgreSQL needs pg_dump.

    Keep .env and the secret key with it: they are not in the database.
    """
    from core.backup import back_up
    from core.database import open_engine
    from core.settings import load_settings

    settings = load_settings()  # a database that is not migrated yet can be backed up, too
    path = back_up(open_engine(settings.database_url), to, settings.local(now_or(parse_now(now))))
    show({"file": str(path), "bytes": path.stat().st_size}, as_json, lambda: typer.echo(path))


def vacuum(as_json: Json = False) -> None:
    """Write the database anew without free space. Stop the worker and the pages before. A large one takes minutes.

    An SQLite file of an older version needs this once. After that upkeep gives space back by itself.
    """
    from core.disk_space import database_size
    from core.disk_space import vacuum as write_anew

    _, database = open_installation()
    with database.sessions() as session:
        before = database_size(session).total
    write_anew(database.engine)
    with database.sessions() as session:
        after = database_size(session).total
    value = {"bytes_before": before, "bytes": after}
    show(
        value, as_json, lambda: typer.echo(f"The database took {before:,} bytes, and now it takes {after:,}.")
    )
