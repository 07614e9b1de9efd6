"""Confidence against truth: the reliability diagram and risk against coverage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ferembed.evaluation.calibration import ReliabilityCurve
from ferembed.evaluation.plots.canvas import BLUE, ORANGE, PALE, axes_or_new, dress_line, ink
from ferembed.evaluation.plots.text import plain
from ferembed.evaluation.selective import RiskCoverageCurve

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_reliability(curve: ReliabilityCurve, ax: Axes | None = None) -> Axes:
    """The reliability diagram: accuracy against confidence in bins.

    A bar is a bin's accuracy. Its dot stands at the bin's mean confidence, and is the larger the more rows the bin
    holds; a line joins it to the diagonal, where a calibrated bin would be. Dots below the diagonal are too sure, dots
    above it not sure enough. Bins without rows are left out.
    """
    ax = axes_or_new(ax, (5.0, 5.0))
    places = np.clip(np.searchsorted(curve.edges, curve.confidence, side="left") - 1, 0, len(curve.edges) - 2)
    left, width = curve.edges[places], np.diff(curve.edges)[places]
    ax.bar(left, curve.accuracy, width, align="edge", color=PALE, alpha=0.4, edgecolor="none", label="accuracy")
    ax.plot([0, 1], [0, 1], color=ink(), linestyle="--", linewidth=1, label="perfectly calibrated")
    ax.vlines(curve.confidence, curve.confidence, curve.accuracy, color=ORANGE, linewidth=2, label="gap")
    sizes = 12 + 130 * curve.count / curve.count.max()
    ax.scatter(curve.confidence, curve.accuracy, sizes, BLUE, zorder=3, clip_on=False, label="bin (area: its rows)")
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="confidence", ylabel="accuracy")
    ax.set_title(f"expected calibration error {curve.error:.3f}, {curve.count.sum():,} rows", fontsize=10)
    ax.legend(loc="upper left", fontsize=8)
    return ax


def plot_risk_coverage(curves: RiskCoverageCurve | Mapping[str, RiskCoverageCurve], ax: Axes | None = None) -> Axes:
    """Error among the answered rows against the share answered: one curve, or several by name."""
    named = {"": curves} if isinstance(curves, RiskCoverageCurve) else curves
    ax = axes_or_new(ax, (5.5, 4.0))
    for place, (name, curve) in enumerate(named.items()):
        label = plain(f"{name} (area {curve.aurc:.3f})".lstrip())
        ax.step(curve.coverage, curve.risk, where="pre", label=label, **dress_line(place))
    ax.set(xlim=(0, 1), xlabel="coverage: share of rows answered", ylabel="risk: error among the answered")
    ax.set_ylim(bottom=0)
    ax.grid(alpha=0.3)
    ax.legend(fontsize=8)
    return ax
