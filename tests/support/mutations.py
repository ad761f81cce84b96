"""Mutations of weekly posts: each changes the structure of a marked post as an editor's hand or a slip would."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

from issues.parse.labels import label_of
from tests.support.marked_posts import END, FRONT, MarkedPost, Part

IN_ENGLISH = {
    "intro": "Introduction",
    "abstract": "Abstract",
    "link": "Paper link",
    "more": "Further reading",
}
NEW_HEADINGS = ("핵심 아이디어", "실험 결과 한눈에 보기", "Why it matters", "한계와 전망", "써 보려면")
NEW_TEXTS = (
    "<p>편집자가 덧붙인 문장입니다. 이 방법은 작은 모델에서도 잘 동작한다고 합니다.</p>",
    "<ul><li>다른 연구실에서는 아직 확인하지 않았습니다.</li><li>코드는 곧 공개된다고 합니다.</li></ul>",
    "<pre><code>print('덧붙인 코드')</code></pre>",
    '<div class="md-table"><table><tr><th>모델 이름</th><th>정확도</th></tr><tr><td>작은 모델</td><td>41.2점</td></tr></table></div>',
)


@dataclass(frozen=True)
class Mutant:
    """A mutated post. `may_be_held` says that the mutation leaves a real doubt, so that a hold is not needless."""

    post: MarkedPost
    may_be_held: bool


Mutation = Callable[[MarkedPost, random.Random], bool]


def mutate(post: MarkedPost, kind: str, chance: random.Random) -> Mutant:
    """The post after a mutation of a kind."""
    copy = replace(post, parts=list(post.parts))
    return Mutant(copy, MUTATIONS[kind](copy, chance))


def _labels(post: MarkedPost) -> list[int]:
    return [index for index, part in enumerate(post.parts) if part.is_label and part.owner >= 0]


def _titles(post: MarkedPost) -> list[int]:
    first: dict[int, int] = {}
    for index, part in enumerate(post.parts):
        if part.owner >= 0:
            first.setdefault(part.owner, index)
    return list(first.values())


def _section(post: MarkedPost, label: int) -> tuple[int, int]:
    """Where the section under a label begins and ends, without the rule after it."""
    end = label + 1
    while end < len(post.parts) and not (post.parts[end].is_heading or post.parts[end].tag == "hr"):
        end += 1
    return label, end


def _with_tag(part: Part, tag: str) -> Part:
    html = re.sub(r"^<h[1-6]([^>]*)>", f"<{tag}>" if tag == "p" else rf"<{tag}\1>", part.html)
    return replace(part, html=re.sub(r"</h[1-6]>\s*$", f"</{tag}>", html))


# --- the kinds ----------------------------------------------------------------------


def rename_label(post: MarkedPost, chance: random.Random) -> bool:
    """A label gets a name that nobody knows."""
    index = chance.choice(_labels(post))
    old = post.parts[index]
    heading = chance.choice(NEW_HEADINGS)
    post.parts[index] = post.part(f"<{old.tag}>{heading}</{old.tag}>", old.owner)
    # Without its label, the link of a paper is told from other links only by its address.
    return False


def translate_labels(post: MarkedPost, chance: random.Random) -> bool:
    """All labels of a paper, or of the post, become English."""
    owner = chance.choice([None, *range(post.papers)])
    for index in _labels(post):
        part = post.parts[index]
        english = IN_ENGLISH.get(str(label_of(part.text)))
        if english and owner in {None, part.owner}:
            post.parts[index] = replace(part, html=f"<{part.tag}>{english}</{part.tag}>")
    return False


def drop_label(post: MarkedPost, chance: random.Random) -> bool:
    """A label is missing."""
    del post.parts[chance.choice(_labels(post))]
    return False


def drop_title(post: MarkedPost, chance: random.Random) -> bool:
    """A paper's title is missing, so nobody can tell where it begins."""
    del post.parts[chance.choice(_titles(post))]
    return True


def double_heading(post: MarkedPost, chance: random.Random) -> bool:
    """A heading stands there twice."""
    index = chance.choice([*_labels(post), *_titles(post)])
    post.parts.insert(index, post.parts[index])
    return False


def re_rank_label(post: MarkedPost, chance: random.Random) -> bool:
    """A label has another level, or is a bold line."""
    index = chance.choice(_labels(post))
    tag = chance.choice(["h1", "h2", "h4", "h5", "p"])
    post.parts[index] = _with_tag(post.parts[index], tag)
    return False


def re_rank_title(post: MarkedPost, chance: random.Random) -> bool:
    """A title has another level, or is a line."""
    index = chance.choice(_titles(post))
    post.parts[index] = _with_tag(post.parts[index], chance.choice(["h1", "h3", "h4", "p"]))
    return False


def insert_section(post: MarkedPost, chance: random.Random) -> bool:
    """A paper has a further section."""
    index = chance.choice(_labels(post))
    owner = post.parts[index].owner
    html = (f"<h3>{chance.choice(NEW_HEADINGS)}</h3>", chance.choice(NEW_TEXTS))
    post.parts[index:index] = [post.part(each, owner) for each in html]
    return False


def insert_chapter(post: MarkedPost, chance: random.Random) -> bool:
    """A heading of a paper's rank stands among the papers and opens none."""
    index = chance.choice(_titles(post))
    owner = post.parts[index].owner - 1 if post.parts[index].owner else FRONT
    html = (f"<h2>{chance.choice(NEW_HEADINGS)}</h2>", chance.choice(NEW_TEXTS))
    post.parts[index:index] = [post.part(each, owner) for each in html]
    return True


def add_closing(post: MarkedPost, chance: random.Random) -> bool:
    """The editors close the post with a section of their own."""
    index = next(index for index, part in enumerate(post.parts) if part.owner == END)
    html = (f"<h2>{chance.choice(NEW_HEADINGS)}</h2>", chance.choice(NEW_TEXTS))
    post.parts[index + 1 : index + 1] = [post.part(each, END) for each in html]
    return False


def move_section(post: MarkedPost, chance: random.Random) -> bool:
    """The sections of a paper come in another order."""
    owner = chance.randrange(post.papers)
    labels = [index for index in _labels(post) if post.parts[index].owner == owner]
    sections = [post.parts[slice(*_section(post, label))] for label in labels]
    start, end = labels[0], _section(post, labels[-1])[1]
    chance.shuffle(sections)
    post.parts[start:end] = [part for section in sections for part in section]
    return False


def move_paper(post: MarkedPost, chance: random.Random) -> bool:
    """A paper stands at another place."""
    titles = [*_titles(post), next(i for i, part in enumerate(post.parts) if part.owner == END)]
    papers = [post.parts[a:b] for a, b in pairwise(titles)]
    chance.shuffle(papers)
    post.parts[titles[0] : titles[-1]] = [part for paper in papers for part in paper]
    return False


def wrap_section(post: MarkedPost, chance: random.Random) -> bool:
    """A section, or a whole paper, stands in a frame."""
    start, end = _section(post, chance.choice(_labels(post)))
    if chance.random() < 0.3:
        owner = post.parts[start].owner
        places = [index for index, part in enumerate(post.parts) if part.owner == owner]
        start, end = places[0], places[-1] + 1
    opening, closing = chance.choice(
        [
            ("<div>", "</div>"),
            ("<section>", "</section>"),
            ("<blockquote>", "</blockquote>"),
            ("<details><summary>더 보기</summary>", "</details>"),
        ]
    )
    inside = post.parts[start:end]
    html = opening + "\n".join(part.html for part in inside) + closing
    marks = tuple(mark for part in inside for mark in part.marks)
    post.parts[start:end] = [Part(html, post.parts[start].owner, marks)]
    return False


def remove_rules(post: MarkedPost, chance: random.Random) -> bool:
    """Rules between the papers are missing."""
    share = chance.choice([0.3, 1.0])
    post.parts = [part for part in post.parts if part.tag != "hr" or chance.random() > share]
    return False


def lists_to_paragraphs(post: MarkedPost, _chance: random.Random) -> bool:
    """Every entry of a list is a paragraph."""
    for index, part in enumerate(post.parts):
        html = re.sub(
            r"</?[uo]l>", "", re.sub(r"<(/?)li>", r"<\1p>", part.html.replace("<p>", "").replace("</p>", ""))
        )
        if part.tag in {"ul", "ol"}:
            post.parts[index] = replace(part, html=html)
    return False


def add_text(post: MarkedPost, chance: random.Random) -> bool:
    """A text stands anywhere in the post."""
    index = chance.randrange(1, len(post.parts))
    before = post.parts[index - 1]
    owner = before.owner if before.owner != END or before.tag == "hr" else END
    owner = FRONT if before.owner not in {END, *range(post.papers)} else owner
    post.parts.insert(index, post.part(chance.choice(NEW_TEXTS), owner))
    return before.tag == "hr" and owner != END  # it belongs to neither of the papers that the rule parts


MUTATIONS: dict[str, Mutation] = {
    mutation.__name__: mutation
    for mutation in (
        rename_label, translate_labels, drop_label, drop_title, double_heading, re_rank_label, re_rank_title,
        insert_section, insert_chapter, add_closing, move_section, move_paper, wrap_section, remove_rules,
        lists_to_paragraphs, add_text,
    )
}  # fmt: skip
