"""What a classifier's probabilities are worth: metrics, calibration, rejection, and pictures of them."""

from ferembed.evaluation.calibration import (
    ReliabilityCurve,
    adaptive_calibration_error,
    expected_calibration_error,
    reliability_curve,
)
from ferembed.evaluation.metrics import ClassMetrics, Metrics, brier_score, confusion_counts, evaluate_probabilities
from ferembed.evaluation.plots import plot_confusion, plot_reliability, plot_risk_coverage
from ferembed.evaluation.selective import RiskCoverageCurve, auroc, risk_coverage_curve

__all__ = [
    "ClassMetrics",
    "Metrics",
    "ReliabilityCurve",
    "RiskCoverageCurve",
    "adaptive_calibration_error",
    "auroc",
    "brier_score",
    "confusion_counts",
    "evaluate_probabilities",
    "expected_calibration_error",
    "plot_confusion",
    "plot_reliability",
    "plot_risk_coverage",
    "reliability_curve",
    "risk_coverage_curve",
]
