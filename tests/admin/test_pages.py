"""What the operator's pages show: issues, the next mails, the list of mails, subscribers and statistics."""

import re
from datetime import timedelta

from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import select

from core.frequencies import Frequency
from delivery.models import Delivery
from issues.models import Issue
from tests.admin.operator_client import proof_of_session, sign_in, visible_text
from tests.support.all_mails import EDITED
from tests.support.site import Site


def test_the_overview_says_in_local_time_what_went_out_what_did_not_and_what_to_do(
    operator_site: Site,
) -> None:
    def refuse_english(recipient: str) -> str | None:
        return "550 5.2.1 Mailbox is off" if recipient.startswith("en@") else None

    operator_site.server.on_rcpt = refuse_english
    operator_site.digest(Frequency.WEEKLY)
    finished = operator_site.settings.local(operator_site.clock())
    sign_in(operator_site)
    text = visible_text(operator_site.client.get("/operator"))
    assert "Weekly " in text
    assert "2 of 3 sent, 1 failed; next run " in text
    assert "Failed mails of the last 8 days: 1" in text
    assert "paperboy resend ISSUE --group failed" in text
    run = re.search(r"(\S+ \d\d):\d\d digest weekly:\S+ (.*)", text)
    assert run
    assert run[1] in {f"{finished - timedelta(minutes=1):%Y-%m-%d %H}", f"{finished:%Y-%m-%d %H}"}
    assert "2 sent" in run[2]
    assert "1 failed" in run[2]


def test_the_edits_of_an_issue_are_shown_as_differences(operator_site: Site) -> None:
    sign_in(operator_site)
    page = LexborHTMLParser(operator_site.client.get(f"/operator/issues/{EDITED}").text)
    difference = page.css_first(".difference")
    assert difference is not None
    assert difference.css("del")
    assert difference.css("ins")
    unchanged = len(difference.text()) - sum(len(node.text()) for node in difference.css("del, ins"))
    deleted = sum(len(node.text()) for node in difference.css("del"))
    assert unchanged > deleted, "only the changed pieces are marked"


def test_a_held_issue_is_released_by_its_button(operator_site: Site) -> None:
    with operator_site.database.sessions.begin() as session:
        issue = session.scalars(select(Issue).where(Issue.topic_id == EDITED)).one()
        issue.revisions[-1].problems = ["a paper without an abstract"]
        issue.held_revision, issue.revision = issue.revisions[-1].number, 1
    sign_in(operator_site)
    held = visible_text(operator_site.client.get(f"/operator/issues/{EDITED}"))
    assert "a paper without an abstract" in held
    assert "is held" in visible_text(operator_site.client.get("/operator"))
    release, form = f"/operator/issues/{EDITED}/release", {"proof": proof_of_session(operator_site)}
    refused = operator_site.client.post(release, data={**form, "revision": "1"})
    assert refused.status_code == 409, "only the revision that the page showed is released"
    assert "The issue has changed since this page was shown." in visible_text(refused)
    assert f"/operator/issues/{EDITED}" in refused.text, "a link leads back to the issue"
    for _ in range(2):
        answer = operator_site.client.post(release, data={**form, "revision": "2"})
        assert answer.status_code == 303
    with operator_site.database.sessions() as session:
        issue = session.scalars(select(Issue).where(Issue.topic_id == EDITED)).one()
        assert (issue.held_revision, issue.revision) == (None, 2)
    assert "is held" not in visible_text(operator_site.client.get("/operator"))


def test_the_preview_shows_the_mails_that_the_next_run_sends(operator_site: Site) -> None:
    operator_site.add("brief@example.com", detail="brief")
    sign_in(operator_site)
    page = LexborHTMLParser(operator_site.client.get("/operator/preview").text)
    frames = [node.attributes["src"] or "" for node in page.css("iframe")]
    assert len(frames) == 10, "three languages by week, one by day and one in brief, at two widths"
    brief = {address for address in frames if address.endswith("?detail=brief")}
    assert [operator_site.client.get(address).status_code for address in brief] == [200]
    english_preview = next(address for address in frames if "/weekly/en/" in address)
    previewed = LexborHTMLParser(operator_site.client.get(english_preview).text)
    operator_site.digest(Frequency.WEEKLY)
    body = operator_site.mail("en@example.com").get_body(("html",))
    assert body
    titles = [node.text() for node in LexborHTMLParser(body.get_content()).css("h2")]
    assert titles
    assert titles == [node.text() for node in previewed.css("h2")]
    after = operator_site.client.get(english_preview)
    assert after.status_code == 404, "this mail has been sent, so it is not in the next run"


def test_a_previewed_mail_is_sandboxed_and_its_links_do_not_work(operator_site: Site) -> None:
    sign_in(operator_site)
    page = LexborHTMLParser(operator_site.client.get("/operator/preview").text)
    frame = page.css_first("iframe")
    assert frame is not None
    assert "sandbox" in frame.attributes
    mail = operator_site.client.get(frame.attributes["src"] or "")
    assert "sandbox" in mail.headers["Content-Security-Policy"]
    link = re.search(r"/u/[\w-]+", mail.text)
    assert link
    assert "connected to a subscription any more" in operator_site.client.get(f"{link[0]}?lang=en").text


def test_mails_are_found_by_state_slot_and_address(operator_site: Site) -> None:
    operator_site.digest(Frequency.WEEKLY)
    sign_in(operator_site)

    def count(**filters: str) -> int:
        page = LexborHTMLParser(operator_site.client.get("/operator/mails", params=filters).text)
        return len(page.css("tbody tr td.number"))

    with operator_site.database.sessions() as session:
        slot = session.scalars(select(Delivery.slot)).first() or ""
    assert count() == count(state="sent") == count(slot=slot) == 3
    assert count(reader="EN@example.com", state="sent") == 1
    assert count(state="failed") == count(slot="weekly:1999-W01") == count(reader="nobody@example.com") == 0
    assert count(state="' OR 1=1 --", reader="not an address") == 0


def test_the_page_of_a_subscriber_shows_their_mails_and_changes(operator_site: Site) -> None:
    operator_site.digest(Frequency.WEEKLY)
    sign_in(operator_site)
    subscriber = operator_site.subscriber("en@example.com")
    text = visible_text(operator_site.client.get(f"/operator/readers/{subscriber.id}"))
    assert "weekly:" in text
    assert "confirmed" in text
    assert operator_site.client.get("/operator/readers/999").status_code == 404


def test_the_statistics_count_subscribers_by_week_and_the_results_of_each_run(operator_site: Site) -> None:
    operator_site.digest(Frequency.WEEKLY)
    sign_in(operator_site)
    page = LexborHTMLParser(operator_site.client.get("/operator/figures").text)
    assert len(page.css("svg")) == 7
    assert len(page.css(".plot-and-table svg")) == len(page.css(".plot-and-table table")) == 3
    rows = [[cell.text() for cell in row.css("td")] for row in page.css("tbody tr")]
    assert rows[0][1:] == ["2", "1", "1"], "the columns are Korean, English and both"
    *_, run, month = rows
    assert run[1:6] == ["3", "0", "0", "0", "0"], "sent, deferred, failed, bounced and complaints"
    assert month[1:] == ["3", "0", "0", "0"], "sent, failed, uncertain and skipped, also once they are pruned"
    bars = [text.text() for text in page.css(".plots svg text")]
    assert run[0] in bars, "a bar has the name of its run"
    assert {"3", "0.00%", "limit 5.0%", "limit 0.1%"} <= set(bars), "values and limits are on the bars"
