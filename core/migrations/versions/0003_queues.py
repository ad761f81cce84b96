"""Many senders: a delivery waits in a queue until it is due, and is claimed for a while by one sender."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_WAITS = sa.text("due_at IS NOT NULL")


def upgrade() -> None:
    """Name queues and claims, and say of every delivery under way when it is due."""
    op.execute("ALTER TABLE deliveries RENAME COLUMN next_attempt_at TO due_at")
    op.add_column("deliveries", sa.Column("queue", sa.String(), nullable=False, server_default=""))
    op.add_column("deliveries", sa.Column("claim", sa.String(), nullable=False, server_default=""))
    op.execute(
        "UPDATE deliveries SET queue ="
        " CASE WHEN kind = 'letter' OR slot LIKE 'welcome:%' THEN 'prompt' ELSE slot END"
    )
    op.execute(
        "UPDATE deliveries SET due_at = CASE"
        " WHEN state IN ('planned', 'claimed', 'sending') THEN planned_at"
        " WHEN state = 'uncertain' AND repeats = 0 THEN planned_at"
        " WHEN state = 'deferred' THEN due_at END"
    )
    op.drop_index("deliveries_by_state", table_name="deliveries")
    op.create_index("deliveries_by_slot", "deliveries", ["slot"])
    for name, columns in (
        ("deliveries_due", ["queue", "due_at", "id"]),
        ("deliveries_under_way", ["subscriber_id"]),
    ):
        op.create_index(name, "deliveries", columns, sqlite_where=_WAITS, postgresql_where=_WAITS)
    op.create_table(
        "paces",
        sa.Column("domain", sa.String(), nullable=False),
        sa.Column("interval", sa.Double(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("domain"),
    )


def downgrade() -> None:
    """Go back to one sender at a time."""
    op.drop_table("paces")
    for name in ("deliveries_under_way", "deliveries_due", "deliveries_by_slot"):
        op.drop_index(name, table_name="deliveries")
    op.create_index("deliveries_by_state", "deliveries", ["state", "slot"])
    op.drop_column("deliveries", "claim")
    op.drop_column("deliveries", "queue")
    op.execute("ALTER TABLE deliveries RENAME COLUMN due_at TO next_attempt_at")
