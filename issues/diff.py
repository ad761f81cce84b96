"""What differs between a stored issue and the same post parsed anew: pure."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from issues.parse.post import IssueContent, Link, PaperContent
from issues.parse.text import Block, without_emoji
from issues.parse.titles import comparable_url, title_key

TITLES = ("title_ko", "title_en")
TEXTS = ("intro_ko", "intro_en", "abstract_ko", "abstract_en", "url", "links", "notes")


@dataclass(frozen=True)
class FieldChange:
    """One part of a paper (or the issue's title or overview) before and after, as plain text."""

    paper: str
    field: str
    before: str
    after: str


@dataclass(frozen=True)
class Changes:
    """All that an edit did; papers are named by their English title.

    `pairs` gives, for each paper of the new state, the place of the same paper in the stored
    state, or None when it is new.
    """

    added: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()
    corrected: tuple[FieldChange, ...] = ()
    retitled: tuple[FieldChange, ...] = ()
    moved: tuple[str, ...] = ()
    pairs: tuple[int | None, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.withdrawn or self.corrected or self.retitled or self.moved)


NO_CHANGES = Changes()


def compare(stored: IssueContent, parsed: IssueContent) -> Changes:
    """The changes that make `parsed` of `stored`; emoji, spaces, looks and pictures count for nothing."""
    pairs = _match(stored.papers, parsed.papers)
    kept = [place for place in pairs if place is not None]
    retitled = _issue_changes(stored, parsed, "title")
    corrected = _issue_changes(stored, parsed, "overview") + _issue_changes(stored, parsed, "summary")
    for place, paper in zip(pairs, parsed.papers, strict=True):
        if place is not None:
            retitled += _paper_changes(stored.papers[place], paper, TITLES)
            corrected += _paper_changes(stored.papers[place], paper, TEXTS)
    return Changes(
        added=tuple(name(paper) for place, paper in zip(pairs, parsed.papers, strict=True) if place is None),
        withdrawn=tuple(name(paper) for index, paper in enumerate(stored.papers) if index not in kept),
        corrected=tuple(corrected),
        retitled=tuple(retitled),
        moved=_moved(pairs, parsed.papers),
        pairs=pairs,
    )


def name(paper: PaperContent) -> str:
    """How reports name a paper."""
    return paper.title_en or paper.title_ko


def plain(value: object) -> str:
    """A part of a paper as the text that is compared and reported."""
    if isinstance(value, str):
        return value
    return "\n".join(_line(item) for item in value if item) if isinstance(value, tuple) else str(value)


def _line(item: Block | Link) -> str:
    return item.text if isinstance(item, Block) else item.url


def _comparable(field: str, value: object) -> str:
    if field in {"url", "links"}:
        return "\n".join(comparable_url(line) for line in plain(value).splitlines())
    text = without_emoji(plain(value))
    links = (
        [comparable_url(url) for block in value for url in block.links] if isinstance(value, tuple) else []
    )
    return "\n".join([text, *links])


def _match(stored: Sequence[PaperContent], parsed: Sequence[PaperContent]) -> tuple[int | None, ...]:
    """For each parsed paper the stored one: by link and title together, by link, by title."""
    pairs: list[int | None] = [None] * len(parsed)
    free = dict(enumerate(stored))
    for key_of in (lambda paper: (paper.key, _title(paper)), lambda paper: paper.key, _title):
        places: defaultdict[object, list[int]] = defaultdict(list)
        for place, paper in reversed(free.items()):
            places[key_of(paper)].append(place)
        for index, paper in enumerate(parsed):
            if pairs[index] is None and key_of(paper) and places[key_of(paper)]:
                pairs[index] = place = places[key_of(paper)].pop()
                del free[place]
    return tuple(pairs)


def _title(paper: PaperContent) -> str:
    return title_key(paper.title_en or paper.title_ko)


def _paper_changes(before: PaperContent, after: PaperContent, fields: Sequence[str]) -> list[FieldChange]:
    return [
        FieldChange(name(after), field, plain(getattr(before, field)), plain(getattr(after, field)))
        for field in fields
        if _comparable(field, getattr(before, field)) != _comparable(field, getattr(after, field))
    ]


def _issue_changes(before: IssueContent, after: IssueContent, field: str) -> list[FieldChange]:
    old, new = getattr(before, field), getattr(after, field)
    if _comparable(field, old) == _comparable(field, new):
        return []
    return [FieldChange("", field, plain(old), plain(new))]


def _moved(pairs: Sequence[int | None], papers: Sequence[PaperContent]) -> tuple[str, ...]:
    """Papers out of their old order: those outside the longest run that kept it."""
    kept = [(place, index) for index, place in enumerate(pairs) if place is not None]
    runs: list[list[int]] = []  # the longest run in the old order that ends with each paper
    for at, (place, index) in enumerate(kept):
        before = [runs[other] for other in range(at) if kept[other][0] < place]
        runs.append([*_longest(before), index])
    steady = set(_longest(runs))
    return tuple(name(papers[index]) for _, index in kept if index not in steady)


def _longest(runs: Sequence[list[int]]) -> list[int]:
    longest: list[int] = max(runs, key=len, default=[])
    return longest
