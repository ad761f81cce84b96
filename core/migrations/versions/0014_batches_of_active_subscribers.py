"""A digest is planned for active subscribers batch by batch, in the order of their ids. The index of statuses has that order.

Without it, and without fresh statistics, PostgreSQL read all active subscribers for each batch.
"""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Let the index of statuses find the ids in order."""
    op.create_index("subscribers_by_status", "subscribers", ["status", "id"])
    op.drop_index("ix_subscribers_status", "subscribers")


def downgrade() -> None:
    """Bring back the index of statuses alone."""
    op.create_index("ix_subscribers_status", "subscribers", ["status"])
    op.drop_index("subscribers_by_status", "subscribers")
