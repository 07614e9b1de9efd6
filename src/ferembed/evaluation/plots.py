"""Pictures of an evaluation. Each draws on ``ax``, or on a new figure, and returns the axes; saving is the caller's.

New figures are made without pyplot, so that they need no display and are freed with the last reference:
``plot_confusion(...).figure.savefig("confusion.png")``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ferembed.evaluation.calibration import ReliabilityCurve
from ferembed.evaluation.metrics import class_codes, confusion_counts
from ferembed.evaluation.selective import RiskCoverageCurve
from ferembed.labels import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PALE, _ORANGE, _GREY = COLOURS["surprise"], COLOURS["angry"], COLOURS["neutral"]
_LINES = (COLOURS["sad"], _ORANGE, COLOURS["disgust"], COLOURS["fear"], COLOURS["contempt"], _PALE, "#000000")


def plot_confusion(y_true: ArrayLike, y_pred: ArrayLike, classes: Sequence[Any], ax: Axes | None = None) -> Axes:
    """The confusion matrix: each row in shares of its true class, with counts beneath.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n,)
        Classes, as they are named in ``classes``.
    classes : sequence
        Rows from the top, and columns from the left.
    ax : matplotlib Axes, optional

    Raises
    ------
    ValueError
        If a label is not among the classes, or the lengths differ.
    """
    truth, answers = class_codes(y_true, classes), class_codes(y_pred, classes)
    if len(truth) != len(answers):
        raise ValueError(f"y_true has {len(truth)} rows and y_pred {len(answers)}: they must be of the same images.")
    counts = confusion_counts(truth, answers, len(classes))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 1.6 + 0.75 * len(classes)
    ax = _axes(ax, (side, side))
    ax.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    names = [str(name) for name in classes]
    ax.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(names)), names)
    for (row, column), share in np.ndenumerate(shares):
        colour = "white" if share > 0.6 else "black"
        ax.text(column, row - 0.12, f"{share:.0%}", ha="center", va="center", color=colour)
        ax.text(column, row + 0.22, f"{counts[row, column]:,}", ha="center", va="center", color=colour, fontsize=7)
    ax.set(xlabel="predicted", ylabel="true")
    ax.set_title("share of each true class, number of images beneath", fontsize=10)
    return ax


def plot_reliability(curve: ReliabilityCurve, ax: Axes | None = None) -> Axes:
    """The reliability diagram: accuracy against confidence in bins, and how many rows each bin holds.

    Bars below the diagonal are too sure, bars above it not sure enough. Bins without rows are left out.
    """
    ax = _axes(ax, (5.0, 5.0))
    places = np.clip(np.searchsorted(curve.edges, curve.confidence, side="left") - 1, 0, len(curve.edges) - 2)
    left, width = curve.edges[places], np.diff(curve.edges)[places]
    ax.bar(left, curve.accuracy, width, align="edge", color=_PALE, edgecolor="white", label="accuracy")
    ax.bar(
        left,
        curve.count / curve.count.sum(),
        width,
        align="edge",
        color=_GREY,
        edgecolor="white",
        label="share of rows",
    )
    ax.plot([0, 1], [0, 1], color="black", linestyle="--", linewidth=1, label="perfectly calibrated")
    ax.plot(curve.confidence, curve.accuracy, "o", color=_ORANGE, markersize=5, label="mean confidence of the bin")
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="confidence", ylabel="accuracy")
    ax.set_title(f"expected calibration error {curve.error:.3f}, {curve.count.sum():,} rows", fontsize=10)
    ax.legend(loc="upper left", fontsize=8)
    return ax


def plot_risk_coverage(curves: RiskCoverageCurve | Mapping[str, RiskCoverageCurve], ax: Axes | None = None) -> Axes:
    """Error among the answered rows against the share answered: one curve, or several by name."""
    named = {"": curves} if isinstance(curves, RiskCoverageCurve) else curves
    ax = _axes(ax, (5.5, 4.0))
    for place, (name, curve) in enumerate(named.items()):
        label = f"{name} (area {curve.aurc:.3f})".lstrip()
        ax.step(curve.coverage, curve.risk, where="pre", color=_LINES[place % len(_LINES)], label=label)
    ax.set(xlim=(0, 1), xlabel="coverage: share of rows answered", ylabel="risk: error among the answered")
    ax.set_ylim(bottom=0)
    ax.grid(alpha=0.3)
    ax.legend(fontsize=8)
    return ax


def _axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    if ax is not None:
        return ax
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure.add_subplot()
