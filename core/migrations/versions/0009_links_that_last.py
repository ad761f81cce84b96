"""Handles of links sent before, so that unsubscribing works from any mail; what else the front page can ask for; sessions that ended."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the tables of past handles and ended sessions, and two columns to the requests of the front page."""
    op.create_table(
        "past_handles",
        sa.Column("handle", sa.String(), primary_key=True),
        sa.Column("subscriber_id", sa.Integer(), sa.ForeignKey("subscribers.id"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_past_handles_subscriber_id", "past_handles", ["subscriber_id"])
    op.create_table(
        "ended_sessions",
        sa.Column("session", sa.String(), primary_key=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.add_column(
        "signup_requests", sa.Column("purpose", sa.String(), nullable=False, server_default="sign up")
    )
    op.add_column("signup_requests", sa.Column("topic_id", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Forget the past handles, and whatever is asked for but a sign-up."""
    op.execute("DELETE FROM signup_requests WHERE purpose <> 'sign up'")
    op.drop_column("signup_requests", "topic_id")
    op.drop_column("signup_requests", "purpose")
    op.drop_table("ended_sessions")
    op.drop_table("past_handles")
