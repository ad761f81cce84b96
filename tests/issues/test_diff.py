"""A diff names what an edit did: papers were added, withdrawn, corrected, retitled or moved, or nothing was."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issues.diff import IssueDiff, diff
from issues.parse.content import IssueContent, Link, PaperContent, Picture
from issues.parse.text import Block, TextRun
from tests.support.factories import blocks, issue_of, paper


def changes(before: Sequence[PaperContent], after: Sequence[PaperContent]) -> IssueDiff:
    return diff(issue_of(before), issue_of(after))


def test_an_added_paper_is_named_by_its_english_title() -> None:
    found = changes([paper(1)], [paper(1), paper(2)])
    assert found == IssueDiff(added=("The title of paper 2",), pairs=(0, None))


def test_a_withdrawn_paper_is_named_and_the_others_are_still_paired() -> None:
    found = changes([paper(1), paper(2), paper(3)], [paper(1), paper(3)])
    assert found == IssueDiff(withdrawn=("The title of paper 2",), pairs=(0, 2))


def test_a_correction_names_the_paper_the_part_and_both_texts() -> None:
    after = paper(2, intro_ko=blocks("2번째 논문을 다시 소개합니다."))
    found = changes([paper(1), paper(2)], [paper(1), after])
    assert [(c.paper, c.field, c.before, c.after) for c in found.corrected] == [
        ("The title of paper 2", "intro_ko", "2번째 논문을 소개합니다.", "2번째 논문을 다시 소개합니다.")
    ]
    assert (found.added, found.withdrawn, found.retitled, found.moved) == ((), (), (), ())


@pytest.mark.parametrize("field", ["title_ko", "title_en"])
def test_a_corrected_title_is_a_new_title_of_the_same_paper(field: str) -> None:
    found = changes([paper(1)], [paper(1, **{field: "새 제목"})])
    assert [(change.field, change.after) for change in found.retitled] == [(field, "새 제목")]
    assert found.pairs == (0,)
    assert (found.added, found.withdrawn, found.corrected) == ((), (), ())


def test_a_paper_whose_link_was_corrected_is_found_by_its_title() -> None:
    found = changes([paper(1), paper(2)], [paper(1, url="https://owl.example/"), paper(2)])
    assert found.pairs == (0, 1)
    assert [(change.field, change.after) for change in found.corrected] == [("url", "https://owl.example/")]


def test_a_paper_without_an_english_title_is_found_by_its_korean_title() -> None:
    before = paper(1, title_en="", url="")
    assert changes([before], [replace(before, url="https://owl.example/")]).pairs == (0,)


def test_a_paper_with_the_link_of_another_by_mistake_is_still_paired_with_itself() -> None:
    found = changes([paper(1), paper(2)], [paper(1, url=paper(2).url), paper(2)])
    assert found.pairs == (0, 1)
    assert (found.added, found.withdrawn) == ((), ())


def test_papers_whose_links_were_mixed_up_are_told_by_their_titles_and_texts() -> None:
    swapped = [paper(1, url=paper(2).url), paper(2, url=paper(1).url)]
    found = changes([paper(1), paper(2)], swapped)
    assert found.pairs == (0, 1)
    assert [(change.paper, change.field) for change in found.corrected] == [
        ("The title of paper 1", "url"),
        ("The title of paper 2", "url"),
    ]


def test_two_papers_with_the_same_link_stay_two_papers() -> None:
    twins = [paper(1), paper(2, url=paper(1).url)]
    assert not changes(twins, twins)
    assert changes(twins, twins).pairs == (0, 1)


def test_only_the_paper_that_left_its_position_counts_as_moved() -> None:
    found = changes([paper(n) for n in (1, 2, 3, 4)], [paper(n) for n in (4, 1, 2, 3)])
    assert found == IssueDiff(moved=("The title of paper 4",), pairs=(3, 0, 1, 2))


def test_a_corrected_overview_belongs_to_no_paper() -> None:
    found = diff(issue_of(1, overview=blocks("개요입니다.")), issue_of(1, overview=blocks("새 개요입니다.")))
    assert [(change.paper, change.field) for change in found.corrected] == [("", "overview")]


def test_a_corrected_title_of_the_post_is_reported() -> None:
    found = diff(issue_of(1), replace(issue_of(1), title="다른 제목"))
    assert [(change.paper, change.field) for change in found.retitled] == [("", "title")]


def link_to(url: str) -> tuple[Block, ...]:
    return (Block("p", (TextRun("코드", href=url),)),)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"intro_ko": blocks("🔥 소개")}, {"intro_ko": blocks("소개")}),
        ({"intro_ko": blocks("🇰🇷 소개 👍🏽")}, {"intro_ko": blocks("👍 소개")}),
        ({"intro_ko": blocks("정확도 **41%**를")}, {"intro_ko": blocks("정확도 41%를")}),
        ({"intro_ko": blocks("한  문장\n입니다")}, {"intro_ko": blocks("한 문장 입니다 ")}),
        ({"intro_ko": blocks("앞.", "뒤.")}, {"intro_ko": blocks("앞. 뒤.")}),
        ({"intro_ko": blocks("굵게")}, {"intro_ko": (Block("li", (TextRun("굵게", bold=True),)),)}),
        ({"title_ko": "🔥 제목"}, {"title_ko": "제목"}),
        ({"url": "http://arxiv.org/pdf/2508.1v2"}, {"url": "https://arxiv.org/abs/2508.1"}),
        ({"links": (Link("https://twitter.com/a/"),)}, {"links": (Link("http://x.com/a?utm_source=b"),)}),
        ({"notes": link_to("http://a.example/")}, {"notes": link_to("https://a.example")}),
        ({"pictures": (Picture("https://a.example/1", 1, 1),)}, {"pictures": ()}),
        ({"anchor": "p-1-owl-3"}, {"anchor": "p-1-owl-8"}),
    ],
)
def test_emoji_styles_spaces_pictures_anchors_and_link_spellings_are_no_change(
    before: dict[str, object], after: dict[str, object]
) -> None:
    assert not changes([paper(1, **before)], [paper(1, **after)])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"intro_ko": blocks("41%")}, {"intro_ko": blocks("42%")}),
        ({"intro_ko": blocks("A↔B")}, {"intro_ko": blocks("AB")}),
        ({"intro_ko": link_to("https://a.example/1")}, {"intro_ko": link_to("https://a.example/2")}),
        ({"links": (Link("https://a.example/"),)}, {"links": ()}),
        ({"abstract_en": blocks("Text.")}, {"abstract_en": ()}),
        ({"notes": ()}, {"notes": blocks("곧 공개됩니다.")}),
    ],
)
def test_a_changed_number_symbol_or_link_and_a_lost_text_are_corrections(
    before: dict[str, object], after: dict[str, object]
) -> None:
    assert changes([paper(1, **before)], [paper(1, **after)]).corrected


_TEXTS = st.lists(st.text("가나 ab🔥*", max_size=6), max_size=2).map(lambda texts: blocks(*texts))
_PAPERS = st.builds(
    paper,
    st.integers(1, 6),
    title_en=st.sampled_from(["", "Owl", "Hawk", "Swift"]),
    url=st.sampled_from(["", "https://a.example/1", "https://a.example/2", "https://a.example/3"]),
    intro_ko=_TEXTS,
    abstract_en=_TEXTS,
)
_ISSUES: st.SearchStrategy[IssueContent] = st.builds(issue_of, st.lists(_PAPERS, max_size=6), overview=_TEXTS)


@given(_ISSUES)
def test_an_issue_does_not_differ_from_itself(issue: IssueContent) -> None:
    found = diff(issue, issue)
    assert not found
    assert found.pairs == tuple(range(len(issue.papers)))


@given(_ISSUES, _ISSUES)
def test_every_paper_is_kept_added_or_withdrawn_exactly_once(
    before: IssueContent, after: IssueContent
) -> None:
    found = diff(before, after)
    kept = [index for index in found.pairs if index is not None]
    assert len(kept) == len(set(kept))
    assert len(kept) + len(found.added) == len(after.papers)
    assert len(kept) + len(found.withdrawn) == len(before.papers)


@given(st.lists(st.integers(1, 8), unique=True), st.lists(st.integers(1, 8), unique=True))
def test_undoing_an_edit_withdraws_what_it_added_and_adds_what_it_withdrew(
    before: list[int], after: list[int]
) -> None:
    edit = changes([paper(n) for n in before], [paper(n) for n in after])
    undoing = changes([paper(n) for n in after], [paper(n) for n in before])
    assert edit.added == undoing.withdrawn
    assert edit.withdrawn == undoing.added
    assert len(edit.moved) == len(undoing.moved)
