"""Sending again by the operator's pages: what was planned is sent once, and impossible requests are explained."""

from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import func, select

from delivery.models import Delivery, Resend
from tests.admin.operator_client import NEWEST, field_value, proof_of_session, sign_in, visible_text
from tests.support.site import Site

IMPOSSIBLE_REQUESTS = (
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


def form_for_everyone(site: Site) -> dict[str, str]:
    """The form that requests copies of the newest issue for everyone."""
    return {
        "issue": str(NEWEST),
        "group": "everyone",
        "reason": "a trial",
        "proof": proof_of_session(site),
    }


def test_copies_go_out_as_planned_and_a_second_click_sends_nothing(operator_site: Site) -> None:
    operator_site.add("brief@example.com", detail="brief")
    sign_in(operator_site)
    form = form_for_everyone(operator_site)
    plan = operator_site.client.post("/operator/resend", data=form)
    assert "5 copies" in visible_text(plan)
    with operator_site.database.sessions() as session:
        assert not session.scalar(select(func.count(Delivery.id))), "a plan stores nothing"
    links = [link.attributes["href"] or "" for link in LexborHTMLParser(plan.text).css("tbody a")]
    previews = {link: operator_site.client.get(link) for link in links}
    assert len(previews) == 4, "there is a mail for each language, and one in brief"
    assert all("h1" in answer.text and answer.status_code == 200 for answer in previews.values())
    approved = {**form, "fingerprint": field_value(plan.text, "fingerprint")}
    sent = operator_site.client.post("/operator/resend/send", data=approved)
    assert sent.headers["location"] == "/operator/resends/1"
    operator_site.wait_until_idle()
    assert sorted(message.rcpt[0] for message in operator_site.server.messages) == [
        "both@example.com",
        "brief@example.com",
        "daily@example.com",
        "en@example.com",
        "ko@example.com",
    ]
    again = operator_site.client.post("/operator/resend/send", data=approved)
    assert again.status_code == 409
    assert "There is nothing to send" in visible_text(again)
    operator_site.wait_until_idle()
    assert len(operator_site.server.messages) == 5
    result = visible_text(operator_site.client.get("/operator/resends/1"))
    assert "sent 5" in result
    assert "a trial" in result


def test_a_plan_that_has_changed_is_shown_again_and_not_sent(operator_site: Site) -> None:
    sign_in(operator_site)
    form = form_for_everyone(operator_site)
    plan = operator_site.client.post("/operator/resend", data=form)
    approved = {**form, "fingerprint": field_value(plan.text, "fingerprint")}
    operator_site.add("new@example.com")
    answer = operator_site.client.post("/operator/resend/send", data=approved)
    assert answer.status_code == 409
    assert "5 copies" in visible_text(answer)
    with operator_site.database.sessions() as session:
        assert not session.scalar(select(func.count(Resend.id)))


def test_an_impossible_request_is_explained_in_the_form(operator_site: Site) -> None:
    sign_in(operator_site)
    for form, explanation in IMPOSSIBLE_REQUESTS:
        answer = operator_site.client.post(
            "/operator/resend", data={**form, "proof": proof_of_session(operator_site)}
        )
        assert answer.status_code == 409, form
        fault = LexborHTMLParser(answer.text).css_first(".fault")
        assert fault is not None
        assert explanation in fault.text()
