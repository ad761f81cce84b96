"""`paperboy subscribers import`, `export` and `forget`, as an operator runs them."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from paperboy.reports import subscribers as reports

from core.schema import open_database
from core.settings import load_settings, secret_key
from paperboy.cli.main import main
from subscribers.accounts import confirm, find, sign_up
from subscribers.erasure import is_forgotten
from subscribers.transfer import ImportReport, RejectedRow

Paperboy = Callable[..., tuple[int, str, str]]
FILE = (
    "email;language;frequency\nminji@example.com;ko;weekly\nnobody;ko;weekly\njihoon@example.com;en;daily\n"
)
ADD_MINJI = ("add", "Minji@example.com", "--language", "ko", "--frequency", "weekly")


@pytest.fixture
def paperboy(
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> Paperboy:
    """Runs `paperboy subscribers …` in a folder with a file of readers; gives exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PAPERBOY_DATABASE_URL", database_url)
    Path("readers.csv").write_text(FILE, encoding="utf-8")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["paperboy", "subscribers", *arguments])
        capsysbinary.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = (stream.decode() for stream in capsysbinary.readouterr())
        code = ended.value.code
        if isinstance(code, str):  # what sys.exit prints for a message, as the interpreter would
            return 1, out, err + code
        return code or 0, out, err

    return run


def test_an_import_tells_what_became_of_the_rows_and_a_repeat_does_no_harm(paperboy: Paperboy) -> None:
    refused = "line 3: 'nobody' is not an address that can be mailed: An email address must have an @-sign.\n"
    assert paperboy("import", "readers.csv") == (0, refused + "2 added, 0 known already, 1 refused\n", "")
    assert paperboy("import", "readers.csv") == (0, refused + "0 added, 2 known already, 1 refused\n", "")


def test_an_import_reports_as_json(paperboy: Paperboy) -> None:
    code, out, _ = paperboy("import", "readers.csv", "--json", "--now", "2025-08-04")
    report = json.loads(out)
    assert (code, report["added"], report["known"]) == (0, 2, 0)
    assert [refusal["line"] for refusal in report["refused"]] == [3]


def test_an_import_without_refusals_and_one_that_is_no_csv_are_told_as_json_too(paperboy: Paperboy) -> None:
    Path("good.csv").write_text("email,language,frequency\nminji@example.com,ko,weekly\n", encoding="utf-8")
    _, out, _ = paperboy("import", "good.csv", "--json")
    assert json.loads(out) == {"refused": [], "added": 1, "known": 0}
    Path("bad.csv").write_text("nothing", encoding="utf-8")
    assert paperboy("import", "bad.csv", "--json")[:2] == (1, "")


def test_refusals_are_written_as_json_while_the_import_runs(
    paperboy: Paperboy, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    parts: list[str] = []

    def import_slowly(_file: Path, _now: object, on_refusal: Callable[[RejectedRow], None]) -> ImportReport:
        for line in (2, 5, 9):
            on_refusal(RejectedRow(line, 'no "address"'))
            parts.append(capsysbinary.readouterr().out.decode())
        return ImportReport(added=1, known=2, refused=3)

    monkeypatch.setattr(reports, "import_subscribers", import_slowly)
    rest = paperboy("import", "readers.csv", "--json")[1]
    assert all(f'"line": {line}' in part for line, part in zip((2, 5, 9), parts, strict=True))
    assert json.loads("".join([*parts, rest])) == {
        "refused": [{"line": line, "reason": 'no "address"'} for line in (2, 5, 9)],
        "added": 1,
        "known": 2,
    }


def test_an_export_is_what_an_import_takes(paperboy: Paperboy) -> None:
    paperboy("import", "readers.csv")
    code, out, err = paperboy("export")
    assert (code, err) == (0, "")
    assert [line.split(",")[:3] for line in out.split("\r\n") if line] == [
        ["email", "language", "frequency"],
        ["minji@example.com", "ko", "weekly"],
        ["jihoon@example.com", "en", "daily"],
    ]
    assert paperboy("export", "out.csv") == (0, "2 subscribers in out.csv\n", "")
    assert Path("out.csv").read_bytes() == b"\xef\xbb\xbf" + out.encode()
    assert paperboy("import", "out.csv")[1] == "0 added, 2 known already, 0 refused\n"


def test_only_with_all_are_others_than_readers_exported(paperboy: Paperboy) -> None:
    assert paperboy(*ADD_MINJI)[0] == 0
    assert paperboy("export")[1].count("example.com") == 0
    assert paperboy("export", "--all")[1].count("example.com") == 1


def test_one_who_is_forgotten_does_not_come_back_by_an_operator_s_hand(paperboy: Paperboy) -> None:
    paperboy("import", "readers.csv")
    code, out, _ = paperboy("forget", "MINJI@example.com")
    assert (code, out) == (
        0,
        "Erased minji@example.com (events: 1, mails: 0). "
        "A keyed hash of the address stays, so that no import brings it back.\n",
    )
    assert paperboy("export")[1].count("minji") == 0
    assert "line 2: its owner asked to be forgotten" in paperboy("import", "readers.csv")[1]
    code, out, err = paperboy(*ADD_MINJI, "--confirmed")
    assert (code, out) == (1, "")
    assert err == (
        "paperboy: Minji@example.com asked to be forgotten: only its owner can sign up again, "
        "at http://127.0.0.1:8000"
    )
    assert paperboy("export", "--all")[1].count("minji") == 0


def test_what_forget_erased_is_reported_as_json(paperboy: Paperboy) -> None:
    paperboy("import", "readers.csv")
    assert json.loads(paperboy("forget", "minji@example.com", "--json")[1]) == {
        "email": "minji@example.com",
        "events": 1,
        "mails": 0,
    }


def test_one_who_signed_up_again_after_being_forgotten_is_a_reader_like_any_other(paperboy: Paperboy) -> None:
    paperboy("import", "readers.csv")
    paperboy("forget", "minji@example.com")
    settings = load_settings()
    database = open_database(settings.database_url)
    with database.sessions.begin() as session:
        assert is_forgotten(session, "minji@example.com", secret_key(settings))
        now = settings.local(find(session, "jihoon@example.com").created_at)  # type: ignore[union-attr]
        confirm(
            session, sign_up(session, "minji@example.com", language="ko", frequency="weekly", now=now), now
        )
    database.engine.dispose()
    assert paperboy(*ADD_MINJI)[:2] == (0, "minji@example.com: ko, weekly, active\n")
    assert paperboy("import", "readers.csv")[1].endswith("0 added, 2 known already, 1 refused\n")


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
def test_what_cannot_be_done_is_one_line_and_changes_nothing(
    paperboy: Paperboy, arguments: tuple[str, ...]
) -> None:
    Path("headless.csv").write_text("minji@example.com,ko,weekly\n", encoding="utf-8")
    Path("latin.csv").write_bytes(FILE.encode() + "josé@example.com;en;weekly\n".encode("latin-1"))
    before = sorted(Path().glob("**/*.csv"))
    code, out, err = paperboy(*arguments)
    assert (code, out) == (1, "")
    assert err.startswith("paperboy: ")
    assert len(err.splitlines()) == 1
    assert arguments[1] in err
    assert sorted(Path().glob("**/*.csv")) == before
    assert paperboy("export", "--all")[1].count("example.com") == 0
