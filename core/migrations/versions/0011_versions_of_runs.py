"""Each run tells which version of Paperboy it was, so that the doctor notices a worker that was not started anew."""

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
