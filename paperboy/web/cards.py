"""The cards that other sites show with a link to an issue or a paper: images of 1200 by 630 pixels, drawn once."""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

WIDTH, HEIGHT = 1200, 630  # pixels, as Facebook, X and Slack show them
MARGIN = 72
BRAND_SIZE, SMALL_SIZE = 40, 30
LINE_HEIGHT = 46
TITLE_SIZES = (76, 64, 54, 46)  # the largest at which the title fits into its lines
MAX_TITLE_LINES, MAX_LINES = 3, 3
_GROUND, _INK, _QUIET, _ACCENT = "#ffffff", "#14181d", "#57606a", "#8a3b12"


@dataclass(frozen=True)
class Card:
    """What a card says: the newsletter's name, what it is about in a few words, a title, and up to MAX_LINES lines."""

    brand: str
    about: str
    title: str
    lines: tuple[str, ...] = ()


def card_image(card: Card, folder: Path) -> bytes:
    """The card as PNG. It is drawn once and kept in `folder` under a hash of what it says."""
    name = hashlib.sha256(repr(card).encode()).hexdigest()[:32]
    path = folder / f"{name}.png"
    if path.exists():
        return path.read_bytes()
    image = _draw(card)
    folder.mkdir(parents=True, exist_ok=True)
    # Several requests can draw the same card at once, so each writes a file of its own.
    fresh = path.with_suffix(f".{uuid4().hex}.new")
    fresh.write_bytes(image)
    fresh.replace(path)
    return image


def _draw(card: Card) -> bytes:
    from PIL import Image, ImageDraw  # noqa: PLC0415  only a card that is drawn needs it

    image = Image.new("RGB", (WIDTH, HEIGHT), _GROUND)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, WIDTH, 16), fill=_ACCENT)
    draw.text((MARGIN, 60), card.brand, font=_font(BRAND_SIZE), fill=_INK)
    draw.text((MARGIN, 122), card.about, font=_font(SMALL_SIZE), fill=_QUIET)
    y = 190
    font, rows = _fitted(draw, card.title)
    for row in rows:
        draw.text((MARGIN, y), row, font=font, fill=_INK)
        y += int(font.size * 1.3)
    lines = _lines(draw, card)
    y = max(y + 18, HEIGHT - MARGIN - len(lines) * LINE_HEIGHT)
    for line in lines:
        draw.text((MARGIN, y), line, font=_font(SMALL_SIZE), fill=_QUIET)
        y += LINE_HEIGHT
    output = BytesIO()
    image.quantize(64).save(output, "PNG", optimize=True)
    return output.getvalue()


def _lines(draw: "ImageDraw", card: Card) -> list[str]:
    """The lines below the title. A single one goes on in the next line, and several are cut off where they do not fit."""
    font = _font(SMALL_SIZE)
    if len(card.lines) != 1:
        return [_cut(draw, line, font) for line in card.lines[:MAX_LINES]]
    rows = _wrapped(draw, card.lines[0], font)
    first, rest = rows[: MAX_LINES - 1], rows[MAX_LINES - 1 :]
    return [*first, *([_cut(draw, " ".join(rest), font)] if rest else [])]


def _fitted(draw: "ImageDraw", title: str) -> tuple["FreeTypeFont", list[str]]:
    """The title in lines, in the largest size in which it fits; in the smallest its end is cut off."""
    for size in TITLE_SIZES:
        rows = _wrapped(draw, title, _font(size))
        if len(rows) <= MAX_TITLE_LINES:
            return _font(size), rows
    font = _font(TITLE_SIZES[-1])
    return font, [*rows[: MAX_TITLE_LINES - 1], _cut(draw, " ".join(rows[MAX_TITLE_LINES - 1 :]), font)]


def _wrapped(draw: "ImageDraw", text: str, font: "FreeTypeFont") -> list[str]:
    """The text in lines that fit, broken between words."""
    rows: list[str] = []
    for word in text.split():
        longer = f"{rows[-1]} {word}" if rows else word
        if rows and draw.textlength(longer, font) <= WIDTH - 2 * MARGIN:
            rows[-1] = longer
        else:
            rows.append(_cut(draw, word, font))
    return rows


def _cut(draw: "ImageDraw", text: str, font: "FreeTypeFont") -> str:
    """The text in one line, with dots in place of what does not fit."""
    if draw.textlength(text, font) <= WIDTH - 2 * MARGIN:
        return text
    while text and draw.textlength(f"{text}…", font) > WIDTH - 2 * MARGIN:
        text = text[:-1]
    return f"{text.rstrip()}…"


@cache
def _font(size: int) -> "FreeTypeFont":
    from PIL import ImageFont  # noqa: PLC0415  as above

    data = files("paperboy.web").joinpath("fonts", "NotoSansKR-Bold.otf").read_bytes()
    return ImageFont.truetype(BytesIO(data), size)


@cache
def icon_image(size: int, kind: str) -> bytes:
    """The icon, so many pixels wide, as `PNG` or `ICO`."""
    from PIL import Image, ImageDraw  # noqa: PLC0415  as above

    image = Image.new("RGB", (size, size), _INK)
    draw = ImageDraw.Draw(image)
    draw.text((size / 2, size / 2), "P", font=_font(int(size * 0.72)), fill=_GROUND, anchor="mm")
    draw.rectangle((0, int(size * 0.9), size, size), fill=_ACCENT)
    output = BytesIO()
    image.save(output, kind)
    return output.getvalue()
