"""`paperboy subscribers import`, `export` and `forget`, as an operator runs them."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from core.frequencies import Frequency
from core.languages import Language
from core.schema import open_database
from core.secret_keys import secret_key
from core.settings import load_settings
from subscribers import transfer
from subscribers.accounts import confirm, find, sign_up
from subscribers.erasure import is_forgotten
from subscribers.transfer import ImportReport, RejectedRow
from tests.cli.runner import Paperboy, json_of

CSV_FILE = (
    "email;language;frequency\nminji@example.com;ko;weekly\nnobody;ko;weekly\njihoon@example.com;en;daily\n"
)
ADD_MINJI = ("add", "Minji@example.com", "--language", "ko", "--frequency", "weekly")


@pytest.fixture
def subscribers(database_url: str, run_command: Paperboy, monkeypatch: pytest.MonkeyPatch) -> Paperboy:
    """Runs `paperboy subscribers …` with a database of each kind, in a folder with a file of subscribers."""
    monkeypatch.setenv("PAPERBOY_DATABASE_URL", database_url)
    Path("subscribers.csv").write_text(CSV_FILE, encoding="utf-8")
    return partial(run_command, "subscribers")


def test_an_import_reports_what_became_of_the_rows_and_can_be_repeated(subscribers: Paperboy) -> None:
    rejected = (
        "line 3: 'nobody' is not an address that can be mailed: An email address must have an @-sign.\n"
    )
    assert subscribers("import", "subscribers.csv") == (
        0,
        rejected + "2 added, 0 known already, 1 refused\n",
        "",
    )
    assert subscribers("import", "subscribers.csv") == (
        0,
        rejected + "0 added, 2 known already, 1 refused\n",
        "",
    )


def test_a_file_of_another_program_is_imported_with_defaults_and_a_column_map(subscribers: Paperboy) -> None:
    Path("members.csv").write_text(
        "Name,E-mail address,Lang\nMinji,minji@example.com,\nJihoon,jihoon@example.com,en\n", encoding="utf-8"
    )
    names = ("--map", "E-mail address=email", "--map", "lang=language")
    defaults = ("--language", "ko", "--frequency", "weekly", "--detail", "brief")
    assert subscribers("import", "members.csv", *names, *defaults)[:2] == (
        0,
        "2 added, 0 known already, 0 refused\n",
    )
    listed = json_of(subscribers("list", "--json"))
    assert [(row["name"], row["language"], row["frequency"], row["detail"]) for row in listed] == [
        ("Minji", "ko", "weekly", "brief"),
        ("Jihoon", "en", "weekly", "brief"),
    ]


def test_an_unclosed_quotation_mark_refuses_its_row_and_imports_the_others(subscribers: Paperboy) -> None:
    Path("quoted.csv").write_text(
        'email,name\na@example.com,"Kim\nb@example.com,"Lee, J."\nc@example.com,Park\n', encoding="utf-8"
    )
    assert subscribers("import", "quoted.csv", "--language", "ko", "--frequency", "weekly")[:2] == (
        0,
        "line 2: a quotation mark is not closed\n2 added, 0 known already, 1 refused\n",
    )


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--map", "Email"), 2, "'Email' is not a pair THEIRS=OURS"),
        (("--map", "Mail=address"), 2, "'Mail=address' is not a pair"),
        (("--language", "fr"), 2, "'fr' is not one of"),
        (("--map", "Mail=email"), 1, "the first line names no column mail, but email, language, frequency"),
    ],
)
def test_options_of_an_import_that_fit_nothing_are_refused(
    subscribers: Paperboy, options: tuple[str, ...], code: int, message: str
) -> None:
    found, out, err = subscribers("import", "subscribers.csv", *options)
    assert (found, out) == (code, "")
    assert message in " ".join(err.replace("│", " ").split())


def test_an_import_can_report_as_json(subscribers: Paperboy) -> None:
    report = json_of(subscribers("import", "subscribers.csv", "--json", "--now", "2025-08-04"))
    assert (report["added"], report["known"]) == (2, 0)
    assert [row["line"] for row in report["refused"]] == [3]


def test_imports_without_rejected_rows_or_of_an_invalid_file_also_report_as_json(
    subscribers: Paperboy,
) -> None:
    Path("good.csv").write_text("email,language,frequency\nminji@example.com,ko,weekly\n", encoding="utf-8")
    assert json_of(subscribers("import", "good.csv", "--json")) == {"refused": [], "added": 1, "known": 0}
    Path("bad.csv").write_text("nothing", encoding="utf-8")
    assert subscribers("import", "bad.csv", "--json")[:2] == (1, "")


def test_rejected_rows_are_written_as_json_while_the_import_runs(
    subscribers: Paperboy, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    parts: list[str] = []

    def import_step_by_step(
        *_: object, on_rejected: Callable[[RejectedRow], None], **_options: object
    ) -> ImportReport:
        for line in (2, 5, 9):
            on_rejected(RejectedRow(line, 'no "address"'))
            parts.append(capsysbinary.readouterr().out.decode())
        return ImportReport(added=1, known=2, refused=3)

    monkeypatch.setattr(transfer, "import_subscribers", import_step_by_step)
    rest = subscribers("import", "subscribers.csv", "--json")[1]
    assert all(f'"line": {line}' in part for line, part in zip((2, 5, 9), parts, strict=True))
    assert json.loads("".join([*parts, rest])) == {
        "refused": [{"line": line, "reason": 'no "address"'} for line in (2, 5, 9)],
        "added": 1,
        "known": 2,
    }


def test_an_exported_file_can_be_imported(subscribers: Paperboy) -> None:
    subscribers("import", "subscribers.csv")
    code, out, err = subscribers("export")
    assert (code, err) == (0, "")
    assert [line.split(",")[:4] for line in out.split("\r\n") if line] == [
        ["email", "language", "frequency", "detail"],
        ["minji@example.com", "ko", "weekly", "full"],
        ["jihoon@example.com", "en", "daily", "full"],
    ]
    assert subscribers("export", "out.csv") == (0, "2 subscribers in out.csv\n", "")
    assert Path("out.csv").read_bytes() == b"\xef\xbb\xbf" + out.encode()
    assert subscribers("import", "out.csv")[1] == "0 added, 2 known already, 0 refused\n"


def test_unconfirmed_subscribers_are_exported_only_with_the_option_all(subscribers: Paperboy) -> None:
    assert subscribers(*ADD_MINJI)[0] == 0
    assert subscribers("export")[1].count("example.com") == 0
    assert subscribers("export", "--all")[1].count("example.com") == 1


def test_an_operator_cannot_bring_a_forgotten_subscriber_back(subscribers: Paperboy) -> None:
    subscribers("import", "subscribers.csv")
    code, out, _ = subscribers("forget", "MINJI@example.com")
    assert (code, out) == (
        0,
        "Erased minji@example.com (events: 1, mails: 0). "
        "A keyed hash of the address stays, so that no import brings it back.\n",
    )
    assert subscribers("export")[1].count("minji") == 0
    assert "line 2: its owner asked to be forgotten" in subscribers("import", "subscribers.csv")[1]
    code, out, err = subscribers(*ADD_MINJI, "--confirmed")
    assert (code, out) == (1, "")
    assert err == (
        "paperboy: Minji@example.com asked to be forgotten: only its owner can sign up again, "
        "at http://127.0.0.1:8000"
    )
    assert subscribers("export", "--all")[1].count("minji") == 0


def test_forget_can_report_as_json_what_it_erased(subscribers: Paperboy) -> None:
    subscribers("import", "subscribers.csv")
    assert json_of(subscribers("forget", "minji@example.com", "--json")) == {
        "email": "minji@example.com",
        "events": 1,
        "mails": 0,
    }


def test_a_forgotten_subscriber_who_signed_up_again_is_like_any_other(subscribers: Paperboy) -> None:
    subscribers("import", "subscribers.csv")
    subscribers("forget", "minji@example.com")
    settings = load_settings()
    database = open_database(settings.database_url)
    with database.sessions.begin() as session:
        assert is_forgotten(session, "minji@example.com", secret_key(settings))
        now = settings.local(find(session, "jihoon@example.com").created_at)  # type: ignore[union-attr]
        confirm(
            session,
            sign_up(session, "minji@example.com", language=Language.KO, frequency=Frequency.WEEKLY, now=now),
            now,
        )
    database.engine.dispose()
    assert subscribers(*ADD_MINJI)[:2] == (0, "minji@example.com: ko, weekly, full, active\n")
    assert subscribers("import", "subscribers.csv")[1].endswith("0 added, 2 known already, 1 refused\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("import", "missing.csv"),
        ("import", "."),
        ("import", "headless.csv"),
        ("import", "latin.csv"),
        ("export", "missing/out.csv"),
        ("export", "."),
        ("forget", "minji@example.com"),
        ("forget", "nobody"),
    ],
)
def test_an_impossible_command_is_one_line_and_changes_nothing(
    subscribers: Paperboy, arguments: tuple[str, ...]
) -> None:
    Path("headless.csv").write_text("minji@example.com,ko,weekly\n", encoding="utf-8")
    Path("latin.csv").write_bytes(CSV_FILE.encode() + "josé@example.com;en;weekly\n".encode("latin-1"))
    before = sorted(Path().glob("**/*.csv"))
    code, out, err = subscribers(*arguments)
    assert (code, out) == (1, "")
    assert err.startswith("paperboy: ")
    assert len(err.splitlines()) == 1
    assert arguments[1] in err
    assert sorted(Path().glob("**/*.csv")) == before
    assert subscribers("export", "--all")[1].count("example.com") == 0


def test_an_added_subscriber_gets_the_detail_that_was_named(subscribers: Paperboy) -> None:
    assert subscribers(*ADD_MINJI, "--detail", "brief", "--confirmed")[:2] == (
        0,
        "Minji@example.com: ko, weekly, brief, active\n",
    )
    (minji,) = json_of(subscribers("list", "--json"))
    assert minji["detail"] == "brief"
