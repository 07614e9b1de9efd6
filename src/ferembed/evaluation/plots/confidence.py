"""Confidence against truth: the reliability diagram and risk against coverage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ferembed.evaluation.calibration import ReliabilityCurve
from ferembed.evaluation.intervals import share_interval
from ferembed.evaluation.plots.canvas import ORANGE, PALE, axes_or_new, dress_line, ink, legend_above, plain
from ferembed.evaluation.ranking import RiskCoverageCurve

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_reliability(curve: ReliabilityCurve, ax: Axes | None = None) -> Axes:
    """The reliability diagram: accuracy against confidence in bins.

    A bar is a bin's accuracy; its whisker is the 95% interval of that share (:func:`share_interval`), and the number at
    its foot how many rows the bin holds. A thick line across the bin is its mean confidence: a bar that ends below it
    is too sure, one that ends above it not sure enough. Bins without rows are left out.
    """
    ax = axes_or_new(ax, (5.0, 5.4))
    places = np.clip(np.searchsorted(curve.edges, curve.confidence, side="left") - 1, 0, len(curve.edges) - 2)
    left, width = curve.edges[places], np.diff(curve.edges)[places]
    middle = left + width / 2
    ax.bar(left, curve.accuracy, width, align="edge", color=PALE, alpha=0.5, linewidth=0, label="accuracy")
    ax.errorbar(middle, curve.accuracy, _reach(curve), fmt="none", ecolor=ink(), elinewidth=1.2, capsize=2)
    ax.hlines(curve.confidence, left, left + width, color=ORANGE, linewidth=2.5, zorder=3, label="mean confidence")
    ax.plot([0, 1], [0, 1], color=ink(), linestyle="--", linewidth=1, label="calibrated")
    for place, count in zip(middle + 0.1 * width, curve.count, strict=True):
        ax.text(place, 0.01, f"{count:,}", rotation=90, ha="left", va="bottom", fontsize=6)
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="confidence", ylabel="accuracy, and the bin's rows")
    legend_above(ax, 3, f"expected calibration error {curve.error:.3f}, {curve.count.sum():,} rows")
    return ax


def _reach(curve: ReliabilityCurve) -> NDArray[np.float64]:
    """How far the 95% intervals of the accuracies reach below and above them, (2, b)."""
    right = np.rint(curve.accuracy * curve.count).astype(int).tolist()
    bounds = np.array([share_interval(k, n) for k, n in zip(right, curve.count.tolist(), strict=True)]).T
    return np.maximum(np.abs(bounds - curve.accuracy), 0.0)


def plot_risk_coverage(curves: RiskCoverageCurve | Mapping[str, RiskCoverageCurve], ax: Axes | None = None) -> Axes:
    """Error among the answered rows against the share answered: one curve, or several by name."""
    named = {"": curves} if isinstance(curves, RiskCoverageCurve) else curves
    ax = axes_or_new(ax, (5.5, 4.4))
    for place, (name, curve) in enumerate(named.items()):
        label = plain(f"{name} (area {curve.aurc:.3f})".lstrip(), 40)
        ax.step(curve.coverage, curve.risk, where="pre", label=label, **dress_line(place))
    ax.set(xlim=(0, 1), xlabel="coverage: share of rows answered", ylabel="risk: error among the answered")
    ax.set_ylim(bottom=0)
    ax.grid(alpha=0.3)
    legend_above(ax, 2)
    return ax
