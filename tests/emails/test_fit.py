"""How much of each kind of text a mail shows: within the limit, the most important first, and papers treated alike."""

from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from emails.edition import Edition
from emails.mime.body import Body
from emails.rendering.fit import MAX_ORDINARY_BYTES, RANKS, BlockRef, FittedBlocks, TextKind, fit, kind_of
from emails.rendering.size import NO_SIZE, HtmlSize, size_of
from issues.parse.text import Block
from tests.support.factories import blocks, edition_of, issue_of, paper

FRAME = HtmlSize(5_000, 6_000)
NOTES = HtmlSize(300, 400)
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


def draw_sizes(edition: Edition, data: st.DataObject, max_bytes: int = 3_000) -> dict[BlockRef, HtmlSize]:
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


def fitted_blocks(edition: Edition, sizes: Mapping[BlockRef, HtmlSize], limit: int) -> FittedBlocks:
    return fit(edition.parts, FRAME, sizes, NOTES, limit)


def mail_bytes(edition: Edition, sizes: Mapping[BlockRef, HtmlSize], shown: Sequence[int]) -> int:
    """The size of the mail: its frame, the shown blocks, and the notes if anything was left out."""
    total = FRAME
    for index, count in enumerate(shown):
        total += sum((sizes[BlockRef(index, block)] for block in range(count)), NO_SIZE)
    is_cut = any(count < len(part.blocks) for part, count in zip(edition.parts, shown, strict=True))
    return (total + NOTES if is_cut else total).larger


def by_kind(edition: Edition, shown: Sequence[int]) -> dict[TextKind, list[tuple[int, int]]]:
    """For each kind, how many blocks are shown of each text, and how many it has."""
    kinds: dict[TextKind, list[tuple[int, int]]] = {}
    for part, count in zip(edition.parts, shown, strict=True):
        kinds.setdefault(kind_of(part), []).append((count, len(part.blocks)))
    return kinds


@given(editions(), st.integers(12_000, 95_000), st.data())
def test_a_mail_with_its_notes_stays_within_the_limit(
    edition: Edition, limit: int, data: st.DataObject
) -> None:
    sizes = draw_sizes(edition, data)
    fitted = fitted_blocks(edition, sizes, limit)
    if mail_bytes(edition, sizes, [0] * len(edition.parts)) + SPARE_BYTES <= limit:
        assert mail_bytes(edition, sizes, fitted.shown) <= limit


@given(editions(), st.integers(8_000, 95_000), st.data())
def test_of_each_kind_every_paper_has_as_many_first_paragraphs_as_the_others(
    edition: Edition, limit: int, data: st.DataObject
) -> None:
    shown = fitted_blocks(edition, draw_sizes(edition, data), limit).shown
    for counts in by_kind(edition, shown).values():
        most = max(count for count, _ in counts)
        assert all(count == min(most, length) for count, length in counts)


@given(editions(), st.integers(8_000, 95_000), st.data())
def test_the_kinds_of_which_something_was_left_out_are_named_in_the_order_of_importance(
    edition: Edition, limit: int, data: st.DataObject
) -> None:
    fitted = fitted_blocks(edition, draw_sizes(edition, data), limit)
    cut = {
        kind
        for kind, counts in by_kind(edition, fitted.shown).items()
        if any(count < length for count, length in counts)
    }
    assert set(fitted.left_out) == cut
    assert len(fitted.left_out) == len(cut)
    ranks = [RANKS.index(kind.rank) for kind in fitted.left_out]
    assert ranks == sorted(ranks)


@given(editions(), st.integers(12_000, 95_000), st.data())
def test_the_next_paragraphs_of_a_kind_that_was_cut_would_not_fit(
    edition: Edition, limit: int, data: st.DataObject
) -> None:
    sizes = draw_sizes(edition, data)
    fitted = fitted_blocks(edition, sizes, limit)
    for kind in fitted.left_out:
        most = max(count for count, _ in by_kind(edition, fitted.shown)[kind])
        more = [
            count + 1 if kind_of(part) == kind and count == most < len(part.blocks) else count
            for part, count in zip(edition.parts, fitted.shown, strict=True)
        ]
        assert mail_bytes(edition, sizes, more) > limit - SPARE_BYTES


@given(editions(), st.data())
def test_nothing_is_left_out_when_there_is_room_for_everything(edition: Edition, data: st.DataObject) -> None:
    fitted = fitted_blocks(edition, draw_sizes(edition, data), 10_000_000)
    assert fitted.shown == tuple(len(part.blocks) for part in edition.parts)
    assert not fitted.left_out
    assert not fitted.lacks_openings


@given(editions(), st.data())
def test_a_mail_that_fits_completely_needs_no_room_for_notes(edition: Edition, data: st.DataObject) -> None:
    sizes = draw_sizes(edition, data, max_bytes=200)
    everything = tuple(len(part.blocks) for part in edition.parts)
    limit = mail_bytes(edition, sizes, everything) + SPARE_BYTES
    assert fitted_blocks(edition, sizes, limit).shown == everything


@given(editions(), st.integers(6_000, 40_000))
def test_a_mail_without_room_for_every_opening_says_so(edition: Edition, limit: int) -> None:
    sizes = dict.fromkeys(block_refs(edition), HtmlSize(1_500, 2_000))
    fitted = fitted_blocks(edition, sizes, limit)
    openings = [count for part, count in zip(edition.parts, fitted.shown, strict=True) if part.opens]
    assert fitted.lacks_openings == (not all(openings))


def test_the_language_of_a_mail_in_both_that_comes_first_is_left_out_last() -> None:
    papers = [paper(number) for number in range(1, 6)]
    edition = edition_of(issue_of(papers, overview=()), language="both")
    sizes = dict.fromkeys(block_refs(edition), HtmlSize(1_000, 1_000))
    (left_out,) = fitted_blocks(edition, sizes, 20_500).left_out
    assert (left_out.rank, left_out.language) == ("abstract", "en")


def test_what_opens_a_paper_without_an_introduction_counts_as_its_introduction() -> None:
    rich = [paper(number, intro_en=paragraphs(6), abstract_en=paragraphs(6)) for number in range(1, 6)]
    poor = [paper(number, intro_en=(), abstract_en=paragraphs(6)) for number in range(6, 11)]
    edition = edition_of(issue_of(rich + poor), language="en")
    fitted = fitted_blocks(edition, dict.fromkeys(block_refs(edition), HtmlSize(1_000, 1_000)), 20_000)
    assert fitted.left_out
    assert all(count >= 1 for part, count in zip(edition.parts, fitted.shown, strict=True) if part.opens)


def test_a_paragraph_of_extraordinary_size_takes_no_room_from_the_other_papers() -> None:
    edition = edition_of(issue_of(5, overview=()))
    sizes = dict.fromkeys(block_refs(edition), HtmlSize(1_000, 1_000))
    huge = next(index for index, part in enumerate(edition.parts) if part.opens)
    sizes[BlockRef(huge, 0)] = HtmlSize(200_000, 200_000)
    fitted = fitted_blocks(edition, sizes, 60_000)
    assert fitted.shown == tuple(0 if index == huge else 1 for index in range(len(edition.parts)))


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
