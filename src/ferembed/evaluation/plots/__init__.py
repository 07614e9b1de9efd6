"""Pictures of an evaluation. Each draws on ``ax``, or on a new figure, and returns the axes; saving is the caller's.

Sheets of many axes take the place of ``ax`` in its figure and return that part of it, or else their new figure. New
figures are made without pyplot, so that they need no display and are freed with the last reference:
``save_figure(plot_confusion(...), "confusion.svg")``.
"""

from ferembed.evaluation.plots.classes import plot_classes
from ferembed.evaluation.plots.confidence import plot_reliability, plot_risk_coverage
from ferembed.evaluation.plots.confusion import plot_confusion, plot_confusion_difference
from ferembed.evaluation.plots.embedding import plot_embedding, project_embedding
from ferembed.evaluation.plots.training import plot_curves, plot_training, read_curves

__all__ = [
    "plot_classes",
    "plot_confusion",
    "plot_confusion_difference",
    "plot_curves",
    "plot_embedding",
    "plot_reliability",
    "plot_risk_coverage",
    "plot_training",
    "project_embedding",
    "read_curves",
]
