"""Confusion matrices: of one system, and the difference of two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferembed.evaluation.metrics import confusion_counts
from ferembed.evaluation.plots.canvas import axes_or_new, plain
from ferembed.page.style import text_on
from ferembed.probability import class_codes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MANY = 12
"""Classes from which on cells are small, and those of zeros empty."""


def plot_confusion(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    classes: Sequence[Any],
    ax: Axes | None = None,
    *,
    cells: Literal["shares", "counts"] = "shares",
) -> Axes:
    """The confusion matrix: each row in shares of its true class, with counts beneath.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n,)
        Classes, as they are named in ``classes``.
    classes : sequence
        Rows from the top, and columns from the left.
    ax : matplotlib Axes, optional
    cells : {"shares", "counts"}
        What colours a cell: its share of the row, or its number of images, which then stands alone in it.

    Raises
    ------
    ValueError
        If a label is not among the classes, the lengths differ, or ``cells`` is neither.
    """
    if cells not in ("shares", "counts"):
        raise ValueError(f"cells must be 'shares' or 'counts', not {cells!r}.")
    counts = _counts(y_true, y_pred, classes)
    if cells == "counts":
        ax = _matrix(counts, [[f"{n:,}" for n in row] for row in counts], classes, ax, vmax=max(1, counts.max()))
        ax.set_title("number of images", fontsize=10)
        return ax
    shares = _shares(counts)
    ax = _matrix(shares, [[f"{share:.0%}" for share in row] for row in shares], classes, ax, below=counts)
    ax.set_title("share of each true class, number of images beneath", fontsize=10)
    return ax


def plot_confusion_difference(
    y_true: ArrayLike, first: ArrayLike, second: ArrayLike, classes: Sequence[Any], ax: Axes | None = None
) -> Axes:
    """How the confusion matrix of the second system differs from the first's, in points of each true class.

    On the diagonal more is better; off it, fewer.

    Parameters
    ----------
    y_true, first, second : array-like of shape (n,)
        Classes: the truth, and two systems' answers.
    classes : sequence
    ax : matplotlib Axes, optional

    Raises
    ------
    ValueError
        As :func:`plot_confusion` does.
    """
    before, after = (_counts(y_true, answers, classes) for answers in (first, second))
    points = 100 * (_shares(after) - _shares(before))
    widest = max(1.0, float(np.abs(points).max()))
    ax = _matrix(
        points,
        [["0" if abs(value) < 0.05 else f"{value:+.1f}" for value in row] for row in points],
        classes,
        ax,
        vmin=-widest,
        vmax=widest,
        colours="PuOr",
        below=after - before,
    )
    ax.set_title("second less first: points of each true class, images beneath", fontsize=10)
    return ax


def _counts(y_true: ArrayLike, y_pred: ArrayLike, classes: Sequence[Any]) -> NDArray[np.int64]:
    truth, answers = class_codes(y_true, classes), class_codes(y_pred, classes)
    if len(truth) != len(answers):
        raise ValueError(f"y_true has {len(truth)} rows and y_pred {len(answers)}: they must be of the same images.")
    return confusion_counts(truth, answers, len(classes))


def _shares(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return shares


def _matrix(
    values: NDArray[Any],
    written: Sequence[Sequence[str]],
    classes: Sequence[Any],
    ax: Axes | None,
    *,
    vmin: float = 0.0,
    vmax: float = 1.0,
    colours: str = "Blues",
    below: NDArray[np.int64] | None = None,
) -> Axes:
    many = len(classes) > MANY
    side = 1.6 + (0.5 if many else 0.75) * len(classes)
    ax = axes_or_new(ax, (side, side))
    shown = ax.imshow(values, cmap=colours, vmin=vmin, vmax=vmax)
    names = [plain(name, 18) for name in classes]
    ax.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(names)), names)
    for (row, column), value in np.ndenumerate(values):
        if many and not value:
            continue
        red, green, blue, _ = shown.to_rgba(value)
        colour = text_on(red, green, blue)
        lift = 0.0 if below is None else 0.12
        size = 8 if many else 10
        ax.text(column, row - lift, written[row][column], ha="center", va="center", color=colour, fontsize=size)
        if below is not None:
            sign = "+," if vmin < 0 else ","
            number = f"{below[row, column]:{sign}}" if below[row, column] else "0"
            ax.text(column, row + 0.22, number, ha="center", va="center", color=colour, fontsize=7)
    ax.set(xlabel="predicted", ylabel="true")
    return ax
