"""What can go wrong in training."""

from __future__ import annotations


class TrainingError(RuntimeError):
    """A run cannot go on; the sentence says why and what to change."""


class CollapseWarning(UserWarning):
    """All faces are landing on nearly one point, or the classes on one another."""


class RecipeError(ValueError):
    """A recipe cannot be used as it is; the sentence says where and what would be right."""
