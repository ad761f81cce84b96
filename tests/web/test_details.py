"""The choice of detail when somebody signs up: by the form, by a form on another site, and by the JSON API."""

import pytest
from selectolax.lexbor import LexborHTMLParser

from tests.support.site import CHOICE, Site, path_in

ADDRESS = "minji@example.com"


@pytest.mark.parametrize(
    ("lang", "full", "brief"),
    [
        ("ko", "자세히: 논문별 핵심 한 문장", "간단히: 논문별 핵심 한 문장"),
        ("en", "Full: one sentence per paper", "Brief: one sentence per paper"),
    ],
)
def test_the_form_says_what_each_detail_brings_and_proposes_full(
    shared_sample_site: Site, lang: str, full: str, brief: str
) -> None:
    page = LexborHTMLParser(shared_sample_site.client.get(f"/?lang={lang}").text)
    options = {node.attributes["value"]: node for node in page.css("input[name=detail]")}
    assert [name for name, node in options.items() if "checked" in node.attributes] == ["full"]
    field = page.css_first("fieldset:has(input[name=detail])")
    assert field
    assert (full in field.text(), brief in field.text()) == (True, True)


def test_a_refused_form_keeps_the_detail_that_was_chosen(shared_sample_site: Site) -> None:
    answer = shared_sample_site.sign_up("nobody", detail="brief")
    assert answer.status_code == 400
    page = LexborHTMLParser(answer.text)
    checked = [node.attributes["value"] for node in page.css("input[checked]")]
    assert checked == ["ko", "weekly", "brief"]


def test_the_confirmation_names_the_detail_and_the_subscription_begins_with_it(site: Site) -> None:
    site.sign_up(ADDRESS, detail="brief")
    link = path_in(site.mail(ADDRESS), "c")
    assert "brief" in site.client.get(f"{link}?lang=en").text
    site.client.post(link)
    assert (site.subscriber(ADDRESS).status, site.subscriber(ADDRESS).detail) == ("active", "brief")


@pytest.mark.parametrize(("given", "expected"), [({}, "full"), ({"detail": "brief"}, "brief")])
def test_a_sign_up_from_another_site_may_leave_the_detail_out(
    site: Site, given: dict[str, str], expected: str
) -> None:
    body = {"email": ADDRESS, **CHOICE, **given}
    assert site.client.post("/api/subscribers", json=body).status_code == 202
    site.mail(ADDRESS)
    assert site.subscriber(ADDRESS).detail == expected


def test_a_detail_that_does_not_exist_is_refused(site: Site) -> None:
    assert site.sign_up(ADDRESS, detail="long").status_code == 400
    body = {"email": ADDRESS, **CHOICE, "detail": "long"}
    assert site.client.post("/api/subscribers", json=body).status_code == 422
