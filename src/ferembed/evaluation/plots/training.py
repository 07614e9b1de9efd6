"""Training curves from the figures a run has logged."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ferembed.data.csv_files import column_names, read_rows
from ferembed.evaluation.plots.canvas import MARKERS, axes_or_new, dress_line, figure_or_place, legend_above, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.gridspec import SubplotSpec

Curve: TypeAlias = "tuple[NDArray[np.float64], NDArray[np.float64]]"

METRICS = Path("logs", "csv", "metrics.csv")
WIDE, NARROW = 4, 6
"""Panels side by side: of a kind of quantity, and of a class."""
KINDS = {"accuracy": "accuracy", "recall_at": "retrieval", "map_at": "retrieval", "nll": "NLL", "distance": "distances"}
"""A word of a logged name, and the panel in which it stands with others of its unit."""


def read_curves(run: str | os.PathLike[str]) -> dict[str, Curve]:
    """The figures a run has logged, by name: the number of finished epochs, and the values.

    Parameters
    ----------
    run : path
        Folder of a run, or its ``metrics.csv``.

    Raises
    ------
    FileNotFoundError
        If the run has logged nothing.
    ValueError
        If the file is no log of a run, or holds something else than numbers.
    """
    path = Path(run) / METRICS if Path(run).is_dir() else Path(run)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: the run has logged no figures.")
    points: dict[str, dict[float, float]] = {}
    names = column_names(path)
    for number, cells in read_rows(path, names):
        line = dict(zip(names, cells, strict=True))
        try:
            epoch = float(line.pop("epoch")) + 1
            for name, value in line.items():
                if value and name != "step":
                    points.setdefault(name, {})[epoch] = float(value)
        except (KeyError, ValueError):
            raise ValueError(f"{path}, line {number}: not a line of a run's figures.") from None
    return {name: (np.array(list(each)), np.array(list(each.values()))) for name, each in points.items()}


def plot_curves(curves: Mapping[str, Curve], ax: Axes | None = None, *, title: str = "") -> Axes:
    """Curves over epochs by name; what stands before the last ``/`` of a name is left out of the legend."""
    ax = axes_or_new(ax, (4.6, 3.4))
    for place, (name, (epochs, values)) in enumerate(curves.items()):
        label = plain(name.rsplit("/", 1)[-1].replace("_", " "), 16)
        ax.plot(epochs, values, marker=MARKERS[place % len(MARKERS)], markersize=3, label=label, **dress_line(place))
    ax.set_xlabel("epochs")
    ax.grid(alpha=0.3)
    ax.locator_params(axis="x", integer=True)
    if curves:
        legend_above(ax, 2, plain(title, 28))
    return ax


def plot_training(run: str | os.PathLike[str], ax: Axes | None = None) -> Figure | SubFigure:
    """Training curves of a run: a panel for each kind of quantity, then one for each class that has its own.

    Parameters
    ----------
    run : path
        As for :func:`read_curves`.
    ax : matplotlib Axes, optional
        A subplot whose place the curves take.
    """
    kinds: dict[str, dict[str, Curve]] = {}
    classes: dict[str, dict[str, Curve]] = {}
    for name, curve in sorted(read_curves(run).items(), key=lambda each: not each[0].startswith("train/")):
        if name.count("/") == 2:
            figure_of, title = name.rsplit("/", 1)
            classes.setdefault(title, {})[figure_of] = curve
        else:
            kinds.setdefault(_kind(name), {})[name] = curve
    if not kinds and not classes:
        raise ValueError(f"{run} has logged no figures.")
    tall, small = (-(-len(block) // across) for block, across in ((kinds, WIDE), (classes, NARROW)))
    heights = [3.1 * tall, 0.3, 2.0 * small][: 3 if classes else 1][0 if kinds else 1 :]
    figure = figure_or_place(ax, (13.0, sum(heights)))
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    if kinds:
        _panels(grid[0], kinds, WIDE)
    if classes:
        _one_legend(figure.add_subplot(grid[-2]), _panels(grid[-1], classes, NARROW, sharey=True))
    return figure


def _panels(
    place: SubplotSpec, block: Mapping[str, Mapping[str, Curve]], columns: int, sharey: bool = False
) -> list[Axes]:
    """Curves under each title on axes of their own."""
    grid = place.subgridspec(max(1, -(-len(block) // columns)), columns).subplots(squeeze=False, sharey=sharey).ravel()
    for axes in grid[len(block) :]:
        axes.set_axis_off()
    return [plot_curves(curves, axes, title=title) for axes, (title, curves) in zip(grid, block.items(), strict=False)]


def _one_legend(strip: Axes, panels: Iterable[Axes]) -> None:
    """On axes of its own, in place of one on each panel."""
    lines: dict[str, Any] = {}
    for axes in panels:
        handles, labels = axes.get_legend_handles_labels()
        lines |= dict(zip(labels, handles, strict=True))
        axes.set_title(axes.get_title(), fontsize=9, pad=4)
        if (own := axes.get_legend()) is not None:
            own.remove()
    strip.set_axis_off()
    strip.legend(list(lines.values()), list(lines), loc="center", ncols=4, frameon=False, fontsize=8)


def _kind(name: str) -> str:
    """What stands in one panel: quantities of one unit.

    >>> _kind("train/supcon"), _kind("validation/recall_at_1"), _kind("validation/spread")
    ('training loss', 'validation retrieval', 'validation spread')
    """
    split, _, quantity = name.partition("/")
    if split == "train":
        return "training loss"
    return f"{split} {next((kind for word, kind in KINDS.items() if word in quantity), quantity.replace('_', ' '))}"
