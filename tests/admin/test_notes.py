"""The operators' note: in both languages, shown in the mail before it is kept, and only in the digest that opens its issue."""

from selectolax.lexbor import LexborHTMLParser

from core.frequencies import Frequency
from tests.admin.operator_client import NEWEST, proof_of_session, sign_in, visible_text
from tests.support.site import Site

KOREAN, ENGLISH = "다음 주는 <b>쉽니다</b>.\n고맙습니다 {name}.", "There is no issue next week."
NOTE = {"note_ko": KOREAN, "note_en": ENGLISH}
PAGE = f"/operator/issues/{NEWEST}"


def bodies(site: Site, address: str) -> list[str]:
    texts = []
    for mail in site.mails(address):
        for kind in ("plain", "html"):
            body = mail.get_body((kind,))
            assert body
            texts.append(str(body.get_content()))
    return texts


def test_a_note_is_previewed_kept_and_comes_in_each_language_with_the_digest_that_opens_the_issue(
    operator_site: Site,
) -> None:
    sign_in(operator_site)
    form = {"proof": proof_of_session(operator_site), **NOTE}
    before = operator_site.rows(without=("rate_limit_counts",))
    preview = LexborHTMLParser(operator_site.client.post(f"{PAGE}/note/preview", data=form).text)
    korean, english = (node.attributes["srcdoc"] or "" for node in preview.css("iframe[sandbox]"))
    assert "다음 주는 &lt;b&gt;쉽니다" in korean
    assert ENGLISH in english
    assert operator_site.rows(without=("rate_limit_counts",)) == before, "a preview stores nothing"
    assert operator_site.client.post(f"{PAGE}/note", data=form).status_code == 303
    assert "wrote a note" in visible_text(operator_site.client.get(PAGE))
    operator_site.digest(Frequency.WEEKLY)
    for address, notes in (
        ("ko@example.com", (True, False)),
        ("en@example.com", (False, True)),
        ("both@example.com", (True, True)),
    ):
        plain, html = bodies(operator_site, address)
        assert ("다음 주는 <b>쉽니다</b>." in plain, ENGLISH in plain) == notes
        assert ("다음 주는 &lt;b&gt;쉽니다&lt;/b&gt;." in html, ENGLISH in html) == notes
        assert ("고맙습니다 {name}." in plain) == notes[0], "a note has no placeholders"


def test_daily_subscribers_get_the_note_once(operator_site: Site) -> None:
    sign_in(operator_site)
    form = {"proof": proof_of_session(operator_site), **NOTE}
    operator_site.client.post(f"{PAGE}/note", data=form)
    operator_site.digest(Frequency.DAILY)
    operator_site.clock.ahead += Frequency.DAILY.interval
    operator_site.digest(Frequency.DAILY)
    first, _, second, _ = bodies(operator_site, "daily@example.com")
    assert ("다음 주는" in first, "다음 주는" in second) == (True, False)


def test_a_note_in_one_language_only_is_refused_and_an_empty_one_takes_the_note_away(
    operator_site: Site,
) -> None:
    sign_in(operator_site)
    proof = {"proof": proof_of_session(operator_site)}
    operator_site.client.post(f"{PAGE}/note", data={**proof, **NOTE})
    refused = operator_site.client.post(f"{PAGE}/note", data={**proof, "note_ko": "새 글", "note_en": "  "})
    assert refused.status_code == 409
    assert "Write the note in both languages, or leave both empty." in visible_text(refused)
    assert ENGLISH in operator_site.client.get(PAGE).text
    operator_site.client.post(f"{PAGE}/note", data={**proof, "note_ko": "", "note_en": ""})
    assert ENGLISH not in operator_site.client.get(PAGE).text.partition("<h2>By operators")[0]
