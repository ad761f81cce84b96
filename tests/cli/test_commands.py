"""The `paperboy` command as its users run it, on the sample forum and the embedded mailbox."""

import re
import tomllib
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from core.database import Database
from core.languages import TextLanguage
from delivery.transport import mailbox
from issues.parse.content import Section
from issues.parse.text import strip_emoji
from paperboy.demo.sample.forum import Forum
from paperboy.demo.sample.truth import expected
from tests.cli.runner import INGESTED_AT, Paperboy, add_six_subscribers, json_of
from tests.support.factories import add_issue, blocks, issue_of
from tests.support.factories import paper as ordinary_paper
from tests.support.servers.smtp import ScriptedServer

SATURDAY = "2026-03-14T12:00+09:00"


def _without_emoji(text: str) -> str:
    return strip_emoji(re.sub(r":[a-z0-9_+]+:", "", text))


def test_subscribers_of_each_language_and_frequency_get_their_mail_from_the_feed(
    paperboy: Paperboy, tmp_path: Path
) -> None:
    ingested = json_of(paperboy("ingest", "--json", "--now", INGESTED_AT))
    assert [entry["topic_id"] for entry in ingested["new"]] == [9655]
    assert [entry["topic_id"] for entry in ingested["archived"]] == [8427, 9140], (
        "of a first reading only the newest issue is news"
    )
    assert [entry["topic_id"] for entry in ingested["ignored"]] == [8411]
    add_six_subscribers(paperboy)
    for frequency in ("weekly", "daily"):
        report = json_of(paperboy("digest", frequency, "--json", "--now", SATURDAY))
        assert (report["candidates"], report["sent"], report["skipped"]) == (3, 3, 0)
    mails = mailbox.read(tmp_path / "var" / "mailbox")
    assert sorted(mail.to for mail in mails) == sorted(
        f"{language}-{frequency}@example.com"
        for language in ("ko", "en", "both")
        for frequency in ("weekly", "daily")
    )
    again = json_of(paperboy("digest", "weekly", "--json", "--now", SATURDAY))
    assert (again["sent"], again["skipped"]) == (0, 3), "a slot is sent only once"


def test_a_digest_reads_the_feed_first(paperboy: Paperboy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERBOY_SETTLE_MINUTES", "0")
    add_six_subscribers(paperboy)
    report = json_of(paperboy("digest", "weekly", "--json", "--now", INGESTED_AT))
    assert (report["sent"], report["feed"]) == (3, "")


def test_an_issue_is_shown_as_in_its_post(paperboy: Paperboy) -> None:
    json_of(paperboy("ingest", "--json"))
    for topic_id in (8427, 9140, 9655):
        shown = json_of(paperboy("issues", "show", str(topic_id), "--json"))
        truth = expected(topic_id, edited=False)
        assert (shown["title"], shown["week_start"], shown["week_end"]) == (
            truth["title"],
            truth["week_start"],
            truth["week_end"],
        )
        assert [_without_emoji(text) for text in shown["overview"]] == [
            _without_emoji(text) for text in truth["overview_ko"]
        ]
        assert len(shown["papers"]) == len(truth["papers"])
        for paper, true in zip(shown["papers"], truth["papers"], strict=True):
            assert (paper["title_ko"], paper["title_en"]) == (true["title_ko"], true["title_en"])
            assert all(paper[f"gist_{language}"] for language in TextLanguage)
            assert (paper["url"], paper["links"]) == (true["paper_url"], true["more_urls"])
            assert [(b["type"], _without_emoji(b["text"])) for b in paper["intro_ko"]] == [
                (b["type"], _without_emoji(b["text"])) for b in true["intro_ko"]
            ]
            assert [_without_emoji(b["text"]) for b in paper["abstract_en"]] == [
                _without_emoji(text) for text in true["abstract_en"]
            ]


def test_an_issue_as_text_has_the_gist_of_each_paper(paperboy: Paperboy) -> None:
    json_of(paperboy("ingest", "--json"))
    papers = json_of(paperboy("issues", "show", "8427", "--json"))["papers"]
    _, shown, _ = paperboy("issues", "show", "8427")
    lines = shown.splitlines()
    assert [line for line in lines if line.startswith(("     ko: ", "     en: "))] == [
        f"     {language}: {paper[f'gist_{language}']}" for paper in papers for language in TextLanguage
    ]


def test_an_issue_in_json_has_the_pictures_and_sections_of_its_papers(
    paperboy: Paperboy, database: Database
) -> None:
    json_of(paperboy("ingest", "--json"))
    shown = json_of(paperboy("issues", "show", "9655", "--json"))
    assert isinstance(shown["closing"], list)
    assert all(
        set(picture) == {"url", "width", "height"}
        for paper in shown["papers"]
        for picture in paper["pictures"]
    )
    assert any(paper["pictures"] for paper in shown["papers"])
    with database.sessions.begin() as session:
        section = Section("한계", "intro", ko=blocks("느립니다."), en=blocks("It is slow."))
        add_issue(session, issue_of([ordinary_paper(sections=(section,))]), topic_id=9700)
    (with_section,) = json_of(paperboy("issues", "show", "9700", "--json"))["papers"]
    (found,) = with_section["sections"]
    texts = {name: [block["text"] for block in found[name]] for name in ("ko", "en")}
    assert (found["heading"], found["after"]) == ("한계", "intro")
    assert texts == {"ko": ["느립니다."], "en": ["It is slow."]}


def test_an_edit_is_reported_paper_by_paper(paperboy: Paperboy, forum: Forum) -> None:
    json_of(paperboy("ingest", "--json"))
    assert json_of(paperboy("ingest", "--json"))["not_modified"] is True
    forum.state.edited = True
    (changed,) = json_of(paperboy("ingest", "--json"))["changed"]
    assert changed["issue"] == "2025-07-28"
    assert (len(changed["added"]), len(changed["retitled"]), len(changed["corrected"])) == (1, 1, 1)
    assert changed["corrected"][0]["field"] == "intro_ko"
    assert changed["withdrawn"] == []


def test_a_topic_that_is_no_longer_in_the_feed_can_be_fetched(paperboy: Paperboy, forum: Forum) -> None:
    report = json_of(paperboy("ingest", "--topic", forum.topic_url(8427), "--json"))
    assert [entry["topic_id"] for entry in report["new"]] == [8427]


def test_a_dry_run_sends_nothing(paperboy: Paperboy, tmp_path: Path) -> None:
    json_of(paperboy("ingest", "--json", "--now", INGESTED_AT))
    add_six_subscribers(paperboy)
    report = json_of(paperboy("digest", "weekly", "--dry-run", "--json", "--now", SATURDAY))
    assert (report["planned"], report["sent"]) == (3, 0)
    assert not (tmp_path / "var" / "mailbox" / "new").exists()
    assert json_of(paperboy("status", "--json"))["deliveries"] == {}


def test_a_copy_goes_only_to_active_subscribers(paperboy: Paperboy) -> None:
    json_of(paperboy("ingest", "--json", "--now", INGESTED_AT))
    add_six_subscribers(paperboy)
    assert json_of(paperboy("resend", "2026-03-02", "--to", "en-weekly@example.com", "--json"))["sent"] == 1
    code, _, err = paperboy("resend", "2026-03-02", "--to", "stranger@example.com")
    assert code == 1
    assert err.strip().splitlines() == [
        "paperboy: stranger@example.com is not subscribed: only active readers are mailed"
    ]


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
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
def test_an_impossible_command_ends_with_its_exit_code_and_without_traceback(
    paperboy: Paperboy, arguments: tuple[str, ...], exit_code: int
) -> None:
    code, _, err = paperboy(*arguments)
    assert code == exit_code
    assert err.strip()
    assert "Traceback" not in err


def test_each_wrong_setting_is_one_line_without_secrets(
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
    json_of(paperboy("ingest", "--json", "--now", INGESTED_AT))
    add_six_subscribers(paperboy)
    with monkeypatch.context() as outage:
        outage.setenv("PAPERBOY_SMTP_URL", "smtp://127.0.0.1:1")
        code, _, err = paperboy("digest", "weekly", "--now", SATURDAY)
    assert code == 1
    assert "3 deliveries stay planned" in err
    assert json_of(paperboy("status", "--json"))["deliveries"] == {"planned": 3}
    assert json_of(paperboy("digest", "weekly", "--json", "--now", SATURDAY))["sent"] == 3


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


def test_a_resend_of_which_a_copy_failed_ends_with_1(
    paperboy: Paperboy, monkeypatch: pytest.MonkeyPatch
) -> None:
    json_of(paperboy("ingest", "--json", "--now", INGESTED_AT))
    add_six_subscribers(paperboy)
    with ScriptedServer(on_rcpt="550 5.2.1 Mailbox disabled") as server:
        monkeypatch.setenv("PAPERBOY_SMTP_URL", f"smtp://127.0.0.1:{server.port}")
        code, out, err = paperboy("resend", "2026-03-02", "--to", "ko-daily@example.com")
    assert (code, "1 failed" in out) == (1, True)
    assert err.startswith("paperboy: copies that failed: 1; `paperboy show EMAIL` ")


def test_a_log_that_names_none_of_our_mails_is_an_error(paperboy: Paperboy) -> None:
    code, out, err = paperboy("reconcile", "-", stdin=b"Aug  4 08:00 mx postfix/qmgr: removed\n")
    assert (code, out) == (1, "found sent: 0, left to send: 0\n")
    assert "no line of the log names a mail of ours (lines: 1, looked for: \u2026@" in err


def test_every_command_names_an_unknown_setting_once_and_without_its_value(
    paperboy: Paperboy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAPERBOY_SMPT_URL", "smtp://user:hunter2@host")
    Path(".env").write_text("PAPERBOY_COLOUR=blue\n", encoding="utf-8")
    for command in (("status",), ("subscribers", "list"), ("migrate",)):
        code, _, err = paperboy(*command)
        assert (code, err.splitlines()) == (
            0,
            [
                "paperboy: PAPERBOY_COLOUR is not a setting and has no effect",
                "paperboy: PAPERBOY_SMPT_URL is not a setting and has no effect; is PAPERBOY_SMTP_URL meant?",
            ],
        )


def test_a_copy_that_could_not_be_sent_is_sent_once_by_the_next_attempt(
    paperboy: Paperboy, monkeypatch: pytest.MonkeyPatch
) -> None:
    json_of(paperboy("ingest", "--json", "--now", INGESTED_AT))
    add_six_subscribers(paperboy)
    copy = ("resend", "2026-03-02", "--to", "ko-daily@example.com")
    with monkeypatch.context() as outage:
        outage.setenv("PAPERBOY_SMTP_URL", "smtp://127.0.0.1:1")
        assert paperboy(*copy)[0] == 1
    assert paperboy(*copy)[0] == 0
    assert json_of(paperboy("status", "--json"))["deliveries"] == {"sent": 1}


def test_the_command_tells_the_version_of_the_project(paperboy: Paperboy) -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    assert paperboy("--version") == (0, f"paperboy {project['version']}\n", "")
