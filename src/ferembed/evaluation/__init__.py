"""What a classifier's probabilities are worth: metrics, calibration, rejection, and pictures of them."""

from ferembed.evaluation.calibration import (
    ReliabilityCurve,
    adaptive_calibration_error,
    expected_calibration_error,
    reliability_curve,
    squared_calibration_error,
)
from ferembed.evaluation.comparison import (
    Difference,
    McNemar,
    PairedMetrics,
    PairedRetrieval,
    compare_probabilities,
    compare_retrieval,
    mcnemar,
)
from ferembed.evaluation.intervals import Interval
from ferembed.evaluation.metrics import ClassMetrics, Metrics, brier_score, confusion_counts, evaluate_probabilities
from ferembed.evaluation.plots import (
    plot_classes,
    plot_confusion,
    plot_confusion_difference,
    plot_curves,
    plot_embedding,
    plot_reliability,
    plot_risk_coverage,
    plot_training,
    project_embedding,
)
from ferembed.evaluation.ranking import RiskCoverageCurve, auroc, risk_coverage_curve
from ferembed.evaluation.retrieval import RetrievalMetrics, Retrieved, collapsed, evaluate_retrieval, retrieve
from ferembed.evaluation.sheets import plot_faces, plot_mistakes, plot_retrieval, save_figure

__all__ = [
    "ClassMetrics",
    "Difference",
    "Interval",
    "McNemar",
    "Metrics",
    "PairedMetrics",
    "PairedRetrieval",
    "ReliabilityCurve",
    "RetrievalMetrics",
    "Retrieved",
    "RiskCoverageCurve",
    "adaptive_calibration_error",
    "auroc",
    "brier_score",
    "collapsed",
    "compare_probabilities",
    "compare_retrieval",
    "confusion_counts",
    "evaluate_probabilities",
    "evaluate_retrieval",
    "expected_calibration_error",
    "mcnemar",
    "plot_classes",
    "plot_confusion",
    "plot_confusion_difference",
    "plot_curves",
    "plot_embedding",
    "plot_faces",
    "plot_mistakes",
    "plot_reliability",
    "plot_retrieval",
    "plot_risk_coverage",
    "plot_training",
    "project_embedding",
    "reliability_curve",
    "retrieve",
    "risk_coverage_curve",
    "save_figure",
    "squared_calibration_error",
]
