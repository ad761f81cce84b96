"""The migrations create the tables of the models on both databases."""

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import select

import core.audit_log
import core.operator_sessions
import core.run_log
import delivery.models
import issues.models
import subscribers.models
from core.database import Base, Database, DatabaseError
from core.details import Detail
from core.schema import MIGRATIONS, ensure_current, migrate

TABLES = (
    core.run_log.RunRecord,
    delivery.models.Delivery,
    issues.models.Paper,
    subscribers.models.Subscriber,
)


def test_a_migrated_database_has_the_tables_of_the_models(database: Database) -> None:
    assert all(table.__tablename__ in Base.metadata.tables for table in TABLES)
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_an_older_database_is_refused_until_it_is_migrated_and_keeps_its_rows(database: Database) -> None:
    engine = database.engine
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.downgrade(config, "0003")
        connection.exec_driver_sql(
            "INSERT INTO subscribers"
            " (email, name, language, frequency, status, cursor, handle, created_at, new_email)"
            " VALUES ('minji@example.com', '', 'ko', 'weekly', 'active', 0, 'h', '2025-08-04 00:00:00', '')"
        )
    with pytest.raises(DatabaseError, match="run `paperboy migrate`"):
        ensure_current(engine)
    migrate(engine)
    ensure_current(engine)
    with database.sessions() as session:
        kept = session.scalars(select(subscribers.models.Subscriber)).one()
        assert (kept.email, kept.detail) == ("minji@example.com", Detail.FULL)


def test_the_database_of_a_newer_paperboy_is_refused(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    for open_tables in (ensure_current, migrate):
        with pytest.raises(DatabaseError, match=r"at version 9999, this Paperboy knows .*: update"):
            open_tables(database.engine)
