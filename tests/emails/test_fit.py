"""How much of each text a mail shows: within the limit, most important first, papers alike."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from emails.edition import Edition
from emails.mime.body import Body
from emails.rendering.fit import MAX_ORDINARY_BYTES, RANKS, BlockRef, FittedBlocks, fit
from emails.rendering.size import NO_SIZE, HtmlSize, size_of
from issues.parse.text import Block
from tests.support.factories import blocks, edition_of, issue_of, paper

FRAME = HtmlSize(5_000, 6_000)
NOTE = HtmlSize(120, 200)
SPARE = 600  # bytes that a layout may keep back


def paragraphs(count: int, prefix: str = "text") -> tuple[Block, ...]:
    return blocks(*(f"{prefix} {number}" for number in range(count)))


@st.composite
def editions(draw: st.DrawFn) -> Edition:
    """Editions of papers with any number of blocks in any of their texts."""
    papers = [
        paper(
            number,
            **{
                name: paragraphs(draw(st.integers(0, 4)))
                for name in ("intro_ko", "intro_en", "abstract_ko", "abstract_en")
            },
        )
        for number in range(1, draw(st.integers(1, 8)) + 1)
    ]
    issue = issue_of(
        papers,
        overview=paragraphs(draw(st.integers(0, 3))),
        summary=paragraphs(draw(st.integers(0, 3))),
    )
    return edition_of(issue, language=draw(st.sampled_from(["ko", "en", "both"])))


def sizes_of(edition: Edition, draw: st.DataObject, most: int = 9_000) -> dict[BlockRef, HtmlSize]:
    def size() -> HtmlSize:
        plain = draw.draw(st.integers(1, most))
        return HtmlSize(plain, draw.draw(st.integers(plain, 3 * plain)))

    return {piece: size() for piece in pieces_of(edition)}


def pieces_of(edition: Edition) -> list[BlockRef]:
    return [
        BlockRef(index, place)
        for index, part in enumerate(edition.parts)
        for place in range(len(part.blocks))
    ]


def laid_out(
    edition: Edition, sizes: dict[BlockRef, HtmlSize], limit: int, note: HtmlSize = NOTE
) -> FittedBlocks:
    return fit(edition.units, FRAME, sizes, [note] * len(edition.units), limit)


def taken(edition: Edition, sizes: dict[BlockRef, HtmlSize], shown: Sequence[int]) -> int:
    """What the mail takes: its frame, all blocks shown, and a note below each unit that was cut."""
    total = FRAME
    kept = iter(enumerate(shown))
    for unit in edition.units:
        is_cut = False
        for part, (index, count) in zip(unit, kept, strict=False):
            total += sum((sizes[BlockRef(index, place)] for place in range(count)), NO_SIZE)
            is_cut |= count < len(part.blocks)
        total += NOTE if is_cut else NO_SIZE
    return total.most


@given(editions(), st.integers(12_000, 95_000), st.data())
def test_a_mail_stays_within_its_limit_decoded_and_encoded_notes_included(
    edition: Edition, limit: int, data: st.DataObject
) -> None:
    sizes = sizes_of(edition, data)
    fitted = laid_out(edition, sizes, limit)
    if taken(edition, sizes, [0] * len(edition.parts)) + SPARE <= limit:
        assert taken(edition, sizes, fitted.shown) <= limit


@given(editions(), st.integers(8_000, 95_000), st.data())
def test_every_text_left_out_is_explained_by_a_block_that_was_larger_than_the_room(
    edition: Edition, limit: int, data: st.DataObject
) -> None:
    fitted = laid_out(edition, sizes_of(edition, data), limit)
    cut = {
        BlockRef(index, shown)
        for index, (part, shown) in enumerate(zip(edition.parts, fitted.shown, strict=True))
        if shown < len(part.blocks)
    }
    assert {entry.piece for entry in fitted.cuts} == cut
    assert len(fitted.cuts) == len(cut)
    assert all(entry.needed > entry.room for entry in fitted.cuts)
    ranks = [RANKS.index(entry.rank) for entry in fitted.cuts]
    assert ranks == sorted(ranks), "the least important is left out first"


@given(editions(), st.integers(12_000, 95_000), st.data())
def test_no_block_that_comes_next_in_its_text_would_still_fit(
    edition: Edition, limit: int, data: st.DataObject
) -> None:
    sizes = sizes_of(edition, data)
    shown = laid_out(edition, sizes, limit).shown
    for index, part in enumerate(edition.parts):
        if shown[index] < len(part.blocks):
            more = [count + (place == index) for place, count in enumerate(shown)]
            assert taken(edition, sizes, more) > limit - SPARE


@given(editions(), st.data())
def test_with_room_for_everything_nothing_is_left_out(edition: Edition, data: st.DataObject) -> None:
    fitted = laid_out(edition, sizes_of(edition, data), 10_000_000)
    assert fitted == FittedBlocks(tuple(len(part.blocks) for part in edition.parts), ())


@given(editions(), st.data())
def test_a_mail_that_fits_as_a_whole_needs_no_room_for_notes(edition: Edition, data: st.DataObject) -> None:
    sizes = sizes_of(edition, data, most=200)
    everything = tuple(len(part.blocks) for part in edition.parts)
    limit = taken(edition, sizes, everything) + SPARE
    assert laid_out(edition, sizes, limit) == FittedBlocks(everything, ())


@given(editions(), st.integers(8_000, 60_000), st.integers(100, 4_000))
def test_papers_of_the_same_sizes_are_treated_alike(edition: Edition, limit: int, size: int) -> None:
    sizes = dict.fromkeys(pieces_of(edition), HtmlSize(size, size))
    fitted = laid_out(edition, sizes, limit, note=NO_SIZE)
    for rank in ("intro", "abstract"):
        shown = [
            (kept, len(part.blocks))
            for part, kept in zip(edition.parts, fitted.shown, strict=True)
            if part.name == rank and (rank == "intro" or not part.opens)
        ]
        kept_where_cut = [kept for kept, count in shown if kept < count]
        if kept_where_cut:
            # Texts take turns, so nobody is two blocks behind, and earlier texts are never behind later ones.
            assert max(kept for kept, _ in shown) - min(kept_where_cut) <= 1
            ends = [
                min(kept, min(kept_where_cut) + 1) for kept, count in shown if count > min(kept_where_cut)
            ]
            assert ends == sorted(ends, reverse=True)


@given(editions(), st.integers(6_000, 40_000))
def test_no_abstract_stands_where_an_equally_long_opening_was_left_out(edition: Edition, limit: int) -> None:
    sizes = dict.fromkeys(pieces_of(edition), HtmlSize(1_500, 2_000))
    fitted = laid_out(edition, sizes, limit, note=NO_SIZE)
    pairs = list(zip(edition.parts, fitted.shown, strict=True))
    if any(part.opens and kept == 0 for part, kept in pairs):
        assert fitted.lacks_openings
        assert all(kept <= 1 if part.opens else kept == 0 for part, kept in pairs)


def test_in_an_english_mail_no_paper_stands_without_a_text_while_another_has_two() -> None:
    rich = [paper(number, intro_en=paragraphs(6), abstract_en=paragraphs(6)) for number in range(1, 6)]
    poor = [paper(number, intro_en=(), abstract_en=paragraphs(6)) for number in range(6, 11)]
    edition = edition_of(issue_of(rich + poor), language="en")
    fitted = laid_out(edition, dict.fromkeys(pieces_of(edition), HtmlSize(1_000, 1_000)), 20_000)
    assert fitted.cuts
    shown = iter(fitted.shown)
    for unit in edition.units:
        counts = [next(shown) for _ in unit]
        assert sum(counts) >= 1 or not unit


def test_an_opening_of_a_length_that_nobody_writes_does_not_hold_back_a_paper() -> None:
    edition = edition_of(issue_of(2, overview=()))
    for size, holds_back in ((MAX_ORDINARY_BYTES // 2, True), (3 * MAX_ORDINARY_BYTES, False)):
        sizes = dict.fromkeys(pieces_of(edition), HtmlSize(size, size))
        fitted = laid_out(edition, sizes, FRAME.plain + 4_000)
        assert fitted.lacks_openings == holds_back


@given(st.text(alphabet=st.sampled_from("ab c한글😀=\n\t&;<>.é"), max_size=2_000))
def test_a_size_is_never_smaller_than_what_goes_over_the_wire(html: str) -> None:
    size = size_of(html)
    assert size.plain >= len(html.replace("\n", "\r\n").encode())
    # A space at the end of a line is encoded too, and a dot where a line happens to begin: MJML leaves
    # none of the former, and the layout's spare covers the latter.
    spaces = 4 * (html.count(" \n") + html.count("\t\n") + html.endswith((" ", "\t")))
    assert size.sent + spaces + 5 * html.count(".") >= len(b"".join(Body(html).personalized({})))


@given(st.lists(st.text(alphabet=st.sampled_from("ab한😀=<"), max_size=50), max_size=10))
def test_sizes_add_up(pieces: list[str]) -> None:
    assert sum((size_of(piece) for piece in pieces), HtmlSize(0, 0)) == size_of("".join(pieces))
