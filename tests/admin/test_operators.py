"""Several operators by name: each signs in with a token of their own, and the audit log says who did what."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from core.audit_log import OperatorAction
from core.database import Database
from core.languages import TextLanguage
from core.settings import Settings, SettingsError, load_settings
from core.slots import resend_slot
from delivery.models import Resend
from tests.admin.operator_client import NEWEST, OPERATOR_TOKEN, proof_of_session, sign_in, visible_text
from tests.support.site import Site, open_site

MINJI, JUN = "the-token-of-minji-in-tests", "the-token-of-jun-in-all-tests"
TOKENS = f"minji:{MINJI}, 준:{JUN}"


@pytest.fixture
def shared_site(sample_database: Database, tmp_path: Path) -> Iterator[Site]:
    with open_site(sample_database, tmp_path, operator_token=OPERATOR_TOKEN, operator_tokens=TOKENS) as site:
        site.add("a@example.com")
        yield site


def actions(site: Site) -> list[tuple[str, str, str]]:
    with site.database.sessions() as session:
        rows = session.scalars(select(OperatorAction).order_by(OperatorAction.id)).all()
        return [(row.operator, row.action, row.target) for row in rows]


def test_everyone_signs_in_with_a_token_of_their_own_and_the_log_says_who(shared_site: Site) -> None:
    for token, name in ((MINJI, "minji"), (JUN, "준"), (OPERATOR_TOKEN, "operator")):
        assert sign_in(shared_site, token).status_code == 303
        assert f" {name} Sign out" in visible_text(shared_site.client.get("/operator"))
        shared_site.client.post("/operator/logout", data={"proof": proof_of_session(shared_site)})
        assert shared_site.client.get("/operator").status_code == 303
    assert actions(shared_site) == [
        (name, action, "") for name in ("minji", "준", "operator") for action in ("signed in", "signed out")
    ]
    sign_in(shared_site, JUN)
    assert " 준 signed in " in visible_text(shared_site.client.get("/operator/actions"))


def test_a_token_that_left_the_settings_ends_its_sessions_and_no_others(
    shared_site: Site, sample_database: Database, tmp_path: Path
) -> None:
    cookies = {}
    for token in (MINJI, JUN):
        sign_in(shared_site, token)
        cookies[token] = {"Cookie": f"paperboy_operator={shared_site.client.cookies['paperboy_operator']}"}
        shared_site.client.cookies.clear()
    with open_site(sample_database, tmp_path, operator_tokens=f"minji:{MINJI}") as later:
        assert later.client.get("/operator", headers=cookies[MINJI]).status_code == 200
        assert later.client.get("/operator", headers=cookies[JUN]).status_code == 303
    with open_site(sample_database, tmp_path, operator_tokens=f"jun:{MINJI}") as renamed:
        assert renamed.client.get("/operator", headers=cookies[MINJI]).status_code == 303


def test_a_resend_names_the_operator_who_approved_it(shared_site: Site) -> None:
    shared_site.digest()
    sign_in(shared_site, MINJI)
    form = {
        "issue": str(NEWEST),
        "group": "everyone",
        "reason": "a test",
        "proof": proof_of_session(shared_site),
    }
    plan = shared_site.client.post("/operator/resend", data=form).text
    fingerprint = plan.partition('name="fingerprint" value="')[2].partition('"')[0]
    shared_site.client.post("/operator/resend/send", data={**form, "fingerprint": fingerprint})
    with shared_site.database.sessions() as session:
        resend = session.scalars(select(Resend)).one()
    assert resend.asked_by == "minji"
    assert actions(shared_site)[-1] == ("minji", "sent again", f"resend {resend.id}")
    page = visible_text(
        shared_site.client.get(f"/operator/resends/{resend_slot(resend.id).partition(':')[2]}")
    )
    assert "Asked for by minji" in page


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("minji", "must be like minji:TOKEN"),
        (f":{MINJI}", "must be like minji:TOKEN"),
        ("minji:short", "at least 24 characters"),
        (f"minji:{MINJI}, minji:{JUN}", "another name and token for everyone"),
        (f"minji:{MINJI}, jun:{MINJI}", "another name and token for everyone"),
        (f"operator:{MINJI}", "nobody named operator"),
    ],
)
def test_unclear_tokens_are_one_line_without_the_tokens(
    value: str, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAPERBOY_OPERATOR_TOKENS", value)
    with pytest.raises(SettingsError, match=complaint) as caught:
        load_settings()
    assert str(caught.value).startswith("PAPERBOY_OPERATOR_TOKENS: ")
    assert MINJI not in str(caught.value)


def test_the_language_of_operators_is_english_or_korean(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().operator_language == TextLanguage.EN
    monkeypatch.setenv("PAPERBOY_OPERATOR_LANGUAGE", "ko")
    assert load_settings().operator_language == TextLanguage.KO
    monkeypatch.setenv("PAPERBOY_OPERATOR_LANGUAGE", "both")
    with pytest.raises(SettingsError, match="PAPERBOY_OPERATOR_LANGUAGE: "):
        load_settings()
