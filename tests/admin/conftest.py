"""Fixtures for the operator's pages: the running pages with an operator token, and the browser of the other pages."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.database import Database
from tests.admin.operator_client import OPERATOR_TOKEN
from tests.support.site import Site, open_site
from tests.web.conftest import browser, sample_database, sample_file

__all__ = ["browser", "sample_database", "sample_file"]


@pytest.fixture
def operator_site(sample_database: Database, tmp_path: Path) -> Iterator[Site]:
    """The running pages with the sample issues, subscribers of each language and frequency, and an operator token."""
    with open_site(sample_database, tmp_path, operator_token=OPERATOR_TOKEN) as site:
        for language in ("ko", "en", "both"):
            site.add(f"{language}@example.com", language=language)
        site.add("daily@example.com", frequency="daily")
        yield site
