"""The services leave the folder of the program read-only, so what they write has its place in the folder of the data."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DATA = "/opt/paperboy/var"


def test_prefect_writes_its_pages_into_the_data_where_the_program_is_read_only() -> None:
    unit = (ROOT / "docs" / "systemd" / "paperboy-prefect.service").read_text("utf-8")
    assert f"\nReadWritePaths={DATA}\n" in unit
    for text in (unit, (ROOT / "Containerfile").read_text("utf-8")):
        assert re.findall(r"PREFECT_SERVER_UI_STATIC_DIRECTORY=(\S+)", text) == [f"{DATA}/prefect-ui"]
