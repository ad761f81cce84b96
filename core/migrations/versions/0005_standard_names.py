"""Standard names for tables and columns, and a kind for every edition."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

TABLES = {
    "applications": "signup_requests",
    "attempts": "rate_limit_counts",
    "forgotten": "forgotten_addresses",
    "paces": "domain_pauses",
    "returned_mails": "bounce_mails",
    "alarms": "sent_alarms",
}
COLUMNS = (  # table (by its new name), old column, new column
    ("editions", "after", "after_cursor"),
    ("deliveries", "claim", "claimed_by"),
    ("forgotten_addresses", "digest", "address_hash"),
    ("bounce_mails", "digest", "content_hash"),
    ("bounce_mails", "said", "reason"),
    ("sent_alarms", "told_at", "sent_at"),
)
BOUNCE_INDEXES = ("received_at", "subscriber_id", "delivery_id")


def upgrade() -> None:
    """Rename tables, columns and indexes, and work out the kind of each stored edition."""
    for column in BOUNCE_INDEXES:
        op.drop_index(f"ix_returned_mails_{column}", table_name="returned_mails")
    for old, new in TABLES.items():
        op.rename_table(old, new)
    for table, old, new in COLUMNS:
        op.execute(f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}")
    for column in BOUNCE_INDEXES:
        op.create_index(f"ix_bounce_mails_{column}", "bounce_mails", [column])
    op.add_column("editions", sa.Column("kind", sa.String(), nullable=False, server_default="digest"))
    # A letter had its kind as its slot and no frequency. What an operator resends as a correction replies to a mail.
    op.execute("UPDATE editions SET kind = slot, frequency = 'weekly' WHERE frequency = ''")
    op.execute("UPDATE editions SET kind = 'welcome_digest' WHERE kind = 'digest' AND slot = 'welcome'")
    op.execute("UPDATE editions SET kind = 'copy' WHERE kind = 'digest' AND slot LIKE 'resend:%'")
    op.execute(
        "UPDATE editions SET kind = 'correction' WHERE kind = 'copy' AND EXISTS"
        " (SELECT 1 FROM deliveries WHERE edition_id = editions.id AND in_reply_to <> '')"
    )


def downgrade() -> None:
    """Go back to the old names; letters lose their frequency again."""
    op.execute(
        "UPDATE editions SET frequency = ''"
        " WHERE kind NOT IN ('digest', 'welcome_digest', 'copy', 'correction')"
    )
    op.drop_column("editions", "kind")
    for column in BOUNCE_INDEXES:
        op.drop_index(f"ix_bounce_mails_{column}", table_name="bounce_mails")
    for table, old, new in COLUMNS:
        op.execute(f"ALTER TABLE {table} RENAME COLUMN {new} TO {old}")
    for old, new in TABLES.items():
        op.rename_table(new, old)
    for column in BOUNCE_INDEXES:
        op.create_index(f"ix_returned_mails_{column}", "returned_mails", [column])
