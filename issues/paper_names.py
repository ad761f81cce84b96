"""The names by which texts speak of a paper: from its titles, and those that its English abstract gives to what it proposes."""

import re
from collections.abc import Iterable, Iterator

from issues.parse.content import PaperContent
from issues.parse.titles import title_key

MAX_NAME_CHARACTERS = 40
MAX_NAME_WORDS = 5
MAX_TITLE_CHARACTERS = 300
MAX_BLOCKS = 8
MAX_TEXT_CHARACTERS = 4_000  # of the English text that is searched for names
# Abbreviations of the field, which are nobody's name.
_COMMON = {
    "ai", "agi", "api", "asr", "bert", "cfg", "clip", "cnn", "cot", "cpu", "dit", "dpo", "gan", "gnn",
    "gpt", "gpu", "grpo", "gui", "it", "iou", "kg", "kv", "llm", "lm", "lora", "lrm", "lstm", "lvlm", "mas",
    "mcp", "mcts", "ml", "mle", "mllm", "moe", "mt", "nlp", "ocr", "ode", "ood", "orm", "peft", "ppo",
    "prm", "qa", "rag", "rl", "rlhf", "rlvr", "rm", "rnn", "sae", "sde", "sft", "sgd", "slm", "sota", "sql",
    "ssm", "stem", "svd", "tts", "ttt", "ui", "vae", "vit", "vla", "vlm", "vqa", "we", "in", "our", "the",
    "this", "here", "these", "to",
}  # fmt: skip

_BRACKET = re.compile(r"\(([^()]{2,40})\)")
_REPORT = re.compile(r"\s+(?:Technical Report|System Card|Model Card|기술 보고서)$", re.IGNORECASE)
_CAPITALIZED = r"[A-Z][\w.+-]*(?:[ ](?:[A-Z0-9][\w.+-]*))*"
# What a paper's own words name: `we introduce Owl Trainer`, `a method called Owl`, `This paper describes Owl`.
_NAMED = re.compile(
    r"\b(?:introduc|propos|present|releas|describ|develop|announc|call|term|dub|nam)(?:e|es|ed|ing)?\s+(?:the\s+|it\s+|as\s+)?"
    rf"[\"“'`]*({_CAPITALIZED})"
)
_ABBREVIATED = re.compile(r"\(([A-Za-z][\w-]*[A-Z][\w+-]{0,14})\)")
_OWN = re.compile(
    r"\b(?:[Ww]e|[Tt]his (?:paper|work|study|report))\b[^.]{0,40}\b(?:introduc|propos|present|describ|call|refer)"
)


def names_of(paper: PaperContent) -> tuple[str, ...]:
    """The paper's names, the longest first. Its English text gives them if it has none of those in the title."""
    names = _usable([*_names_in_title(paper.title_en), *_names_in_title(paper.title_ko)])
    blocks = (*paper.intro_en[:1], *paper.abstract_en[:MAX_BLOCKS])
    text = " ".join(block.text for block in blocks)[:MAX_TEXT_CHARACTERS]
    is_named = any(name.lower() in text.lower() for name in names)
    unique = dict.fromkeys(names if is_named else (*names, *_usable(_names_in_text(text))))
    return tuple(sorted(unique, key=len, reverse=True))


def _usable(names: Iterable[str]) -> list[str]:
    stripped = (name.strip(" .,:;'\"`“”") for name in names)
    return [name for name in stripped if _is_name(name)]


def _is_name(name: str) -> bool:
    is_short = len(name) <= MAX_NAME_CHARACTERS and len(name.split()) <= MAX_NAME_WORDS
    key = title_key(name)
    return is_short and len(key) >= 2 and key.removesuffix("s") not in _COMMON and key not in _COMMON


def _names_in_title(title: str) -> Iterator[str]:
    """What stands before the colon, or all of it, with and without its bracket, and its initials."""
    head, _, _ = _REPORT.sub("", title[:MAX_TITLE_CHARACTERS]).partition(":")
    bare = " ".join(_BRACKET.sub(" ", head).split())
    if "?" not in bare:
        yield from (head, bare)
    yield from (found[1] for found in _BRACKET.finditer(head))
    words = bare.split()
    if len(words) >= 3 and all(word[0].isupper() for word in words):
        yield "".join(word[0] for word in words)


def _names_in_text(text: str) -> Iterator[str]:
    yield from (found[1] for found in _NAMED.finditer(text))
    for own in _OWN.finditer(text):
        yield from (found[1] for found in _ABBREVIATED.finditer(text, own.end(), own.end() + 160))
