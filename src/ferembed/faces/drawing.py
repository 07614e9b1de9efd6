"""A photo with its faces marked: boxes, numbers, labels and bars of the probabilities."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ferembed.labels import ON_DARK, colours_of, place_of

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

Box = tuple[int, int, int, int]
Colour = tuple[int, int, int]

NOBODY = "#FFFFFF"
"""The colour of a face whose label is none of the classes."""

SMALLEST_LETTERS, LETTERS = 10, 0.026
"""Height of the letters: in pixels at least, and as a share of the photo's shorter side."""

GROUND, VEIL = 24, 0.7
"""Grey behind the bars, and how much of the photo it hides."""

LONGEST_NAME = 9
"""Width of a class name at most, in heights of its letters; what is left over becomes an ellipsis."""


class NamedFace(Protocol):
    """What is drawn of a face."""

    @property
    def box(self) -> Box:
        """Left, upper, right and lower edge in pixels."""

    @property
    def label(self) -> str:
        """One of the classes, or any other word, such as "unknown"."""

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """Probability of each class, shape (c,)."""


def draw_faces(
    photo: NDArray[np.uint8] | Image,
    faces: Sequence[NamedFace],
    classes: Sequence[str],
    numbers: Sequence[int] | None = None,
) -> Image:
    """A copy of a photo in which each face has its box, its number, its label and bars of all its probabilities.

    Boxes, labels and bars have the colours of the classes; letters and lines grow with the photo. The bars stand beside
    the box, above or beneath it, or on it where the photo has no other room. They cover no other face: in a crowd a
    face may have to do without. Classes that the photo is not high enough for are left out, the least probable first.

    Parameters
    ----------
    photo : ndarray of uint8, shape (h, w, 3), or PIL.Image.Image
    faces : sequence of NamedFace
        Boxes in pixels of the photo; a label that is none of the classes is drawn in white, without a probability.
    classes : sequence of str
        The order of the probabilities.
    numbers : sequence of int, optional
        A number for each face; 1, 2, ... where not given.

    Returns
    -------
    PIL.Image.Image
        RGB, of the photo's size.

    Examples
    --------
    >>> from typing import NamedTuple
    >>> Seen = NamedTuple("Seen", [("box", tuple), ("label", str), ("probabilities", np.ndarray)])
    >>> face = Seen((40, 60, 120, 140), "happy", np.array([0.9, 0.1]))
    >>> draw_faces(np.zeros((240, 320, 3), np.uint8), [face], ["happy", "sad"]).size
    (320, 240)
    """
    from PIL import Image, ImageDraw

    drawn = (Image.fromarray(photo) if isinstance(photo, np.ndarray) else photo).convert("RGB")
    pen = _Pen(ImageDraw.Draw(drawn), _font(max(SMALLEST_LETTERS, round(LETTERS * min(drawn.size)))))
    colours = dict(zip(classes, colours_of(classes, ON_DARK), strict=True))
    numbers = range(1, len(faces) + 1) if numbers is None else numbers
    taken = [face.box for face in faces]
    for face, number in zip(faces, numbers, strict=True):
        colour = colours.get(face.label, NOBODY)
        pen.frame(face.box, colour)
        taken.append(pen.tag(_tag_of(face, number, classes), face.box, colour, drawn.size))
    for place, face in enumerate(faces):
        bars = _bars_of(face, colours, (drawn.height - pen.unit // 2) // pen.row)
        others = taken[:place] + taken[place + 1 :]
        spot = _room(pen.size_of(bars), face.box, others, drawn.size, pen.line)
        if spot is not None:
            _darken(drawn, spot)
            pen.chart(bars, spot)
            taken.append(spot)
    return drawn


class _Bar(NamedTuple):
    name: str
    share: float
    colour: str


class _Pen(NamedTuple):
    """Draws with letters, lines and gaps of one scale."""

    draw: ImageDraw
    font: FreeTypeFont

    @property
    def unit(self) -> int:
        return round(self.font.size)

    @property
    def row(self) -> int:
        return round(1.3 * self.unit)

    @property
    def line(self) -> int:
        return max(2, round(self.unit / 6))

    def frame(self, box: Box, colour: str) -> None:
        """A box of a colour between thin dark lines, so that it shows on any ground."""
        left, upper, right, lower = box
        hair = max(1, self.line // 3)
        outer, inner = self.line + 2 * hair, self.line
        self.draw.rectangle((left, upper, max(left, right - 1), max(upper, lower - 1)), outline="black", width=outer)
        left, upper, right, lower = left + hair, upper + hair, right - 1 - hair, lower - 1 - hair
        self.draw.rectangle((left, upper, max(left, right), max(upper, lower)), outline=colour, width=inner)

    def tag(self, text: str, box: Box, colour: str, size: tuple[int, int]) -> Box:
        """A line of text on a ground of a colour: above a box, or in it at its upper edge where there is no room."""
        width, height = round(self.font.getlength(text)) + self.unit, self.row
        left = max(0, min(box[0], size[0] - width))
        upper = box[1] - height if box[1] >= height else max(0, box[1])
        self.draw.rectangle((left, upper, left + width - 1, upper + height - 1), fill=colour, outline="black")
        middle = left + self.unit // 2, upper + height // 2
        self.draw.text(middle, text, fill=_readable_on(colour), font=self.font, anchor="lm")
        return left, upper, left + width, upper + height

    def size_of(self, bars: Sequence[_Bar]) -> tuple[int, int]:
        """Width and height of a chart: a gap, the names, a gap, the bars, a gap."""
        return self.names(bars).width + round(5.5 * self.unit), len(bars) * self.row + self.unit // 2

    def chart(self, bars: Sequence[_Bar], spot: Box) -> None:
        """Names and bars, one below the other; a bar as long as there is room is a probability of 1."""
        gap, names = self.unit // 2, self.names(bars)
        self.draw.bitmap((spot[0] + gap, spot[1] + gap // 2), names, fill="white")
        start = spot[0] + names.width + self.unit
        longest = spot[2] - gap - start
        for place, bar in enumerate(bars):
            middle = spot[1] + gap // 2 + place * self.row + self.row // 2
            ends = middle - self.unit // 3, middle + self.unit // 3
            self.draw.rectangle((start, ends[0], start + longest, ends[1]), fill=(70, 70, 70))
            if (length := round(longest * bar.share)) > 0:
                self.draw.rectangle((start, ends[0], start + length, ends[1]), fill=bar.colour)

    def names(self, bars: Sequence[_Bar]) -> Image:
        return _column(tuple(bar.name for bar in bars), self.font, self.row)


def _tag_of(face: NamedFace, number: int, classes: Sequence[str]) -> str:
    place = place_of(face.label, classes)
    share = "" if place is None else f" {face.probabilities[place]:.0%}"
    return f"{number} {_one_line(face.label)}{share}"


def _bars_of(face: NamedFace, colours: dict[str, str], most: int) -> list[_Bar]:
    bars = [_Bar(*each) for each in zip(colours, map(float, face.probabilities), colours.values(), strict=True)]
    shown = sorted(range(len(bars)), key=lambda place: -bars[place].share)[: max(most, 0)]
    return [bars[place] for place in sorted(shown)]


def _room(wanted: tuple[int, int], box: Box, others: Sequence[Box], size: tuple[int, int], gap: int) -> Box | None:
    """Where something of a size stands best by a box: free of all others, and of the box itself if that can be."""
    (width, height), (left, upper, right, lower) = wanted, box
    corners = [
        (right + gap, upper),
        (left - gap - width, upper),
        (left, lower + gap),
        (right - width, upper - gap - height),
        (left + gap, lower - gap - height),
    ]
    if width > size[0] or height > size[1]:
        return None
    inside = [(max(0, min(x, size[0] - width)), max(0, min(y, size[1] - height))) for x, y in corners]
    spots = [(x, y, x + width, y + height) for x, y in inside]
    free = [spot for spot in spots if not any(_shared(spot, other) for other in others)]
    return min(free, key=lambda spot: _shared(spot, box), default=None)


def _shared(one: Box, other: Box) -> int:
    """Pixels that two boxes have in common."""
    width, height = min(one[2], other[2]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0) * max(height, 0)


def _darken(photo: Image, spot: Box) -> None:
    from PIL import Image

    part = photo.crop(spot)
    photo.paste(Image.blend(part, Image.new("RGB", part.size, (GROUND,) * 3), VEIL), spot[:2])


@cache
def _readable_on(colour: str) -> str:
    """Black or white, whichever stands out more."""
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 120 else "white"


def _one_line(name: str) -> str:
    return " ".join(name.encode("utf-8", "backslashreplace").decode().split())


@lru_cache(maxsize=64)
def _column(names: tuple[str, ...], font: FreeTypeFont, row: int) -> Image:
    """Names one below the other as a mask; most photos and all frames of a video ask for the same."""
    from PIL import Image, ImageDraw

    lines = [_fitted(name, font) for name in names]
    width = max((round(font.getlength(line)) for line in lines), default=0)
    mask = Image.new("L", (max(1, width), max(1, len(lines) * row)))
    pen = ImageDraw.Draw(mask)
    for place, line in enumerate(lines):
        pen.text((0, place * row + row // 2), line, fill=255, font=font, anchor="lm")
    return mask


def _fitted(name: str, font: FreeTypeFont) -> str:
    """A name on one line, short enough to stand beside its bar."""
    name = _one_line(name)
    if font.getlength(name) <= LONGEST_NAME * font.size:
        return name
    while name and font.getlength(f"{name}…") > LONGEST_NAME * font.size:
        name = name[:-1]
    return f"{name}…"


@cache
def _font(size: int) -> FreeTypeFont:
    """The letters that matplotlib brings, which write most alphabets; Pillow's own where they are not found."""
    from PIL import ImageFont

    matplotlib = find_spec("matplotlib")
    folders = [] if matplotlib is None else matplotlib.submodule_search_locations or []
    for folder in folders:
        file = os.path.join(folder, "mpl-data", "fonts", "ttf", "DejaVuSans.ttf")
        if os.path.isfile(file):
            return ImageFont.truetype(file, size)
    return ImageFont.load_default(size)  # type: ignore[return-value]
