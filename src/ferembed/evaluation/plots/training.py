"""Training curves from the figures a run has logged."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ferembed.evaluation.plots.canvas import MARKERS, axes_or_new, class_colours, dress_line, figure_or_place, palette
from ferembed.evaluation.plots.text import plain
from ferembed.labels import canonical

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

Curve: TypeAlias = "tuple[NDArray[np.float64], NDArray[np.float64]]"

METRICS = Path("logs", "csv", "metrics.csv")
_SCORES = ("accuracy", "recall_at", "map_at")


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
    with path.open(newline="", encoding="utf-8") as file:
        for number, line in enumerate(csv.DictReader(file), start=2):
            try:
                epoch = float(line.pop("epoch")) + 1
                for name, value in line.items():
                    if value and name != "step":
                        points.setdefault(name, {})[epoch] = float(value)
            except (KeyError, TypeError, ValueError):
                raise ValueError(f"{path}, line {number}: not a line of a run's figures.") from None
    return {name: (np.array(list(each)), np.array(list(each.values()))) for name, each in points.items()}


def plot_curves(curves: Mapping[str, Curve], ax: Axes | None = None) -> Axes:
    """Curves over epochs by name; what stands before the last ``/`` of a name is left out of the legend.

    Curves of emotions have the emotions' colours.
    """
    ax = axes_or_new(ax, (6.2, 3.4))
    labels = [name.rsplit("/", 1)[-1].replace("_", " ") for name in curves]
    of_classes = {canonical(label) for label in labels} <= palette().keys()
    for place, (label, (epochs, values)) in enumerate(zip(labels, curves.values(), strict=True)):
        line = dress_line(place) | ({"color": class_colours(labels)[place]} if of_classes else {})
        ax.plot(epochs, values, marker=MARKERS[place % len(MARKERS)], markersize=3.5, label=plain(label), **line)
    ax.set_xlabel("epochs")
    ax.grid(alpha=0.3)
    ax.locator_params(axis="x", integer=True)
    if curves:
        ax.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return ax


def plot_training(run: str | os.PathLike[str], ax: Axes | None = None) -> Figure | SubFigure:
    """Training curves of a run: its losses, the scores of the validation split, and the shape of the embedding.

    What is logged for each class has a panel of its own.

    Parameters
    ----------
    run : path
        As for :func:`read_curves`.
    ax : matplotlib Axes, optional
        A subplot whose place the curves take.
    """
    curves = read_curves(run)
    scores = {name for name in curves if any(word in name for word in _SCORES)}
    train = {name for name in curves if name.startswith("train/")}
    of_classes = {name for name in curves if name.count("/") == 2} - scores
    likelihood = {name for name in curves if name.endswith("nll")}
    panels = {
        "training loss": train,
        "validation scores": scores - train,
        "validation NLL": likelihood - train,
        "validation: shape of the embedding": curves.keys() - scores - train - likelihood - of_classes,
        **{
            f"{kind.replace('_', ' ')}, of each class": {name for name in of_classes if name.split("/")[1] == kind}
            for kind in sorted({name.split("/")[1] for name in of_classes})
        },
    }
    shown = {title: {name: curves[name] for name in curves if name in names} for title, names in panels.items()}
    shown = {title: each for title, each in shown.items() if each}
    if not shown:
        raise ValueError(f"{run} has logged no figures.")
    columns = min(2, len(shown))
    rows = -(-len(shown) // columns)
    figure = figure_or_place(ax, (6.2 * columns, 3.2 * rows))
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[len(shown) :]:
        axes.set_axis_off()
    for axes, (title, each) in zip(grid, shown.items(), strict=False):
        plot_curves(each, axes).set_title(plain(title), fontsize=10)
    return figure
