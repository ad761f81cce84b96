"""The `paperboy` command as its users run it, on the sample forum and the embedded mailbox."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import create_engine

from delivery.transport import mailbox
from issues.parse.text import strip_emoji
from paperboy.cli.main import main
from paperboy.demo.sample.forum import Forum
from paperboy.demo.sample.truth import expected

SATURDAY = "2026-03-14T12:00+09:00"
Paperboy = Callable[..., tuple[int, str, str]]


@pytest.fixture
def forum() -> Iterator[Forum]:
    """The sample forum."""
    with Forum() as running:
        yield running


@pytest.fixture
def paperboy(
    forum: Forum,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Paperboy:
    """Runs the command in an empty folder; gives exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PAPERBOY_DATABASE_URL", database_url)
    monkeypatch.setenv("PAPERBOY_FEED_URL", forum.feed_url)
    monkeypatch.setenv("PAPERBOY_ALLOWED_HOSTS", "127.0.0.1")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["paperboy", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        code = ended.value.code
        if isinstance(code, str):  # what sys.exit prints for a message, as the interpreter would
            return 1, out, err + code
        return code or 0, out, err

    return run


def _json(result: tuple[int, str, str]) -> Any:
    code, out, err = result
    assert code == 0, err
    return json.loads(out)


def _plain(text: str) -> str:
    return strip_emoji(re.sub(r":[a-z0-9_+]+:", "", text))


def _six_readers(paperboy: Paperboy) -> None:
    for language in ("ko", "en", "both"):
        for frequency in ("weekly", "daily"):
            address = f"{language}-{frequency}@example.com"
            options = ("--language", language, "--frequency", frequency, "--confirmed", "--now", "2026-03-01")
            assert paperboy("subscribers", "add", address, *options)[0] == 0


def test_six_readers_get_their_mail_from_the_feed_to_the_inbox(paperboy: Paperboy, tmp_path: Path) -> None:
    ingested = _json(paperboy("ingest", "--json", "--now", "2026-03-14T10:00+09:00"))
    assert [entry["topic_id"] for entry in ingested["new"]] == [8427, 9140, 9655]
    assert [entry["topic_id"] for entry in ingested["ignored"]] == [8411]
    _six_readers(paperboy)
    for frequency in ("weekly", "daily"):
        report = _json(paperboy("digest", frequency, "--json", "--now", SATURDAY))
        assert (report["candidates"], report["sent"], report["skipped"]) == (3, 3, 0)
    mails = mailbox.read(tmp_path / "var" / "mailbox")
    assert sorted(mail.to for mail in mails) == sorted(
        f"{language}-{frequency}@example.com"
        for language in ("ko", "en", "both")
        for frequency in ("weekly", "daily")
    )
    again = _json(paperboy("digest", "weekly", "--json", "--now", SATURDAY))
    assert (again["sent"], again["skipped"]) == (0, 3), "a slot is sent once"


def test_an_issue_is_shown_as_its_post_says(paperboy: Paperboy) -> None:
    _json(paperboy("ingest", "--json"))
    for topic_id in (8427, 9140, 9655):
        shown, truth = (
            _json(paperboy("issues", "show", str(topic_id), "--json")),
            expected(topic_id, edited=False),
        )
        assert (shown["title"], shown["week_start"], shown["week_end"]) == (
            truth["title"],
            truth["week_start"],
            truth["week_end"],
        )
        assert [_plain(text) for text in shown["overview"]] == [_plain(text) for text in truth["overview_ko"]]
        assert len(shown["papers"]) == len(truth["papers"])
        for paper, true in zip(shown["papers"], truth["papers"], strict=True):
            assert (paper["title_ko"], paper["title_en"]) == (true["title_ko"], true["title_en"])
            assert (paper["url"], paper["links"]) == (true["paper_url"], true["more_urls"])
            assert [(b["type"], _plain(b["text"])) for b in paper["intro_ko"]] == [
                (b["type"], _plain(b["text"])) for b in true["intro_ko"]
            ]
            assert [_plain(b["text"]) for b in paper["abstract_en"]] == [
                _plain(text) for text in true["abstract_en"]
            ]


def test_an_edit_is_reported_paper_by_paper(paperboy: Paperboy, forum: Forum) -> None:
    _json(paperboy("ingest", "--json"))
    assert _json(paperboy("ingest", "--json"))["not_modified"] is True
    forum.state.edited = True
    (changed,) = _json(paperboy("ingest", "--json"))["changed"]
    assert changed["issue"] == "2025-07-28"
    assert (len(changed["added"]), len(changed["retitled"]), len(changed["corrected"])) == (1, 1, 1)
    assert changed["corrected"][0]["field"] == "intro_ko"
    assert changed["withdrawn"] == []


def test_a_topic_that_left_the_feed_can_be_fetched(paperboy: Paperboy, forum: Forum) -> None:
    report = _json(paperboy("ingest", "--topic", forum.topic_url(8427), "--json"))
    assert [entry["topic_id"] for entry in report["new"]] == [8427]


def test_a_dry_run_sends_nothing(paperboy: Paperboy, tmp_path: Path) -> None:
    _json(paperboy("ingest", "--json", "--now", "2026-03-14T10:00+09:00"))
    _six_readers(paperboy)
    report = _json(paperboy("digest", "weekly", "--dry-run", "--json", "--now", SATURDAY))
    assert (report["planned"], report["sent"]) == (3, 0)
    assert not (tmp_path / "var" / "mailbox" / "new").exists()
    assert _json(paperboy("status", "--json"))["deliveries"] == {}


def test_a_preview_is_a_page_a_text_and_a_mail(paperboy: Paperboy, tmp_path: Path) -> None:
    _json(paperboy("ingest", "--json"))
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
    assert ".invalid" not in page, "every personal part is filled in"


@pytest.mark.parametrize("issue", [(), ("2025-07-28",)])
def test_all_previews_are_files_of_every_kind_of_mail_and_a_page_that_shows_each(
    paperboy: Paperboy, tmp_path: Path, issue: tuple[str, ...]
) -> None:
    _json(paperboy("ingest", "--json"))
    code, out, err = paperboy("preview", *issue, "--all", "--out", "out")
    assert (code, out, err) == (0, "out/index.html\n", "")
    folder = tmp_path / "out"
    names = {path.stem for path in folder.glob("*.eml")}
    digests = {re.sub(r"-day-\d$", "", name) for name in names}
    kinds = ("weekly", "daily", "welcome-weekly", "welcome-daily", "copy", "correction")
    letters = ("confirmation", "welcome", "preferences-link", "reminder", "move", "farewell", "notice")
    assert digests == {
        f"{kind}-{language}" for kind in (*kinds, *letters) for language in ("ko", "en", "both")
    }
    assert len(list(folder.iterdir())) == 3 * len(names) + 1
    page = LexborHTMLParser((folder / "index.html").read_bytes())
    assert {node.attributes["id"] for node in page.css("section")} == names
    linked = {node.attributes[name] or "" for name in ("href", "src") for node in page.css(f"[{name}]")}
    files = {path.name for path in folder.iterdir()} - {"index.html"}
    assert {address for address in linked if not address.startswith("#")} == files
    shown = page.css_first("body").text()  # type: ignore[union-attr]
    for name in names:
        mail = message_from_bytes((folder / f"{name}.eml").read_bytes(), policy=policy.default)
        assert mail["Subject"] in shown
        for kind, suffix in (("html", ".html"), ("plain", ".txt")):
            body = mail.get_body((kind,))
            assert body is not None
            written = (folder / f"{name}{suffix}").read_text(encoding="utf-8")
            assert body.get_content().splitlines() == written.splitlines()
            assert ".invalid" not in written, "every personal part is filled in"
    in_the_mail = (folder / "weekly-en.txt").read_text(encoding="utf-8")
    assert ("/9140" if issue else "/9655") in in_the_mail, "the newest issue, or the one that was named"


def test_previews_of_issues_that_cannot_be_had_end_with_one_line(paperboy: Paperboy, tmp_path: Path) -> None:
    one = ("--language", "ko", "--frequency", "weekly")
    for arguments in (("--all",), ("1999-01-04", "--all"), ("1999-01-04", *one)):
        code, out, err = paperboy("preview", *arguments, "--out", "out")
        assert (code, out) == (1, "")
        assert re.fullmatch(r"paperboy: .+", err.strip())
    _json(paperboy("ingest", "--json"))
    (tmp_path / "file").touch()
    for arguments in (("--all",), ("2025-07-28", *one)):
        code, _, err = paperboy("preview", *arguments, "--out", "file")
        assert code == 1
        assert re.fullmatch(r"paperboy: .*file.*", err.strip())


def test_a_copy_goes_to_active_readers_only(paperboy: Paperboy) -> None:
    _json(paperboy("ingest", "--json", "--now", "2026-03-14T10:00+09:00"))
    _six_readers(paperboy)
    assert _json(paperboy("resend", "2026-03-02", "--to", "en-weekly@example.com", "--json"))["sent"] == 1
    code, _, err = paperboy("resend", "2026-03-02", "--to", "stranger@example.com")
    assert code == 1
    assert err.strip().splitlines() == [
        "paperboy: stranger@example.com is not subscribed: only active readers are mailed"
    ]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("issues", "show", "1999-01-04"), 1),
        (("issues", "show", "soon"), 2),
        (("digest", "hourly"), 2),
        (("digest", "weekly", "--now", "tomorrow"), 2),
        (("subscribers", "add", "x@example.com", "--language", "fr", "--frequency", "weekly"), 2),
        (("subscribers", "add", "nobody", "--language", "ko", "--frequency", "weekly"), 1),
        (("subscribers", "show", "x@example.com"), 1),
        (("issues", "release", "1999-01-04"), 1),
        (("ingest", "--feed", "http://192.168.0.1/feed.rss"), 1),
        (("no-such-command",), 2),
        (("preview", "--out", "out"), 2),
        (("preview", "2025-07-28", "--out", "out"), 2),
        (("preview", "2025-07-28", "--language", "ko", "--out", "out"), 2),
        (("preview", "2025-07-28", "--language", "fr", "--frequency", "weekly", "--out", "out"), 2),
        (("preview", "--all", "--language", "ko", "--out", "out"), 2),
        (("preview", "soon", "--all", "--out", "out"), 2),
        (("preview", "--all"), 2),
    ],
)
def test_what_cannot_be_done_ends_with_its_exit_code_and_no_traceback(
    paperboy: Paperboy, arguments: tuple[str, ...], code: int
) -> None:
    ended, _, err = paperboy(*arguments)
    assert ended == code
    assert err.strip()
    assert "Traceback" not in err


def test_each_wrong_setting_is_one_line_and_no_secret_is_shown(
    paperboy: Paperboy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAPERBOY_TIMEZONE", "Mars/Olympus")
    monkeypatch.setenv("PAPERBOY_SETTLE_MINUTES", "soon")
    monkeypatch.setenv("PAPERBOY_SECRET_KEY", "hunter2")
    code, _, err = paperboy("status")
    lines = err.strip().splitlines()
    assert code == 1
    assert len(lines) == 3
    assert {re.findall(r"PAPERBOY_[A-Z_]+", line)[0] for line in lines} == {
        "PAPERBOY_TIMEZONE",
        "PAPERBOY_SETTLE_MINUTES",
        "PAPERBOY_SECRET_KEY",
    }
    assert "hunter2" not in err


def test_an_unreachable_mail_server_leaves_every_delivery_planned(
    paperboy: Paperboy, monkeypatch: pytest.MonkeyPatch
) -> None:
    _json(paperboy("ingest", "--json", "--now", "2026-03-14T10:00+09:00"))
    _six_readers(paperboy)
    with monkeypatch.context() as broken:
        broken.setenv("PAPERBOY_SMTP_URL", "smtp://127.0.0.1:1")
        code, _, err = paperboy("digest", "weekly", "--now", SATURDAY)
    assert code == 1
    assert "3 deliveries stay planned" in err
    assert _json(paperboy("status", "--json"))["deliveries"] == {"planned": 3}
    assert _json(paperboy("digest", "weekly", "--json", "--now", SATURDAY))["sent"] == 3


def test_a_database_without_tables_asks_for_migrate(
    paperboy: Paperboy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "old.db"
    with create_engine(f"sqlite:///{path}").begin() as connection:
        connection.exec_driver_sql("CREATE TABLE something (id INTEGER)")
    monkeypatch.setenv("PAPERBOY_DATABASE_URL", f"sqlite:///{path}")
    code, _, err = paperboy("status")
    assert (code, "paperboy migrate" in err) == (1, True)
    assert paperboy("migrate")[0] == 0
    assert paperboy("status")[0] == 0


def test_a_copy_that_could_not_be_sent_is_sent_by_the_next_try_and_only_once(
    paperboy: Paperboy, monkeypatch: pytest.MonkeyPatch
) -> None:
    _json(paperboy("ingest", "--json", "--now", "2026-03-14T10:00+09:00"))
    _six_readers(paperboy)
    copy = ("resend", "2026-03-02", "--to", "ko-daily@example.com")
    with monkeypatch.context() as broken:
        broken.setenv("PAPERBOY_SMTP_URL", "smtp://127.0.0.1:1")
        assert paperboy(*copy)[0] == 1
    assert paperboy(*copy)[0] == 0
    assert _json(paperboy("status", "--json"))["deliveries"] == {"sent": 1}
