"""The detail that subscribers choose, and the detail of each edition. So far everybody got full mails."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

TABLES = ("subscribers", "signup_requests", "editions")


def upgrade() -> None:
    """Whoever has chosen no detail gets full mails."""
    for table in TABLES:
        op.add_column(table, sa.Column("detail", sa.String(), nullable=False, server_default="full"))


def downgrade() -> None:
    """Forget the detail."""
    for table in TABLES:
        op.drop_column(table, "detail")
