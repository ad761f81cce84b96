"""Lists, tables and formats in a digest: real ones in the HTML, and readable without formats in the text part."""

from dataclasses import replace

import pytest

from core.languages import Language
from emails.edition import Edition
from emails.rendering.fit import RANKS
from emails.rendering.i18n import translate
from issues.parse.content import Section
from issues.parse.text import Block, TextRun, table_of
from tests.support.factories import blocks, edition_of, issue_of, paper
from tests.support.mail_reader import Mail


def edition_with(*intro: Block) -> Edition:
    return edition_of(issue_of([paper(intro_ko=intro)]))


def lines_of(mail: Mail) -> list[str]:
    """The lines of the introduction in the text part."""
    after = mail.text.partition(f"## {translate(Language.KO, 'intro')}\n\n")[2]
    return after.partition("\n\n## ")[0].splitlines()


def item(text: str, depth: int = 0, number: int = 0) -> Block:
    return Block("li", (TextRun(text),), depth, number)


def table(*rows: tuple[str, ...]) -> Block:
    return table_of([[(TextRun(cell),) if cell else () for cell in row] for row in rows])


def test_a_nested_list_is_nested_in_both_bodies() -> None:
    mail = Mail(
        edition_with(
            item("첫째", number=1),
            item("가", 1),
            item("나", 1),
            item("둘째 " + "말 " * 40, number=2),
            item("둘째의 뒤", number=2),
        )
    )
    assert [node.text() for node in mail.tree.css("ol > li > ul > li")] == ["가", "나"]
    first, bullet, other, second, *rest = lines_of(mail)
    assert (first, bullet, other) == ("  1. 첫째", "      * 가", "      * 나")
    assert second.startswith("  2. 둘째 말")
    assert all(line.startswith("     ") and line[5] != " " for line in rest)
    assert rest[-1] == "     둘째의 뒤"


def test_a_table_that_fits_a_line_is_aligned_in_the_text_part() -> None:
    mail = Mail(edition_with(table(("모델", "점수", "n"), ("등대", "91.3", "5"), ("Lighthouse", "", "12"))))
    assert lines_of(mail) == [
        "모델        점수  n",
        "----------  ----  --",
        "등대        91.3  5",
        "Lighthouse        12",
    ]
    (shown,) = mail.tree.css("table:has(> thead)")
    assert [node.text() for node in shown.css('thead th[scope="col"]')] == ["모델", "점수", "n"]
    assert [node.text() for node in shown.css("tbody td")] == ["등대", "91.3", "5", "Lighthouse", "", "12"]


def test_a_table_that_is_too_wide_for_a_line_has_an_entry_for_each_row() -> None:
    note = "토큰을 절반으로 줄였고 정확도는 그대로이며 지연 시간도 크게 줄었습니다"
    mail = Mail(edition_with(table(("모델", "점수", "설명"), ("등대", "91.3", note), ("기준", "", "짧음"))))
    assert lines_of(mail) == [
        "  * 등대",
        "    점수: 91.3",
        "    설명: 토큰을 절반으로 줄였고 정확도는 그대로이며 지연 시간도 크게",
        "      줄었습니다",
        "  * 기준",
        "    설명: 짧음",
    ]


def test_formats_that_unicode_lacks_are_tags_in_html_and_signs_in_the_text_part() -> None:
    runs = (
        TextRun("O(n"),
        TextRun("log n", sup=True),
        TextRun("), L"),
        TextRun("KL", sub=True),
        TextRun(", "),
        TextRun("91", strike=True),
    )
    mail = Mail(edition_with(Block("p", runs)))
    assert [mail.tree.css_first(tag).text() for tag in ("sup", "sub", "s")] == ["log n", "KL", "91"]  # type: ignore[union-attr]
    assert lines_of(mail) == ["O(n^(log n)), L_(KL), ~~91~~"]


@pytest.mark.parametrize("kept_items", [1, 4, 7])
def test_a_nested_list_stays_nested_when_its_end_is_left_out(kept_items: int) -> None:
    short = [item(f"항목 {number}", number % 3) for number in range(kept_items)]
    endless = item("끝없는 항목 " * 20_000, kept_items % 3)
    mail = Mail(edition_with(*blocks("앞 문단입니다."), *short, endless, item("마지막")))
    assert mail.rendered.fitted.left_out
    shown = [node for node in mail.tree.css("li") if "항목" in node.text()]
    assert len(shown) == kept_items
    assert mail.html.count("<ul") == mail.html.count("</ul>")
    assert mail.html.count("<li") == mail.html.count("</li>")
    for depth in range(3):
        deeper = [node for node in mail.tree.css("li " * (depth + 1)) if "항목" in node.text()]
        assert len(deeper) == sum(number % 3 >= depth for number in range(kept_items))


def test_sections_stand_in_the_order_of_the_post_and_are_placed_before_abstracts() -> None:
    sections = (
        Section("결과", "intro", blocks("결과입니다.")),
        Section("한계", "link", blocks("한계입니다.")),
    )
    mail = Mail(edition_of(issue_of([paper(sections=sections)])))
    for body in (mail.visible_text, mail.text):
        places = [body.index(text) for text in ("결과입니다.", "번째 논문의 초록입니다.", "한계입니다.")]
        assert places == sorted(places)
    assert RANKS.index("notes") < RANKS.index("section") < RANKS.index("abstract")


def test_a_closing_stands_after_the_last_paper_in_both_bodies() -> None:
    issue = replace(issue_of(2), closing=blocks("읽어 주셔서 고맙습니다."))
    mail = Mail(edition_of(issue))
    for body in (mail.visible_text, mail.text):
        last_text = body.index("2번째 논문의 초록입니다.")
        assert last_text < body.index(translate(Language.KO, "closing")) < body.index("읽어 주셔서")
