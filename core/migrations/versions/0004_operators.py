"""What operators do and are told: resends, returned mails, alarms."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the record of resends, returned mails and alarms; a delivery may answer an earlier one."""
    op.add_column("deliveries", sa.Column("in_reply_to", sa.String(), nullable=False, server_default=""))
    op.create_index("deliveries_by_edition", "deliveries", ["edition_id"])
    op.create_table(
        "resends",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    op.create_table(
        "returned_mails",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("said", sa.String(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.Column("subscriber_id", sa.Integer(), nullable=True),
        sa.Column("delivery_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["subscriber_id"], ["subscribers.id"]),
        sa.ForeignKeyConstraint(["delivery_id"], ["deliveries.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    for column in ("received_at", "subscriber_id", "delivery_id"):
        op.create_index(f"ix_returned_mails_{column}", "returned_mails", [column])
    op.create_table(
        "alarms",
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("cause", "day"),
    )


def downgrade() -> None:
    """Forget what operators did and were told."""
    op.drop_table("alarms")
    op.drop_table("returned_mails")
    op.drop_table("resends")
    op.drop_index("deliveries_by_edition", table_name="deliveries")
    op.drop_column("deliveries", "in_reply_to")
