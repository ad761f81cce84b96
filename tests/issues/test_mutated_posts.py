"""However the structure of a post is changed, every block reaches the mails in its place, or the issue is held.

`pytest tests/issues/test_mutated_posts.py --mutants 5000` tries more of them and prints what was held.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator

import pytest

from core.frequencies import Frequency
from core.languages import Language
from core.slots import preview_slot
from emails.choose import editions_of_issue
from emails.content import MailSpec
from emails.rendering.digest_view import digest_view
from emails.rendering.plaintext import digest_text
from issues.parse.content import IssueContent
from issues.parse.post import parse
from mailings.trial_rendering import arrivals_of
from paperboy.demo.sample.cook import cook_week
from paperboy.demo.sample.data import weeks
from tests.conftest import FORUM
from tests.support.factories import IDENTITY
from tests.support.marked_posts import BOILERPLATE, END, FRONT, MARK, Mark, MarkedPost, marked_post
from tests.support.mutations import MUTATIONS, Mutant, mutate
from tests.support.post_html import URL

MAX_NEEDLESS_SHARE = 0.2  # of the holds of one kind of mutation


def posts() -> Iterator[tuple[str, str]]:
    """The title and the HTML of the sample's posts, and of the shared ones where they are."""
    for week in weeks():
        yield week.title, cook_week(week, "https://forum.example")
    for file in sorted((FORUM / "site" / "base" / "truth").glob("*.json")):
        truth = json.loads(file.read_text(encoding="utf-8"))
        (cooked,) = (FORUM / "site" / "base" / "cooked").glob(f"{truth['topic_id']}-*.html")
        yield truth["title"], cooked.read_text(encoding="utf-8")


def mails_of(content: IssueContent) -> dict[Language, str]:
    """The text of the weekly mail in each language, with nothing left out for want of room."""
    papers = arrivals_of(1, URL, content)
    mails = {}
    for language in Language:
        spec = MailSpec(preview_slot("weekly"), language, Frequency.WEEKLY)
        (edition,) = editions_of_issue(papers, spec, daily_papers=0)
        view = digest_view(edition, IDENTITY)
        mails[language] = digest_text(view, [len(part.blocks) for part in edition.parts])
    return mails


def lost_marks(mutant: Mutant, content: IssueContent) -> list[str]:
    """The marks that are not in every mail where they belong, or stand under another paper there."""
    mails = {language: "".join(text.split()) for language, text in mails_of(content).items()}
    places = _places(content)
    lost = []
    for mark in mutant.post.marks:
        if mark.owner == BOILERPLATE:
            continue
        missing = [language for language in _wanted(mark) if mark.token not in mails[language]]
        if missing or places.get(mark.token) != _expected_place(mark, mutant.post, content):
            lost.append(f"{mark} missing in {missing}, is in {places.get(mark.token)}")
    return lost


def _wanted(mark: Mark) -> list[Language]:
    """The mails that must have a mark. A block without a language is in that of its neighbours."""
    if mark.is_korean is None or (not mark.is_korean and mark.owner in {FRONT, END}):
        return [Language.BOTH]
    return [Language.BOTH, Language.KO if mark.is_korean else Language.EN]


def _places(content: IssueContent) -> dict[str, str]:
    """Which paper (by the mark in its title), or which part of the issue, each mark stands in."""
    places: dict[str, str] = {}
    for name, blocks in (("front", (*content.overview, *content.summary)), ("end", content.closing)):
        for block in blocks:
            places |= dict.fromkeys(MARK.findall(block.text), name)
    for paper in content.papers:
        titles = MARK.findall(f"{paper.title_ko} {paper.title_en}")
        texts = repr(paper)
        places |= dict.fromkeys(MARK.findall(texts), titles[0] if titles else "no title")
    return places


def _expected_place(mark: Mark, post: MarkedPost, _content: IssueContent) -> str:
    if mark.owner in {FRONT, END}:
        return "front" if mark.owner == FRONT else "end"
    return next(other.token for other in post.marks if other.owner == mark.owner)


def test_every_post_without_a_mutation_keeps_every_mark_in_its_place() -> None:
    for title, html in posts():
        post = marked_post(title, html)
        content = parse(title, post.html, URL)
        assert content.problems == ()
        assert len(content.papers) == post.papers
        assert lost_marks(Mutant(post, may_be_held=False), content) == []


def test_no_block_of_a_mutated_post_is_lost_or_under_another_paper(request: pytest.FixtureRequest) -> None:
    known = [marked_post(title, html) for title, html in posts()]
    tried, needless = Counter[str](), Counter[str]()
    for seed in range(request.config.getoption("--mutants")):
        kind = list(MUTATIONS)[seed % len(MUTATIONS)]
        chance = random.Random(seed)  # noqa: S311  the same mutants every time
        mutant = mutate(chance.choice(known), kind, chance)
        content = parse(mutant.post.title, mutant.post.html, URL)
        tried[kind] += 1
        if content.problems:
            needless[kind] += not mutant.may_be_held
            assert all("paper" in reason and len(reason) > 20 for reason in content.problems), (
                content.problems
            )
        else:
            assert lost_marks(mutant, content) == [], (kind, seed)
    shares = {kind: needless[kind] / tried[kind] for kind in tried}
    assert {kind: share for kind, share in shares.items() if share >= MAX_NEEDLESS_SHARE} == {}, shares
    print({kind: f"{needless[kind]} of {tried[kind]}" for kind in tried})  # noqa: T201  for whoever runs it by hand
