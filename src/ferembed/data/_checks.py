"""What the columns of a data set must be; each refusal is one sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferembed.data.errors import DataError
from ferembed.labels import same_class


def check_images(images: Any) -> None:
    """Raise DataError unless they are 8-bit pictures, grey or RGB, or stand for such."""
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] != 3):
        raise DataError(
            f"images must be uint8 of shape (n, h, w) or (n, h, w, 3), not {images.dtype} of shape {images.shape}."
        )


def check_labels(labels: NDArray[np.int64], classes: tuple[str, ...]) -> None:
    """Raise DataError unless each label is a number into classes of different names."""
    if twins := same_class(classes):
        raise DataError(f"class names must differ from each other: {twins[0]!r} and {twins[1]!r} mean one.")
    wrong = np.flatnonzero((labels < 0) | (labels >= len(classes)))
    if wrong.size:
        raise DataError(
            f"label {labels[wrong[0]]} in row {wrong[0]} is not in 0..{len(classes) - 1} ({', '.join(classes)})."
        )


def check_votes(votes: NDArray[np.float32], n: int, vote_classes: tuple[str, ...]) -> None:
    """Raise DataError unless there are ``n`` distributions over the vote classes, some of them perhaps all zeros."""
    if votes.shape != (n, len(vote_classes)):
        raise DataError(
            f"votes must have shape ({n}, {len(vote_classes)}) for vote_classes {list(vote_classes)}, "
            f"not {votes.shape}."
        )
    sums = votes.sum(axis=1)
    wrong = np.flatnonzero((votes < 0).any(axis=1) | ((np.abs(sums - 1) > 1e-4) & (sums != 0)))
    if wrong.size:
        raise DataError(f"votes of row {wrong[0]} are no distribution: {votes[wrong[0]].tolist()}.")
