"""A correction says what changed: titles, links, and each sentence."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language, TextLanguage
from emails.changes import has_changes, with_new_sentences_marked
from emails.choose import edition_to_resend
from emails.content import MailSpec
from emails.edition import Part
from emails.kinds import MailKind
from issues.parse.content import PaperContent
from issues.parse.text import Block, TextRun, table_of
from tests.support.factories import arrivals_of, blocks, issue_of, paper
from tests.support.mail_reader import Mail, languages, without_spaces


def correction(
    before: PaperContent, after: PaperContent, language: str = "ko", detail: Detail = Detail.FULL
) -> Mail:
    (arrival,) = arrivals_of(issue_of([after]))
    spec = MailSpec("resend:9001", Language(language), Frequency.WEEKLY, MailKind.CORRECTION, detail)
    return Mail(edition_to_resend([replace(arrival, before=before)], spec))


def marked(mail: Mail) -> list[str]:
    return [node.text() for node in mail.tree.css("mark")]


@languages
def test_a_corrected_title_is_shown_before_and_after(language: Language) -> None:
    before = paper(1, title_ko="등데", title_en="Lighthuose")
    mail = correction(before, paper(1, title_ko="등대", title_en="Lighthouse"), language)
    struck = [node.text() for node in mail.tree.css("s")]
    assert (
        struck
        == {"ko": ["등데", "Lighthuose"], "en": ["Lighthuose"], "both": ["등데", "Lighthuose"]}[language]
    )
    assert "Lighthuose → Lighthouse" in mail.text
    assert not marked(mail)


def test_a_corrected_link_is_shown_before_and_after() -> None:
    before = paper(1, url="https://arxiv.org/abs/2508.99999")
    mail = correction(before, paper(1))
    assert [node.text() for node in mail.tree.css("s")] == ["https://arxiv.org/abs/2508.99999"]
    assert "https://arxiv.org/abs/2508.99999 → https://arxiv.org/abs/2508.00001" in " ".join(
        mail.text.split()
    )


def test_a_title_that_was_missing_counts_as_a_change() -> None:
    mail = correction(paper(1, title_en=""), paper(1), "en")
    assert has_changes(mail.edition)
    assert f"The title was corrected: {paper(1).title_en}" in mail.visible_text


def test_a_sentence_whose_link_changed_is_marked() -> None:
    before, after = (
        paper(
            1,
            intro_ko=(Block("p", (TextRun("코드는 "), TextRun("여기", href=url), TextRun("에 있습니다."))),),
        )
        for url in ("https://a.example/1", "https://a.example/2")
    )
    assert marked(correction(before, after)) == ["코드는 ", "여기", "에 있습니다."]


@pytest.mark.parametrize("detail", Detail)
def test_the_sentences_that_changed_are_marked_in_both_bodies_whatever_the_detail(detail: Detail) -> None:
    before = paper(1, intro_ko=blocks("등대를 제안합니다. 정확도는 41%입니다. 코드도 있습니다."))
    after = paper(1, intro_ko=blocks("등대를 제안합니다. 정확도는 14%입니다. 코드도 있습니다."))
    mail = correction(before, after, detail=detail)
    assert [text.strip() for text in marked(mail)] == ["정확도는 14%입니다."]
    assert ">>정확도는14%입니다.<<" in without_spaces(mail.text)


def test_a_sentence_that_only_moved_is_not_marked_and_removed_ones_are_counted() -> None:
    before = paper(1, intro_ko=blocks("첫 문장입니다. 둘째 문장입니다. 셋째 문장입니다."))
    mail = correction(before, paper(1, intro_ko=blocks("셋째 문장입니다.", "첫 문장입니다.")))
    assert not marked(mail)
    assert "문장 1개를 뺐습니다." in mail.visible_text


def test_an_ordinary_mail_and_a_copy_mark_nothing() -> None:
    arrivals = arrivals_of(issue_of([paper(1, intro_ko=blocks("새 소개입니다."))]))
    spec = MailSpec("resend:9001", Language.KO, Frequency.WEEKLY, MailKind.COPY)
    assert not marked(Mail(edition_to_resend(arrivals, spec)))


def test_a_cell_of_a_table_that_changed_is_marked() -> None:
    def table(value: str) -> Block:
        return table_of([[[TextRun("모델")], [TextRun("점수")]], [[TextRun("등대")], [TextRun(value)]]])

    mail = correction(paper(1, intro_ko=(table("41"),)), paper(1, intro_ko=(table("14"),)))
    assert marked(mail) == ["14"]


@given(
    st.lists(
        st.lists(st.sampled_from(["등대입니다. ", "Light (a.k.a. L). ", "!? ", "", "글"]), max_size=5),
        max_size=4,
    )
)
def test_marking_changes_no_text(pieces: list[list[str]]) -> None:
    runs = tuple(
        TextRun("".join(piece), bold=bool(number % 2))
        for number, piece in enumerate(pieces)
        if "".join(piece)
    )
    part = Part("intro", TextLanguage.KO, (Block("p", runs),))
    found = with_new_sentences_marked(part, blocks("등대입니다."))
    assert [block.text for block in found.blocks] == [block.text for block in part.blocks]
