"""Pictures and links of a paper in a digest: which are shown, how large, and under which label."""

from hypothesis import given
from hypothesis import strategies as st

from core.languages import Language
from emails.compose import MAX_PAPERS_WITH_PICTURES, MIN_PICTURE_WIDTH
from emails.rendering.i18n import translate
from emails.rendering.paper_links import COLUMN_WIDTH
from issues.parse.content import Link, Picture
from tests.support.factories import blocks, edition_of, issue_of, paper
from tests.support.mail_reader import Mail, languages, on_one_line

# --- pictures -----------------------------------------------------------------------


@given(st.integers(1, 99_999), st.integers(1, 99_999), st.integers(0, 400))
def test_a_picture_fits_the_column_and_keeps_its_proportions(width: int, height: int, sentences: int) -> None:
    pictured = paper(
        intro_ko=blocks("등대는 길을 비춥니다. " * sentences),
        pictures=(Picture("https://a.example/p.png", width, height),),
    )
    tree = Mail(edition_of(issue_of([pictured]))).tree
    for node in tree.css("img"):
        shown = int(node.attributes["width"] or 0), int(node.attributes["height"] or 0)
        assert MIN_PICTURE_WIDTH <= shown[0] <= min(width, COLUMN_WIDTH)
        assert 0 < shown[1] <= height
        assert abs(shown[0] * height / width - shown[1]) <= 1 + height / width
        assert node.attributes["src"] == "https://a.example/p.png"
    if sentences >= 300 and MIN_PICTURE_WIDTH <= width <= 4 * height and height <= width:
        assert tree.css("img"), "a long text leaves room for its picture"


@languages
def test_a_picture_has_an_alternative_text_and_is_not_in_the_text_part(language: Language) -> None:
    long = blocks("등대는 길을 비춥니다. " * 200)
    pictured = paper(
        intro_ko=long, abstract_en=long, pictures=(Picture("https://a.example/p.png", 690, 388),)
    )
    mail = Mail(edition_of(issue_of([pictured]), language=language))
    (node,) = mail.tree.css("img")
    assert node.attributes["alt"] == translate(language, "picture", title=mail.titles[0])
    assert "p.png" not in mail.text


def test_a_picture_of_unknown_size_or_in_a_mail_of_many_papers_is_not_shown() -> None:
    long = blocks("등대는 길을 비춥니다. " * 200)

    def shown(papers: int, *size: int) -> int:
        picture = (Picture("https://a.example/p.png", *size),)
        pictured = [paper(number, intro_ko=long, pictures=picture) for number in range(1, papers + 1)]
        return len(Mail(edition_of(issue_of(pictured, overview=()))).tree.css("img"))

    assert shown(2, 690, 388) == 2
    assert shown(2, 0, 0) == 0
    assert shown(MAX_PAPERS_WITH_PICTURES + 1, 690, 388) == 0


# --- links --------------------------------------------------------------------------


@languages
def test_every_link_of_a_paper_has_the_name_of_what_is_there(language: Language) -> None:
    linked = paper(
        anchor="p-1-owl-3",
        links=(
            Link("https://github.com/owl/nest/tree/main"),
            Link("https://www.owl.github.io/nest/"),
            Link("https://huggingface.co/owl/nest/blob/main/README.md"),
            Link("https://blog.example/2025/a-very-long-path", "Owl's own words"),
        ),
    )
    mail = Mail(edition_of(issue_of([linked]), language=language))
    expected = [
        ("arXiv", linked.url),
        ("PDF", linked.url.replace("/abs/", "/pdf/")),
        (translate(language, "link_code"), linked.links[0].url),
        (translate(language, "link_project"), linked.links[1].url),
        ("Hugging Face", linked.links[2].url),
        ("Owl's own words", linked.links[3].url),
        (translate(language, "link_discuss"), "https://forum.example/t/9001#p-1-owl-3"),
    ]
    links = [(on_one_line(node.text()), node.attributes["href"]) for node in mail.tree.css("p > a")]
    assert [link for link in links if link in expected] == expected
    assert all(f"    {name}: {url}\n" in mail.text for name, url in expected)


def test_links_of_one_kind_are_told_apart_by_their_addresses() -> None:
    linked = paper(links=(Link("https://github.com/a/b"), Link("https://github.com/c/d")))
    mail = Mail(edition_of(issue_of([linked]), language="en"))
    assert "Code (github.com/a/b) · Code (github.com/c/d)" in mail.visible_text


def test_a_paper_that_is_not_on_arxiv_is_linked_by_the_name_of_its_site() -> None:
    for url, names in (
        ("https://openreview.net/forum?id=1", ["OpenReview"]),
        ("https://journal.example/1", ["Paper"]),
        ("https://journal.example/1.pdf", ["PDF"]),
        ("", []),
    ):
        mail = Mail(edition_of(issue_of([paper(url=url)]), language="en"))
        (unit,) = mail.edition.papers
        shown = [node.text() for node in mail.tree.css("p > a")]
        assert shown[: len(names) + 1] == [*names, "Discussion"]
        assert unit.forum in mail.hrefs


def test_a_korean_link_label_appears_only_in_mails_with_korean() -> None:
    labelled = paper(links=(Link("https://blog.example/글", "설명 글"),))
    labels = {Language.KO: "설명 글", Language.BOTH: "설명 글", Language.EN: "blog.example"}
    for language, label in labels.items():
        mail = Mail(edition_of(issue_of([labelled]), language=language))
        assert f" · {label} · " in mail.visible_text
        assert f"    {label}: https://blog.example/" in mail.text
