"""What differs between a stored issue and the same post parsed again. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from core.languages import TextLanguage
from issues.parse.addresses import comparable_url
from issues.parse.content import IssueContent, Link, PaperContent, Section
from issues.parse.text import Block, strip_emoji
from issues.parse.titles import title_key

TITLES = tuple(f"title_{language}" for language in TextLanguage)
TEXTS = (
    *(f"{name}_{language}" for name in ("intro", "abstract") for language in TextLanguage),
    "url",
    "links",
    "notes",
    "sections",
)


ISSUE_TEXTS = ("overview", "summary", "closing")


MIN_LIKENESS = 0.8  # of the words of two papers, for one to be an edit of the other
MAX_COMPARED = 10  # papers with the same link or title whose texts are compared; no editor has more
MIN_LIKENESS_IN_PLACE = 0.65  # for papers that stand at the same place in the post


@dataclass(frozen=True)
class FieldChange:
    """One part of a paper before and after, as plain text. `paper` is empty for a part of the issue itself."""

    paper: str
    field: str
    before: str
    after: str


@dataclass(frozen=True)
class IssueDiff:
    """Everything that an edit did. Papers are named by their English title.

    Papers that come back after they were withdrawn are `restored`, which only the store knows.
    `pairs` gives, for each paper of the new state, the index of the same paper in the stored state, or None
    when it is new. `touched` holds the indices of new-state papers whose titles or texts changed.
    """

    added: tuple[str, ...] = ()
    restored: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()
    corrected: tuple[FieldChange, ...] = ()
    retitled: tuple[FieldChange, ...] = ()
    moved: tuple[str, ...] = ()
    pairs: tuple[int | None, ...] = ()
    touched: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        return bool(
            self.added or self.restored or self.withdrawn or self.corrected or self.retitled or self.moved
        )


NO_DIFF = IssueDiff()


def diff(stored: IssueContent, parsed: IssueContent) -> IssueDiff:
    """The changes that turn `stored` into `parsed`. Emoji, spaces, formats and pictures do not count."""
    pairs = _match(stored.papers, parsed.papers)
    kept = [index for index in pairs if index is not None]
    retitled = _issue_changes(stored, parsed, "title")
    corrected = [change for part in ISSUE_TEXTS for change in _issue_changes(stored, parsed, part)]
    touched = set()
    for new_index, (index, paper) in enumerate(zip(pairs, parsed.papers, strict=True)):
        if index is not None:
            titles = _paper_changes(stored.papers[index], paper, TITLES)
            texts = _paper_changes(stored.papers[index], paper, TEXTS)
            retitled += titles
            corrected += texts
            if titles or texts:
                touched.add(new_index)
    return IssueDiff(
        added=tuple(paper.name for index, paper in zip(pairs, parsed.papers, strict=True) if index is None),
        withdrawn=tuple(paper.name for index, paper in enumerate(stored.papers) if index not in kept),
        corrected=tuple(corrected),
        retitled=tuple(retitled),
        moved=_moved(pairs, parsed.papers),
        pairs=pairs,
        touched=frozenset(touched),
    )


def plain_text(value: object) -> str:
    """A part of a paper as the text that is compared and reported."""
    if isinstance(value, str):
        return value
    return "\n".join(_line(item) for item in value if item) if isinstance(value, tuple) else str(value)


def _line(item: Block | Link | Section) -> str:
    match item:
        case Block():
            return item.text
        case Link():
            return item.url
        case Section():
            return "\n".join([item.heading, *(block.text for block in (*item.ko, *item.en))])


def _comparable(field: str, value: object) -> str:
    if field in {"url", "links"}:
        return "\n".join(comparable_url(line) for line in plain_text(value).splitlines())
    text = strip_emoji(plain_text(value))
    links = [comparable_url(url) for block in _blocks_in(value) for url in block.links]
    return "\n".join([text, *links])


def _blocks_in(value: object) -> Iterator[Block]:
    for item in value if isinstance(value, tuple) else ():
        if isinstance(item, Block):
            yield item
        elif isinstance(item, Section):
            yield from (*item.ko, *item.en)


# --- which paper is which -----------------------------------------------------------


def _match(stored: Sequence[PaperContent], parsed: Sequence[PaperContent]) -> tuple[int | None, ...]:
    """For each parsed paper the index of the stored one.

    They are matched by link and title, then by link, then by title, and at last by their place and their texts. Where
    links or titles were mixed up, the texts say which paper is meant, so papers with like texts come first.
    """
    pairs: list[int | None] = [None] * len(parsed)
    unmatched = dict(enumerate(stored))
    words, new_words = [_words(paper) for paper in stored], [_words(paper) for paper in parsed]
    for key_of, least in (
        (_link_and_title, 0.0),
        (_link, MIN_LIKENESS),
        (_title, MIN_LIKENESS),
        (_link, 0.0),
        (_title, 0.0),
    ):
        indices: defaultdict[object, dict[int, None]] = defaultdict(dict)  # in the order of the papers
        for index, paper in unmatched.items():
            indices[key_of(paper)][index] = None
        for new_index, paper in enumerate(parsed):
            if pairs[new_index] is None and key_of(paper):
                same = indices[key_of(paper)]
                compared = islice(same, MAX_COMPARED)
                alike = (i for i in compared if not least or _share(words[i], new_words[new_index]) >= least)
                found = next(alike, None)
                if found is not None:
                    pairs[new_index] = found
                    del same[found], unmatched[found]
    _match_alike(pairs, unmatched, words, new_words)
    return tuple(pairs)


def _match_alike(
    pairs: list[int | None],
    unmatched: dict[int, PaperContent],
    words: Sequence[set[str]],
    new_words: Sequence[set[str]],
) -> None:
    """Match papers whose title and link both changed: those with like texts, for which the same place helps."""
    new = [index for index, found in enumerate(pairs) if found is None]
    candidates = sorted(
        (
            (_share(words[index], new_words[new_index]), index, new_index)
            for index in unmatched
            for new_index in new
        ),
        reverse=True,
    )
    for score, index, new_index in candidates:
        is_alike = score >= (MIN_LIKENESS_IN_PLACE if index == new_index else MIN_LIKENESS)
        if is_alike and index in unmatched and pairs[new_index] is None:
            pairs[new_index] = index
            del unmatched[index]


def likeness(one: PaperContent, other: PaperContent) -> float:
    """The share of words that two papers have in common, of all their words."""
    return _share(_words(one), _words(other))


def _words(paper: PaperContent) -> set[str]:
    """The words of a paper's introduction and abstract."""
    texts = [paper.texts_in(language) for language in TextLanguage]
    blocks = [block for text in texts for block in (*text.intro, *text.abstract)]
    return {word for block in blocks for word in block.text.split()}


def _share(words: set[str], others: set[str]) -> float:
    return len(words & others) / len(words | others) if words and others else 0.0


def _link_and_title(paper: PaperContent) -> tuple[str, str]:
    return _link(paper), _title(paper)


def _link(paper: PaperContent) -> str:
    return paper.key


def _title(paper: PaperContent) -> str:
    return title_key(paper.name)


def _paper_changes(before: PaperContent, after: PaperContent, fields: Sequence[str]) -> list[FieldChange]:
    return [
        FieldChange(after.name, field, plain_text(getattr(before, field)), plain_text(getattr(after, field)))
        for field in fields
        if _comparable(field, getattr(before, field)) != _comparable(field, getattr(after, field))
    ]


def _issue_changes(before: IssueContent, after: IssueContent, field: str) -> list[FieldChange]:
    old, new = getattr(before, field), getattr(after, field)
    if _comparable(field, old) == _comparable(field, new):
        return []
    return [FieldChange("", field, plain_text(old), plain_text(new))]


def _moved(pairs: Sequence[int | None], papers: Sequence[PaperContent]) -> tuple[str, ...]:
    """The papers that left their old order: those outside the longest increasing subsequence."""
    kept = [(index, new_index) for new_index, index in enumerate(pairs) if index is not None]
    sequences: list[list[int]] = []  # the longest increasing subsequence that ends with each paper
    for at, (index, new_index) in enumerate(kept):
        before = [sequences[other] for other in range(at) if kept[other][0] < index]
        sequences.append([*_longest(before), new_index])
    in_order = set(_longest(sequences))
    return tuple(papers[new_index].name for _, new_index in kept if new_index not in in_order)


def _longest(sequences: Sequence[list[int]]) -> list[int]:
    longest: list[int] = max(sequences, key=len, default=[])
    return longest
