"""What the search of the archive reads: a folded text of each paper, and the forum's tags of each issue."""

import json
import unicodedata
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

PAPERS_PER_STATEMENT = 200


def upgrade() -> None:
    """Add both, and fill in the texts of the stored papers."""
    op.add_column("papers", sa.Column("search_text", sa.String(), nullable=False, server_default=""))
    op.add_column("issues", sa.Column("tags", sa.JSON(), nullable=False, server_default="[]"))
    connection = op.get_bind()
    papers = sa.table("papers", sa.column("id", sa.Integer), sa.column("content", sa.JSON))
    texts = sa.table("papers", sa.column("id", sa.Integer), sa.column("search_text", sa.String))
    rows = connection.execute(sa.select(papers.c.id, papers.c.content).order_by(papers.c.id))
    for batch in rows.partitions(PAPERS_PER_STATEMENT):
        for id_, content in batch:
            value = json.loads(content) if isinstance(content, str) else content
            folded = " ".join(unicodedata.normalize("NFKC", " ".join(_texts(value))).casefold().split())
            connection.execute(sa.update(texts).where(texts.c.id == id_).values(search_text=folded))


def _texts(value: Any) -> Iterator[str]:
    """The titles, gists, headings, texts and addresses in the JSON of a paper, in order."""
    if isinstance(value, list):
        for entry in value:
            yield from _texts(entry)
    elif isinstance(value, dict):
        for name, entry in value.items():
            if isinstance(entry, str) and name.startswith(("title", "gist", "heading", "text", "url")):
                yield entry
            elif not isinstance(entry, str):
                yield from _texts(entry)


def downgrade() -> None:
    """Forget both."""
    op.drop_column("issues", "tags")
    op.drop_column("papers", "search_text")
