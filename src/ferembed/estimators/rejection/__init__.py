"""Classifiers that say "unknown" rather than being wrong."""

from ferembed.estimators.rejection.open_set import OpenSet
from ferembed.estimators.rejection.reject_option import RejectOption, conformal_threshold, selective_threshold

__all__ = ["OpenSet", "RejectOption", "conformal_threshold", "selective_threshold"]
