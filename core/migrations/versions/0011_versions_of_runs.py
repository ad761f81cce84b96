"""A run records the version of Paperboy, so that the doctor notices a worker that still runs an older one."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add it. Earlier runs do not tell."""
    op.add_column("runs", sa.Column("version", sa.String(), nullable=False, server_default=""))


def downgrade() -> None:
    """Forget it."""
    op.drop_column("runs", "version")
