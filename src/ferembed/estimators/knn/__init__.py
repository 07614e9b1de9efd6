"""The nearest-neighbour classifier."""

from ferembed.estimators.knn.classifier import KNNClassifier

__all__ = ["KNNClassifier"]
