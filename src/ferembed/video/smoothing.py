"""Probabilities smoothed over time."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray


class Smoother:
    """The probabilities of each face, averaged over what was seen of it: the longer ago, the less it counts.

    Exponential smoothing by time, not by frames, so that a video at 60 frames a second is smoothed as one at 15. A
    first look at a face is taken as it is.

    Parameters
    ----------
    seconds : float
        The time constant: what is so long ago counts 1/e of what is seen now. 0 smooths nothing.

    Examples
    --------
    >>> smoother = Smoother(0.5)
    >>> smoother.update(1, np.array([1.0, 0.0]), 0.0).tolist()
    [1.0, 0.0]
    >>> smoother.update(1, np.array([0.0, 1.0]), 0.5).round(3).tolist()
    [0.368, 0.632]
    """

    def __init__(self, seconds: float = 0.5) -> None:
        if not seconds >= 0:
            raise ValueError(f"the time constant must be a number of seconds, 0 or more, not {seconds}.")
        self.seconds = seconds
        self._seen: dict[int, tuple[float, NDArray[np.float64]]] = {}

    def update(self, number: int, probabilities: NDArray[np.float64], time: float) -> NDArray[np.float64]:
        """The smoothed probabilities, shape (c,), of the face of a number, which has these at a time in seconds."""
        smoothed = probabilities
        if number in self._seen and self.seconds > 0:
            before, last = self._seen[number]
            share = -math.expm1((before - time) / self.seconds)
            smoothed = last + share * (probabilities - last)
        self._seen[number] = time, smoothed
        return smoothed

    def keep(self, numbers: Collection[int]) -> None:
        """Forget all faces but these."""
        self._seen = {number: self._seen[number] for number in numbers if number in self._seen}
