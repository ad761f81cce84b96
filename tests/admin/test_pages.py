"""The operator's pages: no way in without the token, nothing done but by their own forms, and what they show."""

import re
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import func, select

from core.database import Database
from delivery.models import Delivery, Resend
from issues.models import Issue
from paperboy.admin.auth import COOKIE, SESSION_SECONDS
from tests.support.all_mails import EDITED
from tests.support.site import Site, open_site

TOKEN = "a token for operators, in tests"
WRONG = "another token, as long as the one"
NEWEST = 9655  # of the sample's issues
LINK_PATHS = (
    "/operator",
    f"/operator/issues/{EDITED}",
    "/operator/preview",
    "/operator/preview/weekly/ko/0",
    "/operator/mails",
    "/operator/readers/1",
    "/operator/figures",
    "/operator/resend",
    "/operator/resends/1",
)
ACTS: tuple[tuple[str, dict[str, str]], ...] = (
    ("/operator/logout", {}),
    (f"/operator/issues/{EDITED}/release", {"revision": "2"}),
    ("/operator/resend", {"issue": str(EDITED), "group": "everyone", "reason": "x"}),
    ("/operator/resend/send", {"issue": str(EDITED), "group": "everyone", "reason": "x"}),
)


@pytest.fixture
def context(sample_database: Database, tmp_path: Path) -> Iterator[Site]:
    """The app with the sample's issues, readers of each kind, and a token for operators."""
    with open_site(sample_database, tmp_path, operator_token=TOKEN) as site:
        for language in ("ko", "en", "both"):
            site.add(f"{language}@example.com", language=language)
        site.add("daily@example.com", frequency="daily")
        yield site


def sign_in(site: Site, token: str = TOKEN) -> httpx.Response:
    return site.client.post("/operator/login", data={"token": token})


def proof(site: Site) -> str:
    """What the forms of this session hold."""
    return field(site.client.get("/operator").text, "proof")


def field(html: str, name: str) -> str:
    found = LexborHTMLParser(html).css_first(f"input[name={name}]")
    assert found is not None, f"the page has no field {name}"
    return found.attributes["value"] or ""


def seen(answer: httpx.Response) -> str:
    body = LexborHTMLParser(answer.text).body
    assert body is not None
    return " ".join(body.text(separator=" ").split())


def stored(site: Site) -> dict[str, list[Any]]:
    return site.rows(without=("attempts",))


def test_no_page_is_shown_to_whoever_has_not_signed_in(context: Site) -> None:
    tries: list[dict[str, Any]] = [
        {},
        {"cookies": {COOKIE: "x"}},
        {"cookies": {COOKIE: TOKEN}},
        {"headers": {"Authorization": f"Bearer {TOKEN}"}},
        {"params": {"token": TOKEN}},
    ]
    for path, asked in product(LINK_PATHS, tries):
        answer = httpx.get(f"{context.url}{path}", **asked)
        assert (answer.status_code, answer.headers["location"]) == (303, "/operator/login"), (path, asked)
        assert "example.com" not in answer.text


def test_nothing_is_done_for_whoever_has_not_signed_in(context: Site) -> None:
    before = stored(context)
    for path, form in ACTS:
        assert context.client.post(path, data=form).status_code == 403, path
    assert stored(context) == before


def test_nothing_is_done_by_a_form_that_is_not_of_this_session(context: Site) -> None:
    sign_in(context)
    others = proof(context)
    context.client.cookies.clear()
    sign_in(context)
    before = stored(context)
    for (path, form), forged in product(ACTS, ("", "x", others, context.client.cookies[COOKIE])):
        refused = context.client.post(path, data={**form, "proof": forged})
        assert refused.status_code == 403, path
        assert "Nothing was done" in seen(refused), path
    assert stored(context) == before
    assert context.client.get("/operator").status_code == 200, "and the session goes on"


def test_nothing_is_done_by_a_link(context: Site) -> None:
    sign_in(context)
    before = stored(context)
    for path, form in ACTS:
        answer = context.client.get(path, params={**form, "proof": proof(context)})
        assert answer.status_code in {200, 404, 405}, path
    assert stored(context) == before


def test_a_wrong_token_opens_nothing_and_many_are_not_even_looked_at(context: Site) -> None:
    answers = [sign_in(context, WRONG) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [403] * 5 + [429]
    assert not context.client.cookies
    assert sign_in(context).status_code == 429, "not even the right one"


def test_without_a_token_in_the_settings_there_are_no_pages_for_operators(
    sample_database: Database, tmp_path: Path
) -> None:
    with open_site(sample_database, tmp_path) as site:
        for path in ("/operator", "/operator/login", "/operator/mails"):
            assert site.client.get(path).status_code == 404
        assert sign_in(site, "").status_code == 404


def test_a_session_ends_with_its_time_with_another_token_and_by_signing_out(
    context: Site, sample_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(context)
    assert context.client.get("/operator").status_code == 200
    session = context.client.cookies[COOKIE]
    with open_site(sample_database, tmp_path, operator_token=WRONG) as other:
        other.client.cookies.set(COOKIE, session)
        assert other.client.get("/operator").status_code == 303
    with monkeypatch.context() as next_allowed:
        then = time.time() + SESSION_SECONDS * 3600 + 60
        next_allowed.setattr("itsdangerous.timed.time.time", lambda: then)
        assert context.client.get("/operator").status_code == 303
    context.client.post("/operator/logout", data={"proof": proof(context)})
    assert context.client.get("/operator").status_code == 303


def test_the_session_is_kept_from_scripts_other_sites_and_plain_connections(
    sample_database: Database, tmp_path: Path
) -> None:
    with open_site(sample_database, tmp_path, operator_token=TOKEN) as plain:
        said = sign_in(plain).headers["set-cookie"].lower()
    assert {"httponly", "samesite=strict", "path=/operator"} <= {part.strip() for part in said.split(";")}
    with open_site(sample_database, tmp_path, operator_token=TOKEN, base_url="https://news.example") as site:
        assert "; secure" in sign_in(site).headers["set-cookie"].lower()


def test_every_page_is_private(context: Site) -> None:
    sign_in(context)
    for path in LINK_PATHS:
        answer = context.client.get(path)
        assert answer.headers["Cache-Control"] == "no-store"
        assert "noindex" in answer.headers["X-Robots-Tag"]
        assert "script-src" not in answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_an_issues_edits_are_shown_as_differences(context: Site) -> None:
    sign_in(context)
    page = LexborHTMLParser(context.client.get(f"/operator/issues/{EDITED}").text)
    shown = page.css_first(".difference")
    assert shown is not None
    assert shown.css("del")
    assert shown.css("ins")
    kept = len(shown.text()) - sum(len(node.text()) for node in shown.css("del, ins"))
    assert kept > sum(len(node.text()) for node in shown.css("del")), "only what changed is marked"


def test_a_held_issue_is_released_by_its_button(context: Site) -> None:
    with context.database.sessions.begin() as session:
        issue = session.scalars(select(Issue).where(Issue.topic_id == EDITED)).one()
        issue.revisions[-1].problems = ["a paper without an abstract"]
        issue.held_revision, issue.revision = issue.revisions[-1].number, 1
    sign_in(context)
    held = seen(context.client.get(f"/operator/issues/{EDITED}"))
    assert "a paper without an abstract" in held
    assert "is held" in seen(context.client.get("/operator"))
    form = {"proof": proof(context)}
    unseen = context.client.post(f"/operator/issues/{EDITED}/release", data={**form, "revision": "1"})
    assert unseen.status_code == 409, "only the state that was looked at is released"
    assert "Another state is held by now." in seen(unseen)
    assert f"/operator/issues/{EDITED}" in unseen.text, "the way back to look at it"
    for _ in range(2):
        answer = context.client.post(f"/operator/issues/{EDITED}/release", data={**form, "revision": "2"})
        assert answer.status_code == 303
    with context.database.sessions() as session:
        issue = session.scalars(select(Issue).where(Issue.topic_id == EDITED)).one()
        assert (issue.held_revision, issue.revision) == (None, 2)
    assert "is held" not in seen(context.client.get("/operator"))


def test_the_preview_shows_the_mails_that_the_next_run_sends(context: Site) -> None:
    sign_in(context)
    page = LexborHTMLParser(context.client.get("/operator/preview").text)
    frames = [node.attributes["src"] or "" for node in page.css("iframe")]
    assert len(frames) == 8, "weekly in three languages and daily in one, each at two widths"
    context.digest("weekly")
    sent = str(context.mail("en@example.com").get_body(("html",)).get_content())  # type: ignore[union-attr]
    titles = [node.text() for node in LexborHTMLParser(sent).css("h2")]
    before = next(address for address in frames if "/weekly/en/" in address)
    context.clock.ahead = timedelta()
    after = context.client.get(before)
    assert after.status_code == 404, "this mail is on its way: the next run has another one"
    assert titles


def test_a_previewed_mail_runs_nothing_and_its_links_are_nobodys(context: Site) -> None:
    sign_in(context)
    page = LexborHTMLParser(context.client.get("/operator/preview").text)
    first = page.css_first("iframe")
    assert first is not None
    assert "sandbox" in first.attributes
    mail = context.client.get(first.attributes["src"] or "")
    assert "sandbox" in mail.headers["Content-Security-Policy"]
    link = re.search(r"/u/[\w-]+", mail.text)
    assert link
    assert context.client.get(link[0]).status_code == 404


def test_mails_are_found_by_state_slot_and_reader(context: Site) -> None:
    context.digest("weekly")
    sign_in(context)

    def rows(**asked: str) -> int:
        page = LexborHTMLParser(context.client.get("/operator/mails", params=asked).text)
        return len(page.css("tbody tr td.number"))

    with context.database.sessions() as session:
        slot = session.scalars(select(Delivery.slot)).first() or ""
    assert rows() == rows(state="sent") == rows(slot=slot) == 3
    assert rows(reader="EN@example.com", state="sent") == 1
    assert rows(state="failed") == rows(slot="weekly:1999-W01") == rows(reader="nobody@example.com") == 0
    assert rows(state="' OR 1=1 --", reader="not an address") == 0


def test_copies_go_out_as_planned_and_a_second_click_sends_nothing(context: Site) -> None:
    sign_in(context)
    form = {"issue": str(NEWEST), "group": "everyone", "reason": "a trial", "proof": proof(context)}
    plan = context.client.post("/operator/resend", data=form)
    assert "4 copies" in seen(plan)
    with context.database.sessions() as session:
        assert not session.scalar(select(func.count(Delivery.id))), "a plan stores nothing"
    looked_at = {
        address: context.client.get(address)
        for address in (link.attributes["href"] or "" for link in LexborHTMLParser(plan.text).css("tbody a"))
    }
    assert len(looked_at) == 3, "a mail for each language"
    assert all("h1" in answer.text and answer.status_code == 200 for answer in looked_at.values())
    approved = {**form, "fingerprint": field(plan.text, "fingerprint")}
    sent = context.client.post("/operator/resend/send", data=approved)
    assert sent.headers["location"] == "/operator/resends/1"
    context.settle()
    assert sorted(message.rcpt[0] for message in context.server.messages) == [
        "both@example.com",
        "daily@example.com",
        "en@example.com",
        "ko@example.com",
    ]
    again = context.client.post("/operator/resend/send", data=approved)
    assert again.status_code == 409
    assert "There is nothing to send" in seen(again)
    context.settle()
    assert len(context.server.messages) == 4
    told = seen(context.client.get("/operator/resends/1"))
    assert "sent 4" in told
    assert "a trial" in told


def test_a_plan_that_has_changed_is_shown_again_before_anything_is_sent(context: Site) -> None:
    sign_in(context)
    form = {"issue": str(NEWEST), "group": "everyone", "reason": "a trial", "proof": proof(context)}
    approved = {
        **form,
        "fingerprint": field(context.client.post("/operator/resend", data=form).text, "fingerprint"),
    }
    context.add("new@example.com")
    answer = context.client.post("/operator/resend/send", data=approved)
    assert answer.status_code == 409
    assert "5 copies" in seen(answer)
    with context.database.sessions() as session:
        assert not session.scalar(select(func.count(Resend.id)))


REFUSED = (
    ({"issue": str(NEWEST), "group": "everyone"}, "Say why"),
    ({"issue": str(NEWEST), "reason": "x"}, "say to whom"),
    ({"issue": "9" * 20, "group": "failed", "reason": "x"}, "neither a day"),
    ({"issue": "1999-01-04", "group": "failed", "reason": "x"}, "there is no issue 1999-01-04"),
    ({"issue": "<b>", "group": "failed", "reason": "x"}, "neither a day"),
    ({"issue": str(NEWEST), "to": "nobody@example.com", "reason": "x"}, "not subscribed"),
    ({"issue": str(NEWEST), "to": "x", "reason": "x"}, "x"),
    ({"delivery": "77", "reason": "x"}, "no digest with the delivery id 77"),
    ({"issue": str(NEWEST), "group": "lucky", "reason": "x"}, "there is no group"),
    ({"issue": str(NEWEST), "language": "fr", "reason": "x"}, "not one of ko, en, both"),
)


def test_a_request_that_cannot_be_is_answered_in_the_form(context: Site) -> None:
    sign_in(context)
    for form, says in REFUSED:
        answer = context.client.post("/operator/resend", data={**form, "proof": proof(context)})
        assert answer.status_code == 409, form
        fault = LexborHTMLParser(answer.text).css_first(".fault")
        assert fault is not None
        assert says in fault.text()


def test_a_reader_page_tells_their_mails_and_changes(context: Site) -> None:
    context.digest("weekly")
    sign_in(context)
    told = seen(context.client.get(f"/operator/readers/{context.known('en@example.com').id}"))
    assert "weekly:" in told
    assert "confirmed" in told
    assert context.client.get("/operator/readers/999").status_code == 404


def test_figures_count_readers_by_week_and_what_became_of_each_run(context: Site) -> None:
    context.digest("weekly")
    sign_in(context)
    page = LexborHTMLParser(context.client.get("/operator/figures").text)
    assert len(page.css("svg")) == 6
    rows = [[cell.text() for cell in row.css("td")] for row in page.css("tbody tr")]
    assert rows[0][1:] == ["2", "1", "1"], "Korean, English, both"
    assert rows[-1][1:] == ["3", "0", "0", "0"], "sent, deferred, failed, bounced"
