"""`paperboy preview`: files of one mail, and of every kind of mail with a page that shows them all."""

import re
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from selectolax.lexbor import LexborHTMLParser

from tests.cli.runner import Paperboy, json_of


def test_a_preview_is_an_html_file_a_text_file_and_a_mail(paperboy: Paperboy, tmp_path: Path) -> None:
    json_of(paperboy("ingest", "--json"))
    options = ("--language", "both", "--frequency", "weekly", "--out", "out")
    code, out, _ = paperboy("preview", "2025-03-24", *options)
    assert code == 0
    assert sorted(Path(line).suffix for line in out.split()) == [".eml", ".html", ".txt"]
    mail = message_from_bytes(
        (tmp_path / "out" / "2025-03-24-both-weekly.eml").read_bytes(), policy=policy.default
    )
    body = mail.get_body(("html",))
    assert body is not None
    page = (tmp_path / "out" / "2025-03-24-both-weekly.html").read_text(encoding="utf-8")
    assert body.get_content().splitlines() == page.splitlines()
    assert ".invalid" not in page, "every placeholder is filled in"
    code, out, _ = paperboy("preview", "2025-03-24", *options, "--detail", "brief")
    assert (code, {Path(line).stem for line in out.split()}) == (0, {"2025-03-24-both-weekly-brief"})


@pytest.mark.parametrize("issue", [(), ("2025-07-28",)])
def test_all_previews_are_files_of_every_kind_of_mail_and_a_page_that_shows_them(
    paperboy: Paperboy, tmp_path: Path, issue: tuple[str, ...]
) -> None:
    json_of(paperboy("ingest", "--json"))
    code, out, err = paperboy("preview", *issue, "--all", "--out", "out")
    assert (code, out, err) == (0, "out/index.html\n", "")
    folder = tmp_path / "out"
    names = {path.stem for path in folder.glob("*.eml")}
    mails = {re.sub(r"-day-\d$", "", name) for name in names}
    digests = ("weekly", "daily", "welcome-weekly", "welcome-daily", "copy")
    others = (
        "correction",
        "confirmation",
        "welcome",
        "preferences-link",
        "reminder",
        "move",
        "farewell",
        "notice",
    )
    assert mails == {
        f"{kind}-{language}{detail}"
        for kind in (*digests, *others)
        for language in ("ko", "en", "both")
        for detail in (("", "-brief") if kind in digests else ("",))
    } - {"notice-both"}
    assert len(list(folder.iterdir())) == 3 * len(names) + 1
    page = LexborHTMLParser((folder / "index.html").read_bytes())
    assert {node.attributes["id"] for node in page.css("section")} == names
    linked = {node.attributes[name] or "" for name in ("href", "src") for node in page.css(f"[{name}]")}
    files = {path.name for path in folder.iterdir()} - {"index.html"}
    assert {address for address in linked if not address.startswith("#")} == files
    assert page.body
    shown = page.body.text()
    for name in names:
        mail = message_from_bytes((folder / f"{name}.eml").read_bytes(), policy=policy.default)
        assert mail["Subject"] in shown
        for kind, suffix in (("html", ".html"), ("plain", ".txt")):
            body = mail.get_body((kind,))
            assert body is not None
            written = (folder / f"{name}{suffix}").read_text(encoding="utf-8")
            assert body.get_content().splitlines() == written.splitlines()
            assert ".invalid" not in written, "every placeholder is filled in"
    text = (folder / "weekly-en.txt").read_text(encoding="utf-8")
    assert ("/9140" if issue else "/9655") in text, "the issue is the newest one, or the one that was named"


def test_an_impossible_preview_ends_with_one_line(paperboy: Paperboy, tmp_path: Path) -> None:
    one_mail = ("--language", "ko", "--frequency", "weekly")
    for arguments in (("--all",), ("1999-01-04", "--all"), ("1999-01-04", *one_mail)):
        code, out, err = paperboy("preview", *arguments, "--out", "out")
        assert (code, out) == (1, "")
        assert re.fullmatch(r"paperboy: .+", err.strip())
    json_of(paperboy("ingest", "--json"))
    (tmp_path / "file").touch()
    for arguments in (("--all",), ("2025-07-28", *one_mail)):
        code, _, err = paperboy("preview", *arguments, "--out", "file")
        assert code == 1
        assert re.fullmatch(r"paperboy: .*file.*", err.strip())
