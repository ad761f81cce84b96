"""The migrations make what the models say, on both databases."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

import core.runs
import emails.models
import issues.models
import subscribers.models
from core.database import Base, Database

TABLES = (core.runs.Run, emails.models.Delivery, issues.models.Paper, subscribers.models.Subscriber)


def test_a_migrated_database_has_the_tables_of_the_models(database: Database) -> None:
    assert all(table.__tablename__ in Base.metadata.tables for table in TABLES)
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
