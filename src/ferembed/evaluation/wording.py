"""How figures are headed and written, in the terminal and on pages."""

from __future__ import annotations

from typing import Any

from ferembed.evaluation.comparison import Difference
from ferembed.evaluation.intervals import Interval

VOTERS = {"softmax": "softmax", "knn": "k-NN", "vote": "vote"}

FIGURES = {
    "accuracy": "accuracy",
    "top2_accuracy": "top-2 accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "auroc": "AUROC",
    "nll": "NLL",
    "brier": "Brier",
    "ece": "ECE",
    "squared_ce": "squared CE",
}
CLASS_FIGURES = {"recall": "recall", "precision": "precision", "f1": "F1", "auroc": "AUROC"}
RETRIEVAL_FIGURES = {
    "recall_at_1": "R@1",
    "recall_at_5": "R@5",
    "recall_at_10": "R@10",
    "map_at_r": "MAP@R",
    "silhouette": "silhouette",
}

CALIBRATION = (
    "Squared CE is the squared calibration error without the bias of small samples; its root is on the scale of ECE, "
    "whose interval would not hold the truth and is left out."
)
COLLAPSED = "The embedding has collapsed: all faces lie at one point up to rounding, and none is nearer than another."

_DECIMALS = {"auroc": 3, "nll": 3, "brier": 3, "ece": 3, "squared_ce": 4, "silhouette": 3}
"""Of the figures that are no shares."""


def voter_name(voter: str) -> str:
    """What a voter is called where people read."""
    return VOTERS.get(voter, voter)


def written(field: str, value: float | None) -> str:
    """A figure as a percentage, or, where it is no share, as a number.

    >>> written("accuracy", 0.5), written("nll", 1.0), written("recall", None)
    ('50.0%', '1.000', '-')
    """
    if value is None:
        return "-"
    return f"{value:.{_DECIMALS[field]}f}" if field in _DECIMALS else f"{value:.1%}"


def written_difference(field: str, value: float) -> str:
    """A difference of two figures, with its sign; shares in percentage points.

    >>> written_difference("accuracy", 0.015), written_difference("nll", -0.25)
    ('+1.5', '-0.250')
    """
    return f"{value:+.{_DECIMALS[field]}f}" if field in _DECIMALS else f"{100 * value:+.1f}"


def written_gap(field: str, gap: Difference) -> tuple[str, str, str]:
    """A difference, its interval and its p value; hyphens where it has none.

    >>> written_gap("accuracy", Difference(0.5, 0.75, 0.25, Interval(0.125, 0.375), 0.001))
    ('+25.0', '+12.5 to +37.5', '0.001')
    >>> written_gap("ece", Difference(0.01, 0.03, 0.02))
    ('+0.020', '-', '-')
    """
    bounds = "-" if gap.interval is None else " to ".join(written_difference(field, end) for end in gap.interval)
    if gap.difference is None:
        return "-", "-", "-"
    return written_difference(field, gap.difference), bounds, "-" if gap.p_value is None else f"{gap.p_value:.3f}"


def written_interval(field: str, metrics: Any) -> str:
    """The interval of a figure, or nothing where it has none.

    >>> from types import SimpleNamespace
    >>> written_interval("accuracy", SimpleNamespace(intervals={"accuracy": Interval(0.5, 0.75)}))
    '50.0-75.0'
    """
    bounds: Interval | None = metrics.intervals.get(field)
    if bounds is None:
        return ""
    return (" to " if bounds.low < 0 else "-").join(written(field, bound).rstrip("%") for bound in bounds)
