"""Bars a class, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from ferembed.evaluation.metrics import ClassMetrics, Metrics
from ferembed.evaluation.plots.canvas import LINES, axes_or_new, ink, legend_above, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ClassFigure: TypeAlias = Literal["recall", "precision", "f1"]
FIGURES: tuple[ClassFigure, ...] = ("recall", "precision", "f1")
HATCHES = ("", "///", "...", "xxx")


def plot_classes(
    metrics: Metrics | Mapping[str, Metrics], ax: Axes | None = None, *, figure: ClassFigure = "recall"
) -> Axes:
    """Bars a class: recall, precision and F1 of one system, or one of these figures of several systems.

    Whiskers are the metrics' 95% intervals, where they have them. An undefined figure has no bar.

    Parameters
    ----------
    metrics : Metrics, or mapping of name to Metrics
        As :func:`evaluate_probabilities` returns; several must be of the same classes.
    ax : matplotlib Axes, optional
    figure : {"recall", "precision", "f1"}
        Of several systems.
    """
    bars: dict[str, tuple[Metrics, ClassFigure]]
    if isinstance(metrics, Metrics):
        bars = {name: (metrics, name) for name in FIGURES}
    else:
        bars = {name: (each, figure) for name, each in metrics.items()}
    names = list(next(iter(bars.values()))[0].per_class)
    ax = axes_or_new(ax, (6.5, 1.2 + (0.16 + 0.14 * len(bars)) * len(names)))
    width = 0.8 / len(bars)
    for place, (label, (each, field)) in enumerate(bars.items()):
        middle = np.arange(len(names)) + (place - (len(bars) - 1) / 2) * width
        lengths, whiskers = _lengths([each.per_class[name] for name in names], field)
        ax.barh(
            middle,
            lengths,
            0.92 * width,
            label=plain(label if label != "f1" else "F1", 40),
            color=LINES[place % len(LINES)],
            hatch=HATCHES[place % len(HATCHES)],
            edgecolor="white",
            linewidth=0,
        )
        ax.errorbar(lengths, middle, xerr=whiskers, fmt="none", ecolor=ink(), elinewidth=1, capsize=2)
    ax.set_yticks(range(len(names)), [plain(name, 24) for name in names])
    ax.invert_yaxis()
    ax.set(xlim=(0, 1.02), xlabel="share" if isinstance(metrics, Metrics) else ("F1" if figure == "f1" else figure))
    ax.margins(y=0.02)
    ax.grid(axis="x", alpha=0.3)
    ax.set_axisbelow(True)
    legend_above(ax, min(3, len(bars)))
    return ax


def _lengths(classes: list[ClassMetrics], field: ClassFigure) -> tuple[list[float], np.ndarray[tuple[int, int]]]:
    """Lengths, and how far the whiskers reach below and above them, (2, c)."""
    lengths, reach = [], np.zeros((2, len(classes)))
    for place, each in enumerate(classes):
        value = getattr(each, field)
        lengths.append(np.nan if value is None else value)
        if value is not None and field in each.intervals:
            low, high = each.intervals[field]
            reach[:, place] = max(0.0, value - low), max(0.0, high - value)
    return lengths, reach
