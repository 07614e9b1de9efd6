"""How names of classes, models and files are written in pictures: as they are, and no wider than there is room."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from functools import cache

LINES = 3
"""Lines that a name takes at most; what is left over becomes an ellipsis."""


def plain(text: object, width: int | None = None) -> str:
    """Text for matplotlib that is shown letter by letter.

    A ``$`` begins no formula, an underscore hides no line from a legend, and a symbol that matplotlib's font lacks,
    such as an emoji, is spelled out.

    Parameters
    ----------
    text : object
        Anything that prints.
    width : int, optional
        Letters a line, beyond which a line is wrapped; at most :data:`LINES` lines come of one.

    Examples
    --------
    >>> print(plain("$5 to $10"), plain("sadness and grief", 10), sep="; ")
    \\$5 to \\$10; sadness
    and grief
    """
    written = str(text)
    if not written.isascii():
        written = "".join(map(_spelled, written))
    if width is not None:
        wrapper = _Wrapper(width, max_lines=LINES, placeholder="…")
        written = "\n".join(map(wrapper.fill, written.split("\n")))
    if written.startswith("_"):
        written = f"\N{NO-BREAK SPACE}{written}"
    return written.replace("$", r"\$")


class _Wrapper(textwrap.TextWrapper):
    """Breaks lines after the signs that join the parts of names and paths, too."""

    wordsep_re = re.compile(r"(\s+|(?<=[-_/.,])(?=\w))")


def _spelled(sign: str) -> str:
    """A sign itself, or its name where it is a symbol that the font lacks."""
    kind = unicodedata.category(sign)
    if sign.isascii() or not kind.startswith(("S", "M", "C")) or ord(sign) in _glyphs():
        return sign
    return f"[{unicodedata.name(sign, 'symbol').lower()}]" if kind.startswith("S") else ""


def _glyphs() -> frozenset[int]:
    from matplotlib import rcParams

    return _of_fonts(tuple(rcParams["font.family"]))


@cache
def _of_fonts(families: tuple[str, ...]) -> frozenset[int]:
    """All signs that one of the fonts has."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    fonts = [get_font(findfont(FontProperties(family=[family]))) for family in families]
    return frozenset(sign for font in fonts for sign in font.get_charmap())
