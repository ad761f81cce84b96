"""What a correction says about a paper: its old and new title or link, and which sentences of its texts are new. Pure."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest

from core.languages import Language, TextLanguage
from emails.edition import Edition, PaperUnit, Part, Replacement
from issues.parse.addresses import comparable_url
from issues.parse.content import PaperContent
from issues.parse.sentences import sentence_ends
from issues.parse.text import Block, TextRun, strip_emoji


def replacements(before: PaperContent, after: PaperContent, language: Language) -> Iterator[Replacement]:
    """The titles and links that a mail in this language shows and that have changed."""
    for each in dict.fromkeys((*language.texts, TextLanguage.EN)):
        old, new = before.texts_in(each).title, after.texts_in(each).title
        if strip_emoji(old) != strip_emoji(new):
            yield Replacement("title", old, new, each)
    old_urls, new_urls = _urls(before), _urls(after)
    gone = [url for key, url in old_urls.items() if key not in new_urls]
    added = [url for key, url in new_urls.items() if key not in old_urls]
    for was, is_now in zip_longest(gone, added, fillvalue=""):
        yield Replacement("link", was, is_now)


def _urls(paper: PaperContent) -> dict[str, str]:
    """The addresses of a paper by what they are compared by."""
    return {comparable_url(url): url for url in (paper.url, *(link.url for link in paper.links)) if url}


def has_changes(edition: Edition) -> bool:
    """Whether a correction has anything to say: in its language something was replaced, added or removed."""
    return any(
        paper.replaced or paper.removed_sentences or any(run.changed for run in _runs(paper))
        for paper in edition.papers
    )


def _runs(paper: PaperUnit) -> Iterator[TextRun]:
    return (run for part in paper.parts for block in part.blocks for run in block.runs)


def with_new_sentences_marked(part: Part, before: Sequence[Block]) -> Part:
    """The text with every sentence marked that the old text does not have."""
    known = _keys(before)
    return replace(part, blocks=tuple(_marked(block, known) for block in part.blocks))


def count_removed_sentences(parts: Iterable[Part], before: Iterable[Block]) -> int:
    """How many sentences are gone, beyond those that new ones replaced."""
    kept = _keys(block for part in parts for block in part.blocks)
    old = _keys(before)
    return max(0, len(old - kept - {""}) - len(kept - old))


def _marked(block: Block, known: set[str]) -> Block:
    runs: list[TextRun] = []
    for sentence in _sentences_of_runs(block):
        is_new = _key(sentence) not in known
        runs += [replace(run, changed=is_new and bool(run.text.strip())) for run in _without_end(sentence)]
    return replace(block, runs=tuple(runs))


def _without_end(sentence: Sequence[TextRun]) -> Iterator[TextRun]:
    """The runs of a sentence, with the spaces after it as a run of their own."""
    for run in sentence:
        text = run.text.rstrip() if run is sentence[-1] else run.text
        if text:
            yield replace(run, text=text)
        if run.text[len(text) :]:
            yield replace(run, text=run.text[len(text) :])


def _keys(blocks: Iterable[Block]) -> set[str]:
    return {_key(sentence) for block in blocks for sentence in _sentences_of_runs(block)}


def _sentences_of_runs(block: Block) -> Iterator[list[TextRun]]:
    """The runs of a block by sentence, cut where one ends inside a run; of a table by cell."""
    if block.type == "table":
        yield from ([run] for run in block.runs)
        return
    ends = deque(sentence_ends("".join(run.text for run in block.runs)))
    sentence: list[TextRun] = []
    at = 0
    for run in block.runs:
        begin = 0
        while ends and ends[0] < at + len(run.text):
            end = ends.popleft() - at
            yield [*sentence, replace(run, text=run.text[begin:end])]
            sentence, begin = [], end
        sentence.append(replace(run, text=run.text[begin:]))
        at += len(run.text)
    yield sentence


def _key(sentence: Iterable[TextRun]) -> str:
    """What a sentence is compared by: its text and the addresses that it links to, as in `issues.diff`."""
    runs = list(sentence)
    links = [comparable_url(run.href) for run in runs if run.href]
    return "\n".join([strip_emoji("".join(run.text for run in runs)), *links])
