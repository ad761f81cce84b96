"""Optional sections of a rendered mail are measured, and kept or removed by name."""

from hypothesis import given
from hypothesis import strategies as st

from emails.rendering.optional_sections import keep_sections, section_sizes
from emails.rendering.size import NO_SIZE, size_of

HTML = st.text(alphabet=st.sampled_from("ab한😀=<>&/-!\n"), max_size=30).filter(
    lambda text: "<!--" not in text
)
NAMES = st.sampled_from(["b1", "b11", "t1", "n0"])
FRAGMENTS = st.lists(st.tuples(st.one_of(st.none(), NAMES), HTML), max_size=12)


def joined(fragments: list[tuple[str | None, str]]) -> str:
    return "".join(f"<!--{name}-->{html}<!--/{name}-->" if name else html for name, html in fragments)


@given(FRAGMENTS, st.sets(NAMES))
def test_exactly_the_sections_that_are_not_kept_are_removed(
    fragments: list[tuple[str | None, str]], kept: set[str]
) -> None:
    expected = "".join(html for name, html in fragments if name is None or name in kept)
    assert keep_sections(joined(fragments), kept.__contains__) == expected


@given(FRAGMENTS)
def test_the_size_of_a_name_is_the_size_of_all_its_sections(
    fragments: list[tuple[str | None, str]],
) -> None:
    html = joined(fragments)
    measured = section_sizes(html)
    assert set(measured) == {name for name, _ in fragments if name}
    frame = size_of(keep_sections(html, lambda _: False))
    for name, size in measured.items():
        assert frame + size == size_of(keep_sections(html, {name}.__contains__))
    assert sum(measured.values(), frame) == size_of(keep_sections(html, lambda _: True))
    assert measured["no such name"] == NO_SIZE
