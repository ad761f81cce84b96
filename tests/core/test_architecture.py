"""The drawing of the packages in docs/architecture.md is the order that import-linter enforces."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def drawn_packages() -> list[str]:
    """The packages of the drawing from top to bottom. Their numbers count down to 1."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    layers = re.findall(r"(?m)^ ?(\d+)  ([a-z]+) +\S", text)
    assert [int(number) for number, _ in layers] == list(range(len(layers), 0, -1))
    return [package for _, package in layers]


def test_the_drawing_has_the_layers_that_the_import_contract_enforces() -> None:
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    contract = configuration["importlinter"]["contracts"][0]
    assert contract["type"] == "layers"
    assert drawn_packages() == contract["layers"]
    assert set(drawn_packages()) == set(configuration["importlinter"]["root_packages"])
    assert set(drawn_packages()) == set(configuration["hatch"]["build"]["targets"]["wheel"]["packages"])


def test_every_place_in_the_table_of_changes_exists() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = text.partition("## Where does a change go?")[2]
    paths = re.findall(r"`([a-z_]+(?:/[a-z_]+)*/?(?:[a-z_]+\.[a-z]+)?)`", table)
    paths = [path for path in paths if "/" in path and not path.startswith(("locale", "templates"))]
    assert len(paths) > 20
    assert [path for path in paths if not (ROOT / path).exists()] == []
