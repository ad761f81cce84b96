"""Fill the pages of the reference, and name those that have changed."""

import typer

from bench.reference.pages import PAGES, filled

for page in PAGES:
    before = page.read_text("utf-8")
    after = filled(before)
    page.write_text(after, "utf-8")
    typer.echo(f"{'unchanged' if after == before else 'written'}: docs/reference/{page.name}")
