"""The two kinds of picture of the suite: markers on lines of labels, and curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ferembed.evaluation.plots.canvas import MARKERS, dress_line, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Points = tuple[list[float], list[float]]
"""Horizontal and vertical places of a line's points."""
PANELS = {"all_images": "all images", "without_copies": "without copies in Training"}
"""The figures that are shown side by side, and how they are named."""
Lines = dict[str, Points]


def places(labels: Sequence[str], drawn: Mapping[str, Mapping[str, Points]], across: str) -> Figure:
    """Panels side by side, each with a line a label and markers by name; equal names look equal.

    Parameters
    ----------
    labels : sequence of str
        From top to bottom.
    drawn : mapping of str to mapping of str to (x, y)
        Panels by title; the places ``y`` are numbers of labels.
    across : str
        What the horizontal axes measure.
    """
    figure = new_figure((4.6 * len(drawn) + 2, 1.2 + 0.26 * max(len(labels), 3)))
    names = list(dict.fromkeys(name for each in drawn.values() for name in each))
    known: dict[str, Any] = {}
    axes = figure.subplots(1, len(drawn), sharey=True, squeeze=False)[0]
    for ax, (title, each) in zip(axes, drawn.items(), strict=True):
        for name, (x, y) in each.items():
            place = names.index(name)
            look = {"color": dress_line(place)["color"], "alpha": 0.85, "markersize": 6}
            (known[name],) = ax.plot(x, y, MARKERS[place % len(MARKERS)], linestyle="", **look)
        _dress(ax, title, across, [])
    ax.set_yticks(range(len(labels)), labels, fontsize=8)
    ax.set_ylim(len(labels) - 0.5, -0.5)
    figure.legend(
        known.values(), known, loc="outside lower center", ncols=min(len(known), 5) or 1, frameon=False, fontsize=8
    )
    return figure


def panels(drawn: Mapping[str, Mapping[str, Points]], across: str, *, log: bool = False) -> Figure:
    """Panels by title, each with lines by name; equal names look equal, and the legend is shared.

    Parameters
    ----------
    drawn : mapping of str to mapping of str to (x, y)
    across : str
        What the horizontal axes count.
    log : bool
        Whether they are logarithmic.
    """
    count = max(len(drawn), 1)
    columns = min(count, 2 if count % 3 else 3)
    lines = math.ceil(count / columns)
    figure = new_figure((max(4.2 * columns, 6.5), 0.9 + 3 * lines))
    names = list(dict.fromkeys(name for each in drawn.values() for name in each))
    known: dict[str, Any] = {}
    for ax, (title, each) in zip(figure.subplots(lines, columns, squeeze=False).flat, drawn.items(), strict=False):
        for name, (x, y) in each.items():
            place = names.index(name)
            (known[name],) = ax.plot(x, y, marker=MARKERS[place % len(MARKERS)], markersize=4, **dress_line(place))
        _dress(ax, title, across, sorted({x for xs, _ in each.values() for x in xs}) if log else [])
    figure.legend(
        known.values(), known, loc="outside lower center", ncols=min(len(known), 3) or 1, frameon=False, fontsize=8
    )
    return figure


def _dress(ax: Axes, title: str, across: str, ticks: Sequence[float]) -> None:
    ax.set_title(title, fontsize=9)
    ax.set_xlabel(across)
    ax.grid(alpha=0.3)
    if ticks:
        ax.set_xscale("log")
        ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.minorticks_off()
