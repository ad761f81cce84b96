"""What operators did by hand, and the notes that they add to digests."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

NOTES = ("note_ko", "note_en")


def upgrade() -> None:
    """Add the audit log, and two empty notes to each issue."""
    op.create_table(
        "operator_actions",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("operator", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False, server_default=""),
        sa.Column("detail", sa.JSON(), nullable=False),
    )
    op.create_index("ix_operator_actions_target", "operator_actions", ["target"])
    for note in NOTES:
        op.add_column("issues", sa.Column(note, sa.String(), nullable=False, server_default=""))


def downgrade() -> None:
    """Forget the audit log and the notes."""
    for note in NOTES:
        op.drop_column("issues", note)
    op.drop_table("operator_actions")
