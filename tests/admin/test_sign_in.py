"""Access to the operator's pages: nothing without the token, and no action except by the session's own forms."""

import time
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import httpx
import pytest

from core.database import Database
from paperboy.admin.auth import COOKIE, SESSION_SECONDS
from tests.admin.operator_client import OPERATOR_TOKEN, PAGES, proof_of_session, sign_in, visible_text
from tests.support.all_mails import EDITED
from tests.support.site import Site, open_site

OTHER_TOKEN = "another token, as long as the one"
ACTIONS: tuple[tuple[str, dict[str, str]], ...] = (
    ("/operator/logout", {}),
    (f"/operator/issues/{EDITED}/release", {"revision": "2"}),
    (f"/operator/issues/{EDITED}/mail", {"revision": "2"}),
    (f"/operator/issues/{EDITED}/dismiss", {"revision": "2"}),
    (f"/operator/issues/{EDITED}/accept", {"revision": "2", "week": "2025-07-28"}),
    (f"/operator/issues/{EDITED}/call-off", {}),
    (f"/operator/issues/{EDITED}/note", {"note_ko": "가", "note_en": "a"}),
    (f"/operator/issues/{EDITED}/note/preview", {"note_ko": "가", "note_en": "a"}),
    ("/operator/readers/1/edit", {"language": "en", "frequency": "daily", "detail": "brief"}),
    ("/operator/readers/1/pause", {}),
    ("/operator/readers/1/resume", {}),
    ("/operator/readers/1/end", {}),
    ("/operator/readers/1/unsuppress", {}),
    ("/operator/resend", {"issue": str(EDITED), "group": "everyone", "reason": "x"}),
    ("/operator/resend/send", {"issue": str(EDITED), "group": "everyone", "reason": "x"}),
)


def stored_rows(site: Site) -> dict[str, list[Any]]:
    """All stored rows except the counts of rate limits, which every request may change."""
    return site.rows(without=("rate_limit_counts",))


def test_no_page_is_shown_to_anybody_who_has_not_signed_in(operator_site: Site) -> None:
    attempts: list[dict[str, Any]] = [
        {},
        {"cookies": {COOKIE: "x"}},
        {"cookies": {COOKIE: OPERATOR_TOKEN}},
        {"headers": {"Authorization": f"Bearer {OPERATOR_TOKEN}"}},
        {"params": {"token": OPERATOR_TOKEN}},
    ]
    for path, attempt in product(PAGES, attempts):
        answer = httpx.get(f"{operator_site.url}{path}", **attempt)
        assert (answer.status_code, answer.headers["location"]) == (303, "/operator/login"), (path, attempt)
        assert "example.com" not in answer.text


def test_no_action_is_done_for_anybody_who_has_not_signed_in(operator_site: Site) -> None:
    before = stored_rows(operator_site)
    for path, form in ACTIONS:
        assert operator_site.client.post(path, data=form).status_code == 403, path
    assert stored_rows(operator_site) == before


def test_no_action_is_done_by_a_form_of_another_session(operator_site: Site) -> None:
    sign_in(operator_site)
    proof_of_other_session = proof_of_session(operator_site)
    operator_site.client.cookies.clear()
    sign_in(operator_site)
    before = stored_rows(operator_site)
    forged_proofs = ("", "x", proof_of_other_session, operator_site.client.cookies[COOKIE])
    for (path, form), proof in product(ACTIONS, forged_proofs):
        refused = operator_site.client.post(path, data={**form, "proof": proof})
        assert refused.status_code == 403, path
        assert "Nothing was done" in visible_text(refused), path
    assert stored_rows(operator_site) == before
    assert operator_site.client.get("/operator").status_code == 200, "the session does not end"


def test_no_action_is_done_by_a_link(operator_site: Site) -> None:
    sign_in(operator_site)
    before = stored_rows(operator_site)
    for path, form in ACTIONS:
        parameters = {**form, "proof": proof_of_session(operator_site)}
        answer = operator_site.client.get(path, params=parameters)
        assert answer.status_code in {200, 404, 405}, path
    assert stored_rows(operator_site) == before


def test_a_wrong_token_is_refused_and_after_many_no_token_is_checked(operator_site: Site) -> None:
    answers = [sign_in(operator_site, OTHER_TOKEN) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [403] * 5 + [429]
    assert not operator_site.client.cookies
    assert sign_in(operator_site).status_code == 429, "the right token is refused, too"


def test_without_a_token_in_the_settings_there_are_no_operator_pages(
    sample_database: Database, tmp_path: Path
) -> None:
    with open_site(sample_database, tmp_path) as site:
        for path in ("/operator", "/operator/login", "/operator/mails"):
            assert site.client.get(path).status_code == 404
        assert sign_in(site, "").status_code == 404


def test_a_session_ends_after_its_time_with_another_token_and_by_signing_out(
    operator_site: Site, sample_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(operator_site)
    assert operator_site.client.get("/operator").status_code == 200
    session = operator_site.client.cookies[COOKIE]
    # The cookie is sent by hand, because the client itself would drop one that has expired.
    by_hand = {"Cookie": f"{COOKIE}={session}"}
    now = time.time()
    for age, status in ((SESSION_SECONDS - 60, 200), (SESSION_SECONDS + 60, 303)):
        with monkeypatch.context() as later:
            clock = Mock(return_value=now + age)
            later.setattr("itsdangerous.timed.time", SimpleNamespace(time=clock))
            answer = httpx.get(f"{operator_site.url}/operator", headers=by_hand)
        assert (answer.status_code, clock.called) == (status, True)
    with open_site(sample_database, tmp_path, operator_token=OTHER_TOKEN) as other_site:
        assert other_site.client.get("/operator", headers=by_hand).status_code == 303
    operator_site.client.post("/operator/logout", data={"proof": proof_of_session(operator_site)})
    assert operator_site.client.get("/operator").status_code == 303


def test_the_session_cookie_is_hidden_from_scripts_other_sites_and_plain_connections(
    sample_database: Database, tmp_path: Path
) -> None:
    with open_site(sample_database, tmp_path, operator_token=OPERATOR_TOKEN) as plain:
        cookie = sign_in(plain).headers["set-cookie"].lower()
    assert {"httponly", "samesite=strict", "path=/operator"} <= {part.strip() for part in cookie.split(";")}
    with open_site(
        sample_database, tmp_path, operator_token=OPERATOR_TOKEN, base_url="https://news.example"
    ) as site:
        assert "; secure" in sign_in(site).headers["set-cookie"].lower()


def test_every_operator_page_is_private(operator_site: Site) -> None:
    sign_in(operator_site)
    for path in PAGES:
        answer = operator_site.client.get(path)
        assert answer.headers["Cache-Control"] == "no-store"
        assert "noindex" in answer.headers["X-Robots-Tag"]
        assert "script-src" not in answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_signing_out_ends_the_session_on_the_server_wherever_its_cookie_is(operator_site: Site) -> None:
    sign_in(operator_site)
    copied = {"Cookie": f"{COOKIE}={operator_site.client.cookies[COOKIE]}"}
    operator_site.client.post("/operator/logout", data={"proof": proof_of_session(operator_site)})
    operator_site.client.cookies.clear()
    assert operator_site.client.get("/operator", headers=copied).status_code == 303
    sign_in(operator_site)
    assert operator_site.client.get("/operator").status_code == 200, "another session is not ended"
