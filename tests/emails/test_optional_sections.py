"""Pieces of a rendered mail: measured as they are, kept or cut by name, and nothing else touched."""

from hypothesis import given
from hypothesis import strategies as st

from emails.rendering.optional_sections import keep_sections, section_sizes
from emails.rendering.size import NO_SIZE, size_of

HTML = st.text(alphabet=st.sampled_from("ab한😀=<>&/-!\n"), max_size=30).filter(
    lambda text: "<!--" not in text
)
NAMES = st.sampled_from(["b1", "b11", "t1", "n0"])
PIECES = st.lists(st.tuples(st.one_of(st.none(), NAMES), HTML), max_size=12)


def joined(pieces: list[tuple[str | None, str]]) -> str:
    return "".join(f"<!--{name}-->{html}<!--/{name}-->" if name else html for name, html in pieces)


@given(PIECES, st.sets(NAMES))
def test_of_a_mail_stays_what_has_no_name_or_one_that_is_kept(
    pieces: list[tuple[str | None, str]], kept: set[str]
) -> None:
    expected = "".join(html for name, html in pieces if name is None or name in kept)
    assert keep_sections(joined(pieces), kept.__contains__) == expected


@given(PIECES)
def test_all_pieces_of_a_name_together_are_what_keeping_it_costs(
    pieces: list[tuple[str | None, str]],
) -> None:
    html = joined(pieces)
    measured = section_sizes(html)
    assert set(measured) == {name for name, _ in pieces if name}
    frame = size_of(keep_sections(html, lambda _: False))
    for name, size in measured.items():
        assert frame + size == size_of(keep_sections(html, {name}.__contains__))
    assert sum(measured.values(), frame) == size_of(keep_sections(html, lambda _: True))
    assert measured["no such name"] == NO_SIZE
