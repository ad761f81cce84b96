"""What surrounds the papers of a weekly post: the greeting, the closing texts, and links that say nothing more."""

import re

from issues.parse.addresses import URL
from issues.parse.outline import Item
from issues.parse.titles import title_key
from issues.parse.weeks import parse_week

# The closing texts (an invitation, a request, a disclaimer). Each contains all words of one row, and is at most so
# long. A longer text says something of its own.
_INVITATION = ("파이토치 한국 사용자 모임", "가입")
_READ_ON = "전체 주제 읽기"
_CLOSINGS = (
    (_INVITATION, 250),
    (("아래", "좋아요", "눌러"), 120),
    (("이 글은", "GPT", "원문"), 250),
    ((_READ_ON,), 60),
)


def is_closing(item: Item) -> bool:
    """Whether a block is one of the texts that close a post."""
    return item.kind == "block" and any(
        len(item.text) <= length and all(word in item.text for word in words) for words, length in _CLOSINGS
    )


def is_closing_line(text: str) -> bool:
    """Whether a text inside a paper can only be a line of the post's closing."""
    return all(word in text for word in _INVITATION) or _READ_ON in text


def is_greeting(item: Item, key_of_post: str) -> bool:
    """Whether an item repeats the post's title, of which this is the key, or is the forum's own line."""
    if item.kind == "heading":
        key = title_key(item.text)
        is_week = parse_week(item.text) is not None
        return is_week or key == key_of_post or (key.startswith("pytorchkr") and len(key) < 20)
    return item.kind == "block" and title_key(item.text) in {key_of_post, "pytorchkr"}


def is_bare_link(item: Item) -> bool:
    """Whether the item says nothing besides its link: it is an address, or the linked page's own title."""
    unlinked = "".join(run.text for run in item.block.runs if not run.href)
    return not re.search(r"\w", URL.sub("", unlinked))


def is_lone_link(item: Item) -> bool:
    """Whether the item is nothing but a link."""
    if item.kind == "onebox" or (item.kind == "picture" and item.url):
        return True
    has_address = bool(item.block.links) or bool(URL.search(item.text))
    return item.kind == "block" and has_address and is_bare_link(item)
