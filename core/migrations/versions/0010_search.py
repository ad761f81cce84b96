"""What lists and the search of the archive read: titles and a folded text of each paper, and the forum's tags of each issue."""

import json
import unicodedata
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

COLUMNS = ("title_ko", "title_en", "search_text")
PAPERS_PER_STATEMENT = 200


def upgrade() -> None:
    """Add them, and fill in those of the stored papers."""
    for name in COLUMNS:
        op.add_column("papers", sa.Column(name, sa.String(), nullable=False, server_default=""))
    op.add_column("issues", sa.Column("tags", sa.JSON(), nullable=False, server_default="[]"))
    connection = op.get_bind()
    if (
        connection.dialect.name == "postgresql"
    ):  # a text that is not compressed is searched several times as fast
        op.execute("ALTER TABLE papers ALTER COLUMN search_text SET STORAGE EXTERNAL")
    papers = sa.table("papers", sa.column("id", sa.Integer), sa.column("content", sa.JSON))
    texts = sa.table("papers", sa.column("id"), *(sa.column(name, sa.String) for name in COLUMNS))
    rows = connection.execute(sa.select(papers.c.id, papers.c.content).order_by(papers.c.id))
    for batch in rows.partitions(PAPERS_PER_STATEMENT):
        for id_, content in batch:
            value = json.loads(content) if isinstance(content, str) else content
            folded = " ".join(unicodedata.normalize("NFKC", " ".join(_texts(value))).casefold().split())
            titles = {name: value.get(name, "") for name in COLUMNS if name.startswith("title")}
            new = titles | {"search_text": folded}
            connection.execute(sa.update(texts).where(texts.c.id == id_).values(new))


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
    """Forget them."""
    op.drop_column("issues", "tags")
    for name in COLUMNS:
        op.drop_column("papers", name)
