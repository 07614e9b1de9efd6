"""Contact sheets of faces: any, neighbours of queries, the surest mistakes; and how any picture is written."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferembed.evaluation.plots.canvas import BLUE, ORANGE, figure_or_place, plain
from ferembed.probability import as_probabilities, class_codes, most_probable
from ferembed.storage import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure


LETTERS = 18
"""Letters of a caption on one line."""


def plot_faces(
    images: NDArray[Any], captions: Sequence[str] | None = None, ax: Axes | None = None, *, columns: int = 8
) -> Figure | SubFigure:
    """A sheet of faces, row by row.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, h, w) or (n, h, w, 3)
    captions : sequence of str, optional
        One line or more above each face; long ones are wrapped.
    ax : matplotlib Axes, optional
        A subplot whose place the sheet takes.
    columns : int
        Faces a row at most.

    Returns
    -------
    matplotlib Figure, or SubFigure in the place of ``ax``
    """
    if captions is not None and len(captions) != len(images):
        raise ValueError(f"{len(images)} images need as many captions, not {len(captions)}.")
    columns = max(1, min(columns, len(images)))
    rows = max(1, math.ceil(len(images) / columns))
    titles = [plain(caption, LETTERS) for caption in captions or ()]
    lines = max((title.count("\n") + 1 for title in titles), default=0)
    figure = figure_or_place(ax, (1.3 * columns, (1.3 + 0.2 * lines) * rows))
    for place, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        axes.set_axis_off()
        if place < len(images):
            axes.imshow(images[place], cmap="gray", vmin=0, vmax=255)
            if titles:
                axes.set_title(titles[place], fontsize=8)
    return figure


def save_figure(picture: Figure | SubFigure | Axes, path: str | os.PathLike[str], *, dpi: int = 120) -> None:
    """Write a picture, whole or not at all; the path's ending (.png, .svg, .pdf) decides the format."""
    figure = picture.get_figure(root=True)
    if figure is None:
        raise ValueError("the axes belong to no figure that could be saved.")
    ending = os.path.splitext(os.fspath(path))[1].lstrip(".") or "png"
    with atomic_path(path) as draft:
        figure.savefig(draft, dpi=dpi, format=ending)


def plot_retrieval(
    queries: NDArray[np.uint8],
    labels: Sequence[Any],
    neighbours: NDArray[np.uint8],
    neighbour_labels: ArrayLike,
    distances: ArrayLike,
    ax: Axes | None = None,
) -> Figure | SubFigure:
    """Queries, and beside each its nearest faces with their labels and distances.

    A neighbour of the query's class has a thin blue frame; one of another class a thick orange one.

    Parameters
    ----------
    queries : ndarray of uint8, shape (q, h, w) or (q, h, w, 3)
    labels : sequence of length q
        Their true classes.
    neighbours : ndarray of uint8, shape (q, k, ...)
        Nearest first.
    neighbour_labels : array-like, shape (q, k)
    distances : array-like of float, shape (q, k)
        Cosine distances, 0 to 2.
    ax : matplotlib Axes, optional
        A subplot whose place the sheet takes.

    Raises
    ------
    ValueError
        If the shapes disagree, or there is no query.
    """
    names, apart = np.asarray(neighbour_labels), np.asarray(distances, dtype=np.float64)
    shape = neighbours.shape[:2]
    if {len(queries), len(labels)} != {shape[0]} or not shape == names.shape == apart.shape or not len(queries):
        raise ValueError(
            f"{len(queries)} queries need as many labels, and rows of neighbours, their labels and their distances; "
            f"got {len(labels)} labels and shapes {shape}, {names.shape} and {apart.shape}."
        )
    rows, k = shape
    figure = figure_or_place(ax, (1.15 * (k + 1.3), 1.45 * rows))
    grid = figure.subplots(rows, k + 1, squeeze=False, width_ratios=[1.3] + [1.0] * k)
    for row in range(rows):
        _face(grid[row, 0], queries[row], f"query: {labels[row]}", weight="bold")
        for column in range(k):
            same = names[row, column] == labels[row]
            axes = grid[row, column + 1]
            _face(axes, neighbours[row, column], f"{names[row, column]}\n{apart[row, column]:.3f}")
            for side in axes.spines.values():
                side.set(visible=True, color=BLUE if same else ORANGE, linewidth=1.0 if same else 3.5)
    return figure


def plot_mistakes(
    images: NDArray[np.uint8],
    y_true: ArrayLike,
    proba: ArrayLike,
    classes: Sequence[Any],
    ax: Axes | None = None,
    *,
    count: int = 24,
) -> Figure | SubFigure:
    """The faces named wrongly with the highest confidence, surest first.

    Above each: what it was called with which probability, and what it is.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, h, w) or (n, h, w, 3)
    y_true : array-like of shape (n,)
    proba : array-like of float, shape (n, c)
    classes : sequence of length c
    ax : matplotlib Axes, optional
        A subplot whose place the sheet takes.
    count : int
        Faces at most.

    Raises
    ------
    ValueError
        If no face is named wrongly, or a label is not among the classes.
    """
    values, codes = as_probabilities(proba), class_codes(y_true, classes)
    rows = surest_mistakes(values, codes)[:count]
    if not len(rows):
        raise ValueError("every face is named rightly: there is no mistake to show.")
    captions = [
        f"{classes[named]} {values[row].max():.0%}\nis {classes[codes[row]]}"
        for row, named in zip(rows.tolist(), most_probable(values[rows]).tolist(), strict=True)
    ]
    return plot_faces(images[rows], captions, ax)


def surest_mistakes(proba: NDArray[np.float64], codes: NDArray[Any]) -> NDArray[np.intp]:
    """Rows whose most probable class is not the true one, the most confident first."""
    wrong = np.flatnonzero(most_probable(proba) != codes)
    return wrong[np.argsort(-proba[wrong].max(axis=1), kind="stable")]


def _face(axes: Axes, image: NDArray[np.uint8], title: str, weight: str = "normal") -> None:
    axes.imshow(image, cmap="gray", vmin=0, vmax=255)
    axes.set(xticks=[], yticks=[])
    axes.set_title(plain(title, 16), fontsize=8, fontweight=weight)
    for side in axes.spines.values():
        side.set_visible(False)
