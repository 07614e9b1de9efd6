"""What is chosen where the best and another differ by rounding alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

TIE = 1e-5
"""Losses, and probabilities, that differ from the best by less than this share of it count as equal to it.

The order of a sum, which threads and a processor's instructions change, moves similarities in single precision by some
1e-7 and a vote at a temperature of 0.05 by some 4e-6. What is chosen must not hang on that.
"""

ALIKE = 2e-6
"""Similarities that differ by less are equal: single precision moves those of unit vectors by about half of it."""


def first_of_the_best(losses: Sequence[float]) -> int:
    """The place of the first loss that is no worse than the least but for :data:`TIE`.

    Candidates stand in the order in which they are to be preferred where nothing tells them apart. A loss below
    :data:`TIE` is as good as none: there the difference is measured in shares of :data:`TIE`.

    Examples
    --------
    >>> first_of_the_best([0.9, 0.5 + 1e-7, 0.5])
    1
    """
    values = np.asarray(losses, dtype=np.float64)
    least = values.min()
    return int((values <= least + TIE * max(abs(least), TIE)).argmax())


def most_probable(proba: NDArray[np.floating]) -> NDArray[np.intp]:
    """The column of the most probable class of each row, shape ``(n,)``; the first of those equal but for :data:`TIE`.

    Examples
    --------
    >>> most_probable(np.array([[0.2, 0.4 - 1e-9, 0.4], [0.2, 0.3, 0.5]])).tolist()
    [1, 2]
    """
    codes: NDArray[np.intp] = (proba >= (1.0 - TIE) * proba.max(axis=1, keepdims=True)).argmax(axis=1)
    return codes
