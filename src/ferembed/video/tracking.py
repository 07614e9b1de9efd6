"""Faces followed from frame to frame."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

OVERLAP = 0.2
"""Least intersection over union of where a face is expected and where one is found."""

LEARNING, FADING = 0.2, 0.5
"""Seconds over which the speed of a face is averaged, and over which it is taken to go on unseen."""


class Tracker:
    """Gives the boxes of one frame after another the numbers of the faces that they show: 1, 2, ..., none twice.

    Each face is expected where its last box and its speed lead; boxes and faces are paired so that they overlap as much
    as they can in all (intersection over union, by the assignment of Kuhn 1955), as SORT does (Bewley et al. 2016).

    Parameters
    ----------
    lost : float
        Seconds for which a face that is not found keeps its number.

    Examples
    --------
    >>> tracker = Tracker()
    >>> tracker.update([[0, 0, 50, 50], [100, 0, 150, 50]], 0.0)
    [1, 2]
    >>> tracker.update([[104, 0, 154, 50]], 0.1), tracker.update([[108, 0, 158, 50], [0, 0, 50, 50]], 0.2)
    ([2], [2, 1])
    """

    def __init__(self, lost: float = 2.0) -> None:
        if not lost >= 0:
            raise ValueError(f"lost must be a number of seconds, 0 or more, not {lost}.")
        self.lost = lost
        self._faces: dict[int, _Followed] = {}
        self._given = 0

    @property
    def numbers(self) -> list[int]:
        """The faces that are seen, or were not long ago."""
        return list(self._faces)

    def update(self, boxes: ArrayLike, time: float) -> list[int]:
        """The number of each box, shape (n, 4): left, upper, right, lower edge. Times, in seconds, do not go back."""
        found = np.asarray(boxes, np.float64).reshape(-1, 4)
        self._faces = {n: face for n, face in self._faces.items() if time - face.time <= self.lost}
        known = self.numbers
        expected = np.array([self._faces[number].at(time) for number in known]).reshape(-1, 4)
        numbers = [0] * len(found)
        for box, face in _pairs(intersection_over_union(found, expected)):
            numbers[box] = known[face]
            self._faces[known[face]].see(found[box], time)
        for place, number in enumerate(numbers):
            if not number:
                self._given += 1
                numbers[place] = self._given
                self._faces[self._given] = _Followed(found[place], time)
        return numbers


class _Followed:
    """A face: its last box, when that was seen, and its edges' speed in pixels a second."""

    def __init__(self, box: NDArray[np.float64], time: float) -> None:
        self.box, self.time = box, time
        self.speed = np.zeros(4)

    def at(self, time: float) -> NDArray[np.float64]:
        """Where it is expected: its centre goes on, ever slower, and its size stays."""
        horizontal, vertical = self.speed.reshape(2, 2).mean(axis=0)
        way = FADING * -math.expm1(-(time - self.time) / FADING)
        return self.box + way * np.array([horizontal, vertical, horizontal, vertical])

    def see(self, box: NDArray[np.float64], time: float) -> None:
        if (passed := time - self.time) > 0:
            share = -math.expm1(-passed / LEARNING)
            self.speed = self.speed + share * ((box - self.box) / passed - self.speed)
        self.box, self.time = box, time


def intersection_over_union(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much each box (n, 4) overlaps with each other (m, 4), from 0 to 1: shape (n, m).

    Examples
    --------
    >>> intersection_over_union(np.array([[0.0, 0, 2, 2]]), np.array([[1.0, 0, 3, 2], [2, 2, 3, 3]])).round(2).tolist()
    [[0.33, 0.0]]
    """
    corner, opposite = np.maximum(one[:, None, :2], other[:, :2]), np.minimum(one[:, None, 2:], other[:, 2:])
    shared = (opposite - corner).clip(0).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (one, other)]
    union = areas[0][:, None] + areas[1] - shared
    return np.asarray(shared / np.where(union > 0, union, 1))


def _pairs(overlaps: NDArray[np.float64]) -> Sequence[tuple[int, int]]:
    from scipy.optimize import linear_sum_assignment

    enough = np.where(overlaps >= OVERLAP, overlaps, 0)
    pairs = zip(*linear_sum_assignment(enough, maximize=True), strict=True)
    return [(int(box), int(face)) for box, face in pairs if enough[box, face] > 0]
