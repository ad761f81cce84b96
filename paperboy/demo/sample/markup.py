"""Renders the inline markup of the sample texts as HTML, and as the plain text that a parser should find."""

import re

from markupsafe import Markup, escape

# The escapes come first, so that an escaped character begins no markup.
_MARK = re.compile(
    r"\\(?P<literal>[*`\[:])"
    r"|\*\*(?P<bold>.+?)\*\*"
    r"|`(?P<code>[^`]+)`"
    r"|\[(?P<label>[^\]]+)\]\((?P<url>[^)\s]+)\)"
    r"|:(?P<emoji>\+1|[a-z_]+):"
)
_EMOJI = Markup(
    '<img src="{folder}/{name}.png?v=15" title=":{name}:" class="emoji" alt=":{name}:"'
    ' loading="lazy" width="20" height="20">'
)


def to_plain(text: str) -> str:
    """The text without its markup. Emoji keep their names, and escaped characters stand for themselves."""
    return _MARK.sub(_plain_mark, text)


def to_html(text: str, emoji_folder: str) -> Markup:
    """The text as HTML, with emoji as images from a folder of the forum."""
    parts: list[Markup] = []
    position = 0
    for mark in _MARK.finditer(text):
        parts += [escape(text[position : mark.start()]), _html_mark(mark, emoji_folder)]
        position = mark.end()
    return Markup("").join([*parts, escape(text[position:])])


def emoji_html(name: str, emoji_folder: str) -> Markup:
    """An emoji as Discourse renders it: an image."""
    return _EMOJI.format(folder=emoji_folder, name=name)


def _plain_mark(mark: re.Match[str]) -> str:
    if mark["emoji"]:
        return mark[0]
    return mark["literal"] or mark["bold"] or mark["code"] or mark["label"]


def _html_mark(mark: re.Match[str], emoji_folder: str) -> Markup:
    if mark["emoji"]:
        return emoji_html(mark["emoji"], emoji_folder)
    if mark["bold"]:
        return Markup("<strong>{}</strong>").format(mark["bold"])
    if mark["code"]:
        return Markup("<code>{}</code>").format(mark["code"])
    if mark["url"]:
        return Markup('<a href="{}">{}</a>').format(mark["url"], mark["label"])
    return escape(mark["literal"])
