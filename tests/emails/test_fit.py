"""How much of each text a mail shows: within the limit, the most important first, and papers treated alike."""

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
SPARE_BYTES = 600  # that may stay unused


def paragraphs(count: int, prefix: str = "text") -> tuple[Block, ...]:
    return blocks(*(f"{prefix} {number}" for number in range(count)))


@st.composite
def editions(draw: st.DrawFn) -> Edition:
    """Editions of papers with any number of blocks in each of their texts."""
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


def draw_sizes(edition: Edition, data: st.DataObject, max_bytes: int = 9_000) -> dict[BlockRef, HtmlSize]:
    def size() -> HtmlSize:
        plain = data.draw(st.integers(1, max_bytes))
        return HtmlSize(plain, data.draw(st.integers(plain, 3 * plain)))

    return {ref: size() for ref in block_refs(edition)}


def block_refs(edition: Edition) -> list[BlockRef]:
    return [
        BlockRef(index, block)
        for index, part in enumerate(edition.parts)
        for block in range(len(part.blocks))
    ]


def fitted_blocks(
    edition: Edition, sizes: dict[BlockRef, HtmlSize], limit: int, note: HtmlSize = NOTE
) -> FittedBlocks:
    return fit(edition.units, FRAME, sizes, [note] * len(edition.units), limit)


def mail_bytes(edition: Edition, sizes: dict[BlockRef, HtmlSize], shown: Sequence[int]) -> int:
    """The size of the mail: its frame, the shown blocks, and a note below each unit that was cut."""
    total = FRAME
    counts = iter(enumerate(shown))
    for unit in edition.units:
        is_cut = False
        for part, (index, count) in zip(unit, counts, strict=False):
            total += sum((sizes[BlockRef(index, block)] for block in range(count)), NO_SIZE)
            is_cut |= count < len(part.blocks)
        total += NOTE if is_cut else NO_SIZE
    return total.larger


@given(editions(), st.integers(12_000, 95_000), st.data())
def test_a_mail_with_its_notes_stays_within_the_limit(
    edition: Edition, limit: int, data: st.DataObject
) -> None:
    sizes = draw_sizes(edition, data)
    fitted = fitted_blocks(edition, sizes, limit)
    if mail_bytes(edition, sizes, [0] * len(edition.parts)) + SPARE_BYTES <= limit:
        assert mail_bytes(edition, sizes, fitted.shown) <= limit


@given(editions(), st.integers(8_000, 95_000), st.data())
def test_every_text_that_is_cut_had_a_block_that_was_larger_than_the_room(
    edition: Edition, limit: int, data: st.DataObject
) -> None:
    fitted = fitted_blocks(edition, draw_sizes(edition, data), limit)
    cut = {
        BlockRef(index, shown)
        for index, (part, shown) in enumerate(zip(edition.parts, fitted.shown, strict=True))
        if shown < len(part.blocks)
    }
    assert {entry.ref for entry in fitted.left_out} == cut
    assert len(fitted.left_out) == len(cut)
    assert all(entry.needed > entry.room for entry in fitted.left_out)
    ranks = [RANKS.index(entry.rank) for entry in fitted.left_out]
    assert ranks == sorted(ranks), "the entries are in the order of importance"


@given(editions(), st.integers(12_000, 95_000), st.data())
def test_the_next_block_of_a_cut_text_would_not_fit(
    edition: Edition, limit: int, data: st.DataObject
) -> None:
    sizes = draw_sizes(edition, data)
    shown = fitted_blocks(edition, sizes, limit).shown
    for index, part in enumerate(edition.parts):
        if shown[index] < len(part.blocks):
            more = [count + (other == index) for other, count in enumerate(shown)]
            assert mail_bytes(edition, sizes, more) > limit - SPARE_BYTES


@given(editions(), st.data())
def test_nothing_is_left_out_when_there_is_room_for_everything(edition: Edition, data: st.DataObject) -> None:
    fitted = fitted_blocks(edition, draw_sizes(edition, data), 10_000_000)
    assert fitted == FittedBlocks(tuple(len(part.blocks) for part in edition.parts), ())


@given(editions(), st.data())
def test_a_mail_that_fits_completely_needs_no_room_for_notes(edition: Edition, data: st.DataObject) -> None:
    sizes = draw_sizes(edition, data, max_bytes=200)
    everything = tuple(len(part.blocks) for part in edition.parts)
    limit = mail_bytes(edition, sizes, everything) + SPARE_BYTES
    assert fitted_blocks(edition, sizes, limit) == FittedBlocks(everything, ())


@given(editions(), st.integers(8_000, 60_000), st.integers(100, 4_000))
def test_papers_of_the_same_sizes_are_treated_alike(edition: Edition, limit: int, size: int) -> None:
    sizes = dict.fromkeys(block_refs(edition), HtmlSize(size, size))
    fitted = fitted_blocks(edition, sizes, limit, note=NO_SIZE)
    for rank in ("intro", "abstract"):
        shown = [
            (kept, len(part.blocks))
            for part, kept in zip(edition.parts, fitted.shown, strict=True)
            if part.name == rank and (rank == "intro" or not part.opens)
        ]
        kept_where_cut = [kept for kept, count in shown if kept < count]
        if kept_where_cut:
            # Texts get one block each in turn, so none is two blocks behind, and none is behind a later text.
            assert max(kept for kept, _ in shown) - min(kept_where_cut) <= 1
            ends = [
                min(kept, min(kept_where_cut) + 1) for kept, count in shown if count > min(kept_where_cut)
            ]
            assert ends == sorted(ends, reverse=True)


@given(editions(), st.integers(6_000, 40_000))
def test_no_abstract_is_shown_while_an_equally_long_opening_is_left_out(edition: Edition, limit: int) -> None:
    sizes = dict.fromkeys(block_refs(edition), HtmlSize(1_500, 2_000))
    fitted = fitted_blocks(edition, sizes, limit, note=NO_SIZE)
    pairs = list(zip(edition.parts, fitted.shown, strict=True))
    if any(part.opens and kept == 0 for part, kept in pairs):
        assert fitted.lacks_openings
        assert all(kept <= 1 if part.opens else kept == 0 for part, kept in pairs)


def test_no_paper_of_an_english_mail_is_without_a_text_while_another_has_two() -> None:
    rich = [paper(number, intro_en=paragraphs(6), abstract_en=paragraphs(6)) for number in range(1, 6)]
    poor = [paper(number, intro_en=(), abstract_en=paragraphs(6)) for number in range(6, 11)]
    edition = edition_of(issue_of(rich + poor), language="en")
    fitted = fitted_blocks(edition, dict.fromkeys(block_refs(edition), HtmlSize(1_000, 1_000)), 20_000)
    assert fitted.left_out
    shown = iter(fitted.shown)
    for unit in edition.units:
        counts = [next(shown) for _ in unit]
        assert sum(counts) >= 1 or not unit


def test_an_extraordinarily_long_opening_does_not_count_as_lacking() -> None:
    edition = edition_of(issue_of(2, overview=()))
    for size, counts in ((MAX_ORDINARY_BYTES // 2, True), (3 * MAX_ORDINARY_BYTES, False)):
        sizes = dict.fromkeys(block_refs(edition), HtmlSize(size, size))
        fitted = fitted_blocks(edition, sizes, FRAME.plain + 4_000)
        assert fitted.lacks_openings == counts


@given(st.text(alphabet=st.sampled_from("ab c한글😀=\n\t&;<>.é"), max_size=2_000))
def test_a_size_is_never_smaller_than_what_is_sent(html: str) -> None:
    size = size_of(html)
    assert size.plain >= len(html.replace("\n", "\r\n").encode())
    # Spaces at the end of a line and a dot at the start of an encoded line are encoded too. MJML leaves no such
    # spaces, and the margin of the layout covers the dots.
    spaces = 4 * (html.count(" \n") + html.count("\t\n") + html.endswith((" ", "\t")))
    assert size.encoded + spaces + 5 * html.count(".") >= len(b"".join(Body(html).filled({})))


@given(st.lists(st.text(alphabet=st.sampled_from("ab한😀=<"), max_size=50), max_size=10))
def test_sizes_add_up(fragments: list[str]) -> None:
    assert sum((size_of(fragment) for fragment in fragments), NO_SIZE) == size_of("".join(fragments))
