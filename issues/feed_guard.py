"""Copies what posts need from an untrusted RSS feed into a small document, within limits of size, shape and time.

feedparser knows a hundred encodings, expands entities, and takes time by the square of attributes, categories and
the letters of a name. So it reads only the copy, which has none of these, and never the feed itself.
"""

import codecs
import re
import time
from xml.parsers import expat

from issues.fetch import MAX_BYTES, FeedError, Fetched, one_line, too_slow

MAX_DEPTH = 40
MAX_ATTRIBUTES = 60  # of one element
MAX_ELEMENTS = 20_000
MAX_ITEMS = 200
MAX_TAG_BYTES = 64 * 1024  # also of a comment; expat takes time by the square of longer ones
MAX_CHARACTERS = 4000  # of each text but a description
_CHUNK_BYTES = 16 * 1024

# The elements that are copied, by their parents. The last ones hold text.
_CHILDREN = {
    "": {"rss"},
    "rss": {"channel"},
    "channel": {"item"},
    "item": {"title", "link", "guid", "pubDate", "description"},
}

# --- encodings ----------------------------------------------------------------------

_ENCODINGS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "iso-8859-1": "iso-8859-1",
    "latin1": "iso-8859-1",
    "iso-8859-15": "iso-8859-15",
    "windows-1252": "cp1252",
    "cp1252": "cp1252",
    # CP949 has all of EUC-KR, and Korean servers say EUC-KR for both (WHATWG Encoding, 4.2).
    "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949",
    "cp949": "cp949",
    "windows-949": "cp949",
}
# The first bytes of a document in an encoding that its declaration cannot tell (XML 1.0, appendix F).
_SIGNATURES = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
    b"<\x00": "utf-16-le",
    b"\x00<": "utf-16-be",
}
_CHARSET = re.compile(r";\s*charset\s*=\s*[\"']?([^\s\"';,]+)", re.IGNORECASE)
_DECLARED = re.compile(rb"<\?xml\s[^>]{0,100}?encoding\s*=\s*[\"']([^\"'>]*)")


def decode(fetched: Fetched) -> str:
    """The body as text. Its own first bytes count most, then the charset of its content type, then its declaration.

    A charset that does not fit is passed over, because file servers announce one for all that they have.

    Raises:
        FeedError: an encoding is not one of the few that feeds have, or does not fit.
    """
    body = fetched.body or b""
    names = [encoding for signature, encoding in _SIGNATURES.items() if body.startswith(signature)][:1]
    if not names:
        charset, declared = _CHARSET.search(fetched.content_type), _DECLARED.match(body)
        announced = [charset[1]] if charset else []
        announced.append(declared[1].decode("latin-1") if declared else "utf-8")
        names = [_known_encoding(name, fetched.url) for name in announced]
    for name in names:
        try:
            return body.decode(name)
        except UnicodeDecodeError:
            continue
    raise FeedError(f"{fetched.url} is not text in its encoding ({names[-1]}): nothing was read")


def _known_encoding(name: str, url: str) -> str:
    encoding = _ENCODINGS.get(name.lower())
    if not encoding:
        printable = "".join(filter(str.isprintable, name))[:40]
        raise FeedError(f"{url} is in an encoding that is not read ({printable}): nothing was read")
    return encoding


# --- the copy -----------------------------------------------------------------------


def copy_of_feed(fetched: Fetched) -> bytes:
    """An RSS 2.0 document in UTF-8 with the items of the feed: their titles, links, guids, dates and descriptions.

    Raises:
        FeedError: the answer is not a complete RSS feed, has a document type, exceeds a limit of this module,
            or its deadline has passed.
    """
    url = fetched.url
    document = decode(fetched).encode("utf-8")
    if len(document) > MAX_BYTES:
        raise FeedError(f"{url} is larger than {MAX_BYTES // 1024 // 1024} MB in UTF-8")
    copy = _Copy(url)
    # The encoding replaces that of the declaration. Names get their namespaces, so other vocabularies cannot be confused.
    parser = expat.ParserCreate("utf-8", " ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = copy.refuse_document_type
    parser.StartElementHandler = copy.start
    parser.EndElementHandler = copy.end
    parser.CharacterDataHandler = copy.characters
    try:
        for start in range(0, len(document), _CHUNK_BYTES):
            chunk = document[start : start + _CHUNK_BYTES]
            parser.Parse(chunk)
            if start + len(chunk) - parser.CurrentByteIndex > MAX_TAG_BYTES:
                raise FeedError(f"{url} has a tag or comment of more than {MAX_TAG_BYTES // 1024} KB")
            if time.monotonic() > fetched.deadline:
                raise too_slow(url)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise FeedError(f"{url} is not a complete feed ({one_line(error)}): nothing was read") from None
    if not copy.pieces:
        raise FeedError(f"{url} is not an RSS feed: nothing was read")
    return "".join(['<?xml version="1.0" encoding="utf-8"?>\n', *copy.pieces]).encode("utf-8")


class _Copy:
    """Takes the parts of a feed from expat and keeps those that posts need, as XML in `pieces`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.pieces: list[str] = []
        self._open = [""]  # the elements that are being copied, from the outermost to the innermost
        self._skipped = 0  # how many elements are open inside them that are not copied
        self._in_item: set[str] = set()  # the names of what the item has so far
        self._elements = 0
        self._items = 0
        self._characters = 0  # of the innermost element

    def refuse_document_type(self, *_declared: object) -> None:
        raise FeedError(f"{self.url} is not a plain RSS feed (it is a web page or has a document type)")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        parent = self._open[-1]
        self._elements += 1
        self._items += name == "item"
        self._check_limits(len(attributes))
        if not self._skipped and parent not in _CHILDREN:
            raise FeedError(
                f"{self.url} has elements inside a {parent}, which must be text: nothing was read"
            )
        # RSS 2.0 allows each of them once in an item.
        if self._skipped or name not in _CHILDREN[parent] or name in self._in_item:
            self._skipped += 1
            return
        self._in_item = set() if name == "item" else self._in_item | {name}
        self._open.append(name)
        self._characters = 0
        # Without a link, the guid is the link unless it says that it is none (RSS 2.0, guid).
        is_id = name == "guid" and attributes.get("isPermaLink", "true") != "true"
        version = ' version="2.0"' if name == "rss" else ""
        self.pieces.append(f'<{name} isPermaLink="false">' if is_id else f"<{name}{version}>")

    def _check_limits(self, attributes: int) -> None:
        for value, limit, what in (
            (len(self._open) + self._skipped, MAX_DEPTH, "nested elements"),
            (attributes, MAX_ATTRIBUTES, "attributes in an element"),
            (self._elements, MAX_ELEMENTS, "elements"),
            (self._items, MAX_ITEMS, "items"),
        ):
            if value > limit:
                raise FeedError(f"{self.url} has more than {limit} {what}: nothing was read")

    def end(self, _name: str) -> None:
        if self._skipped:
            self._skipped -= 1
        else:
            self.pieces.append(f"</{self._open.pop()}>")

    def characters(self, text: str) -> None:
        parent = self._open[-1]
        if self._skipped or parent in _CHILDREN:
            return
        self._characters += len(text)
        if self._characters > MAX_CHARACTERS and parent != "description":
            raise FeedError(f"{self.url} has a {parent} of more than {MAX_CHARACTERS} characters")
        # In a CDATA section a text of many `<` stays short. Only `]]>` must be divided between two sections.
        self.pieces.append(f"<![CDATA[{text.replace(']]>', ']]]]><![CDATA[>')}]]>")
