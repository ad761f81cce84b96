"""The one filter for characters of every text and address that is stored, whoever wrote it."""

import re

# Control characters but tab and line feed, marks that change the direction of the text around them, characters that
# have no width or no meaning, halves of surrogate pairs, and noncharacters: none is text, and no XML may hold most
# of them (XML 1.0, 2.2; Unicode 15.1, 23.7).
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0d\x0e-\x1f\x7f-\x84\x86-\x9f\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060\u2066-\u2069"
    "\ufeff\ud800-\udfff\ufdd0-\ufdef\ufff9-\uffff"
    + "".join(f"{chr(plane * 0x10000 + 0xFFFE)}{chr(plane * 0x10000 + 0xFFFF)}" for plane in range(1, 17))
    + "]"
)


def storable(text: str) -> str:
    """The text without characters that must not be stored. Line separators become line feeds."""
    text = text.replace("\r\n", "\n").translate(_LINE_BREAKS)
    return _FORBIDDEN.sub("", text)


_LINE_BREAKS = {ord(character): "\n" for character in "\r\u2028\u2029\x0b\x0c\x85"}
