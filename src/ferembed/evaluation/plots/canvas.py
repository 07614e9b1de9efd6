"""What the pictures share: where they are drawn, in which colours and dashes, and how names are written."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from ferembed.labels import COLOURS, DEPTHS, ON_DARK, colours_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure


BLUE, ORANGE, PALE, GREY = COLOURS["sad"], COLOURS["angry"], COLOURS["surprise"], "#8C8C8C"
LINES = (BLUE, ORANGE, COLOURS["disgust"], COLOURS["fear"], COLOURS["contempt"], PALE, GREY)
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")

MOST_LINES = 3
"""Lines that a name takes at most; what is left over becomes an ellipsis."""


def new_figure(size: tuple[float, float]) -> Figure:
    """A figure of a size in inches, made without pyplot."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def axes_or_new(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """The axes given, or those of a new figure."""
    return new_figure(size).add_subplot() if ax is None else ax


def figure_or_place(ax: Axes | None, size: tuple[float, float]) -> Figure | SubFigure:
    """For sheets of many axes: a new figure, or a part of the axes' figure that takes their place.

    Raises
    ------
    ValueError
        If the axes are not one of a figure's subplots.
    """
    if ax is None:
        return new_figure(size)
    figure, place = ax.get_figure(), ax.get_subplotspec()
    if figure is None or place is None:
        raise ValueError(
            "a sheet of many axes takes the place of a subplot: ax must come from subplots or add_subplot."
        )
    ax.remove()
    return figure.add_subfigure(place)


def legend_above(ax: Axes, columns: int, title: str = "") -> None:
    """A legend over the axes, so that nothing that is drawn runs behind it, and the title over the legend."""
    labels = ax.get_legend_handles_labels()[1]
    ax.legend(fontsize=8, ncols=columns, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    rows = [labels[start : start + columns] for start in range(0, len(labels), columns)]
    lines = sum(max(label.count("\n") + 1 for label in row) for row in rows)
    ax.set_title(title, fontsize=10, pad=10 + 14 * lines)


def ink() -> Any:
    """The colour of text, so that a picture suits a dark page too."""
    from matplotlib import rcParams

    return rcParams["text.color"]


def palette() -> dict[str, str]:
    """The emotions' colours, to be seen on the page's ground."""
    from matplotlib.colors import to_rgb

    return COLOURS if sum(to_rgb(ink())) < 1.5 else ON_DARK


def class_colours(classes: Sequence[Any]) -> list[str]:
    """One colour a class, as :func:`~ferembed.labels.colours_of` gives them, to be seen on the page's ground."""
    from matplotlib.colors import to_rgb

    light = sum(to_rgb(ink())) < 1.5
    return colours_of(classes, palette(), ((1.0, 0.85), (0.55, 0.95), (0.9, 0.5)) if light else DEPTHS)


def class_markers(classes: Sequence[Any]) -> list[str]:
    """One marker a class."""
    return [MARKERS[place % len(MARKERS)] for place in range(len(classes))]


def dress_line(place: int) -> dict[str, Any]:
    """Colour and dashes of the line at a place, told apart by either."""
    return {"color": LINES[place % len(LINES)], "linestyle": DASHES[place % len(DASHES)]}


def plain(text: object, width: int | None = None) -> str:
    """Text for matplotlib that is shown letter by letter.

    A ``$`` begins no formula, an underscore hides no line from a legend, and a symbol that matplotlib's font lacks,
    such as an emoji, is spelled out.

    Parameters
    ----------
    text : object
        Anything that prints.
    width : int, optional
        Letters a line, beyond which a line is wrapped; at most :data:`MOST_LINES` lines come of one.

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
        wrapper = _Wrapper(width, max_lines=MOST_LINES, placeholder="…")
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
