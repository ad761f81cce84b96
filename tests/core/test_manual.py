"""The manual can be built from its pages, and a dead link or anchor in one of them is an error."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEAD = {
    "a page": "nowhere.md",
    "an anchor of this page": "#nowhere",
    "an anchor of another page": "other.md#nowhere",
    "a Korean anchor": "other.md#없는-제목",
}


def build(source: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """Build as `make docs` does."""
    options = ["-c", str(ROOT / "docs"), "--fail-on-warning", "--keep-going", "--quiet"]
    command = [sys.executable, "-m", "sphinx", *options, str(source), str(out)]
    return subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603


def test_the_manual_is_built_without_a_dead_link_and_with_every_page(tmp_path: Path) -> None:
    done = build(ROOT, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    pages = [*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")]
    assert len(pages) > 20
    assert [
        page for page in pages if not (tmp_path / page.relative_to(ROOT)).with_suffix(".html").exists()
    ] == []
    assert "docs/README.html" in (tmp_path / "index.html").read_text("utf-8")


def test_a_dead_link_and_a_page_that_the_contents_do_not_list_are_errors(tmp_path: Path) -> None:
    folder = tmp_path / "source" / "docs"
    folder.mkdir(parents=True)
    links = "\n".join(f"[{what}]({target})" for what, target in DEAD.items())
    (folder / "README.md").write_text(f"# Contents\n\n## Start\n\n- [Other](other.md)\n\n{links}\n", "utf-8")
    (folder / "other.md").write_text("# Other\n\n## 제목\n\n[here](#제목)\n", "utf-8")
    (folder / "unlisted.md").write_text("# Unlisted\n", "utf-8")
    done = build(tmp_path / "source", tmp_path / "out")
    assert done.returncode != 0
    assert done.stderr.count("myst.xref_missing") == len(DEAD)
    assert "unlisted.md: WARNING: document isn't included in any toctree" in done.stderr
