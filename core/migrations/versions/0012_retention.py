"""Counts of deliveries by edition and by month, which stay when old rows are pruned, and indexes for questions about many rows."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add empty tables, which upkeep fills, and let the index of editions also find the mail of one subscriber."""
    op.create_table(
        "counted_until",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("delivery_id", sa.Integer(), nullable=False),
    )
    op.create_table(
        "edition_counts",
        sa.Column("edition_id", sa.Integer(), sa.ForeignKey("editions.id"), primary_key=True),
        sa.Column("slot", sa.String(), primary_key=True),
        sa.Column("state", sa.String(), primary_key=True),
        sa.Column("count", sa.Integer(), nullable=False),
    )
    op.create_index("ix_edition_counts_slot", "edition_counts", ["slot"])
    op.create_table(
        "monthly_counts",
        sa.Column("month", sa.Date(), primary_key=True),
        sa.Column("subject", sa.String(), primary_key=True),
        sa.Column("kind", sa.String(), primary_key=True),
        sa.Column("language", sa.String(), primary_key=True),
        sa.Column("frequency", sa.String(), primary_key=True),
        sa.Column("state", sa.String(), primary_key=True),
        sa.Column("count", sa.BigInteger(), nullable=False),
    )
    op.add_column("papers", sa.Column("pruned_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_index("deliveries_by_edition", "deliveries")
    op.create_index("deliveries_by_edition", "deliveries", ["edition_id", "subscriber_id"])
    op.create_index("ix_editions_created_at", "editions", ["created_at"])
    op.create_index("runs_by_kind", "runs", ["kind", "id"])
    op.create_index("runs_by_slot", "runs", ["slot"])


def downgrade() -> None:
    """Forget the counts."""
    op.drop_index("runs_by_slot", "runs")
    op.drop_index("runs_by_kind", "runs")
    op.drop_index("ix_editions_created_at", "editions")
    op.drop_index("deliveries_by_edition", "deliveries")
    op.create_index("deliveries_by_edition", "deliveries", ["edition_id"])
    op.drop_column("papers", "pruned_at")
    op.drop_table("monthly_counts")
    op.drop_table("edition_counts")
    op.drop_table("counted_until")
