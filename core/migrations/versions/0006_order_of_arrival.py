"""The order of arrival apart from papers' numbers, authors and archived issues, and where each edition ends."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Papers arrive in the order of their numbers so far. An edition ends at its last paper; a letter has none."""
    op.add_column("papers", sa.Column("arrival_order", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("papers", sa.Column("archived", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("papers", sa.Column("restored_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE papers SET arrival_order = number")
    op.create_index("ix_papers_arrival_order", "papers", ["arrival_order"])
    op.add_column("editions", sa.Column("next_cursor", sa.Integer(), nullable=False, server_default="0"))
    _end_editions_at_their_last_paper()
    op.add_column("issues", sa.Column("closing", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("issues", sa.Column("author", sa.String(), nullable=False, server_default=""))
    op.add_column("issues", sa.Column("accepted_week", sa.Date(), nullable=True))
    op.add_column("issues", sa.Column("archived", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("issues", sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))


def _end_editions_at_their_last_paper() -> None:
    connection = op.get_bind()
    editions = sa.table("editions", sa.column("id"), sa.column("papers", sa.JSON()), sa.column("next_cursor"))
    for id_, papers in connection.execute(sa.select(editions.c.id, editions.c.papers)).all():
        numbers = json.loads(papers) if isinstance(papers, str) else papers
        if numbers:
            connection.execute(editions.update().where(editions.c.id == id_).values(next_cursor=numbers[-1]))


def downgrade() -> None:
    """Forget authors, archived issues and the order of arrival."""
    for column in ("deleted_at", "archived", "accepted_week", "author", "closing"):
        op.drop_column("issues", column)
    op.drop_column("editions", "next_cursor")
    op.drop_index("ix_papers_arrival_order", "papers")
    for column in ("restored_at", "archived", "arrival_order"):
        op.drop_column("papers", column)
