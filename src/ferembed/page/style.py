"""Colours of a page and of the pictures on it, light and dark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LIGHT = {
    "ground": "#ffffff",
    "raised": "#f3f4f6",
    "ink": "#1a1c20",
    "soft": "#5b616b",
    "line": "#d5d8dd",
    "link": "#005a9e",
    "mark": "#d55e00",
    "fill": "#08519c",
    "more": "#542788",
    "less": "#b35806",
}
DARK = {
    "ground": "#15171b",
    "raised": "#23262c",
    "ink": "#e8eaed",
    "soft": "#a3a9b3",
    "line": "#3a3f47",
    "link": "#7cc0ff",
    "mark": "#ff9a3d",
    "fill": "#6baed6",
    "more": "#b2abd2",
    "less": "#fdb863",
}


def luminance(red: float, green: float, blue: float) -> float:
    """Relative luminance, 0 to 1, of a colour whose channels go from 0 to 1 (WCAG 2)."""
    r, g, b = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in (red, green, blue))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def text_on(red: float, green: float, blue: float) -> str:
    """Black or white, whichever stands out from a ground; either does so with a contrast of 4.5 or more (WCAG 2).

    >>> text_on(1.0, 1.0, 0.9), text_on(0.0, 0.0, 0.6)
    ('black', 'white')
    """
    return "black" if luminance(red, green, blue) > 0.179 else "white"


def text_on_share(tone: str, share: float) -> str:
    """A CSS colour of text, black or white, whichever stands out from a tone's share of a raised ground.

    >>> text_on_share("fill", 0.0), text_on_share("fill", 1.0)
    ('light-dark(black, white)', 'light-dark(white, black)')
    """
    light, dark = (text_on(*_mixed(colours[tone], colours["raised"], share)) for colours in (LIGHT, DARK))
    return f"light-dark({light}, {dark})"


def _mixed(tone: str, ground: str, share: float) -> list[float]:
    """Red, green and blue, 0 to 1, of what CSS's ``color-mix`` gives."""
    return [(share * int(tone[i : i + 2], 16) + (1 - share) * int(ground[i : i + 2], 16)) / 255 for i in (1, 3, 5)]


def plot_theme(colours: Mapping[str, str]) -> Any:
    """Settings that draw a matplotlib picture in a page's colours."""
    ink = dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), colours["ink"]
    )
    ground = dict.fromkeys(("figure.facecolor", "axes.facecolor", "legend.facecolor"), colours["ground"])
    return {**ink, **ground, "grid.color": colours["line"], "legend.edgecolor": colours["line"], "svg.hashsalt": "page"}
