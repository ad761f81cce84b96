"""The demo empties only a folder that a demo made."""

from pathlib import Path

import pytest

from paperboy.demo.run import make_empty


def test_a_folder_with_somebodys_data_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_bytes(b"of the links in all mails")
    (tmp_path / "prefect").mkdir()
    with pytest.raises(OSError, match="no demo made it"):
        make_empty(tmp_path)
    assert (tmp_path / "secret_key").exists()


def test_a_file_in_place_of_the_folder_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("mine", encoding="utf-8")
    with pytest.raises(OSError, match="no demo made it"):
        make_empty(tmp_path / "demo")


def test_a_new_an_empty_and_an_earlier_demos_folder_are_used(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "old" / "prefect").mkdir(parents=True)
    for name in ("new", "empty", "old"):
        make_empty(tmp_path / name)
        (tmp_path / name / "paperboy.db").touch()
        make_empty(tmp_path / name)
        assert not (tmp_path / name / "paperboy.db").exists()
