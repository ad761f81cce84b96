"""The language of a block follows from its quote, its place and its letters."""

import pytest

from tests.support.parsed_posts import parsed_paper, parsed_post, simplified_texts
from tests.support.post_html import paper_html

LATIN_LINES = (
    "GPT-4o, Claude 3.5 Sonnet, Gemini 1.5 Pro",
    "Attention Is All You Need",
    "O(n log n)",
    "A100 × 8",
)


@pytest.mark.parametrize("line", LATIN_LINES)
@pytest.mark.parametrize("quoted", [True, False])
def test_one_latin_line_stays_among_the_korean_blocks(line: str, quoted: bool) -> None:
    english = "<p>The English abstract is here.</p>"
    english = f"<blockquote>{english}</blockquote>" if quoted else english
    html = paper_html(
        abstract=f"<p>첫 문단입니다.</p><p>{line}</p><p>다음 문단입니다.</p><p>{line}</p>{english}"
    )
    paper = parsed_paper(html)
    assert simplified_texts(paper.abstract_ko) == ["첫 문단입니다.", line, "다음 문단입니다.", line]
    assert simplified_texts(paper.abstract_en) == ["The English abstract is here."]


@pytest.mark.parametrize("word", ["한국어", "‘정(情)’", "서울대학교"])
def test_one_korean_word_does_not_move_an_english_sentence(word: str) -> None:
    sentence = f"We collected 1,200 dialogues at {word} and compared them with the original English data."
    html = paper_html(abstract=f"<p>초록의 한국어 문장입니다.</p><blockquote><p>{sentence}</p></blockquote>")
    paper = parsed_paper(html)
    assert simplified_texts(paper.abstract_en) == [sentence]
    assert simplified_texts(paper.abstract_ko) == ["초록의 한국어 문장입니다."]


def test_a_korean_block_of_mostly_latin_names_stays_korean() -> None:
    names = "GPT-4o, Claude 3.5 Sonnet, Gemini 1.5 Pro, Llama 3.1 405B, DeepSeek-V3, Qwen2.5-72B 비교"
    html = paper_html(abstract=f"<p>{names}</p><blockquote><p>The English abstract.</p></blockquote>")
    assert simplified_texts(parsed_paper(html).abstract_ko) == [names]


def test_a_korean_sentence_after_the_english_quote_is_korean() -> None:
    html = paper_html(
        abstract="<p>초록입니다.</p><blockquote><p>The English abstract.</p></blockquote><p>코드는 공개되어 있습니다.</p>"
    )
    paper = parsed_paper(html)
    assert simplified_texts(paper.abstract_ko) == ["초록입니다.", "코드는 공개되어 있습니다."]
    assert simplified_texts(paper.abstract_en) == ["The English abstract."]


def test_a_formula_at_the_beginning_goes_with_the_text_that_follows_it() -> None:
    english = "<p>E = mc2</p><p>42</p><p>The English abstract is here.</p>"
    paper = parsed_paper(
        paper_html(abstract=f"<p>초록의 한국어 문장입니다.</p><blockquote>{english}</blockquote>")
    )
    assert simplified_texts(paper.abstract_ko) == ["초록의 한국어 문장입니다."]
    html = paper_html(intro=english, abstract="<p>초록의 한국어 문장입니다.</p>")
    assert simplified_texts(parsed_post(html).papers[0].intro_en) == [
        "E = mc2",
        "42",
        "The English abstract is here.",
    ]


def test_a_list_is_in_one_language_whatever_one_of_its_entries_is_in() -> None:
    entries = (
        "<li>정확도가 높습니다</li>",
        "<li>Mixture-of-Experts</li>",
        "<li>비용이 낮습니다</li>",
        "<li>LoRA</li>",
    )
    paper = parsed_paper(paper_html(intro=f"<p>핵심은 이렇습니다.</p><ul>{''.join(entries)}</ul>"))
    assert len(paper.intro_ko) == 5
    assert paper.intro_en == ()


def test_a_line_break_parts_a_paragraph_in_both_languages_and_no_other() -> None:
    korean, english = "초록의 한국어 문장입니다.", "The abstract says what we propose and how we confirm it."
    paper = parsed_paper(paper_html(abstract=f"<p>{korean}<br>\n<strong>{english}</strong></p>"))
    assert simplified_texts(paper.abstract_ko) == [korean]
    assert simplified_texts(paper.abstract_en) == [english]
    for lines in (
        f"{korean}<br>\nOwl Net!",
        f"{english}<br>\n{korean}",
        f"{korean}<br>\n{english}<br>\n{korean}",
    ):
        paper = parsed_paper(paper_html(abstract=f"<p>{lines}</p>"))
        assert (len(paper.abstract_ko), paper.abstract_en) == (1, ())
