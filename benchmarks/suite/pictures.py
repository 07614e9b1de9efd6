"""The two kinds of picture of the suite: rows of dots, and lines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ferembed.evaluation.plots.canvas import MARKERS, dress_line, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Points = tuple[Sequence[float], Sequence[float]]
"""Horizontal and vertical places of a line's points."""
Lines = dict[str, Points]


def dots(labels: Sequence[str], figures: Mapping[str, Sequence[float]], axis: str) -> Figure:
    """One line a label, one marker a figure."""
    figure = new_figure((9, 0.8 + 0.24 * max(len(labels), 3)))
    ax = figure.add_subplot()
    for place, (title, values) in enumerate(figures.items()):
        ax.plot(values, range(len(labels)), MARKERS[place], label=title, color=dress_line(place)["color"], alpha=0.85)
    ax.set_yticks(range(len(labels)), labels, fontsize=8)
    ax.invert_yaxis()
    ax.set_xlabel(axis)
    ax.grid(alpha=0.3)
    figure.legend(loc="outside upper right", ncols=len(figures), frameon=False, fontsize=8)
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
