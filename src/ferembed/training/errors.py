"""What can go wrong while training, apart from a wrong recipe."""

from __future__ import annotations


class TrainingError(RuntimeError):
    """A run cannot go on; the sentence says why and what to change."""


class CollapseWarning(UserWarning):
    """All faces are landing on nearly one point, or the classes on one another."""
