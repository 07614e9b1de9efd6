"""Every picture brought to one small grey canvas, and the signatures of that: low frequencies, many times over."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ferembed.data.images import LUMA

SIDE = 48
"""Height and width of the canvas in pixels: FER2013's."""

Floats = NDArray[np.float32]

WINDOW = 30.0
"""Side of the window in pixels of the canvas."""

SHIFTS = np.arange(-6.0, 7.0, 2.0)
"""Shifts of the window, along and across, in pixels."""

ZOOMS = (1.03, 1.12)
"""How many times smaller the window is that a picture is looked for by. None is below
1: of two pictures one is always the closer one, and each is looked for among the others."""

_ORDER = 8
_HIGHEST = 9
_SAMPLES = 32
_FLAT = 1e-3  # Lengths below this, in grey levels, are of windows that show nothing.
_ROW, _COLUMN = np.nonzero(
    (np.add.outer(np.arange(_ORDER), np.arange(_ORDER)) <= _HIGHEST)
    & (np.add.outer(np.arange(_ORDER), np.arange(_ORDER)) > 0)
)
_WEIGHT = np.hypot(_ROW, _COLUMN).astype(np.float32)
_MIRRORED = np.where(_COLUMN % 2, -1, 1).astype(np.float32)

DIM = len(_WEIGHT)
"""Numbers a signature."""

MIDDLE = (SIDE - 1) / 2


def canvas(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Grey pictures of :data:`SIDE` x :data:`SIDE` pixels.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, h, w) or (n, h, w, 3)

    Returns
    -------
    ndarray of float32, shape (n, 48, 48)
        0 to 255. Each side is brought to 48 on its own, by area when it shrinks and linearly when it grows.

    Examples
    --------
    >>> canvas(np.full((1, 96, 100, 3), 200, np.uint8)).shape
    (1, 48, 48)
    """
    grey = np.asarray(images)
    pixels = np.asarray(grey @ np.array(LUMA, np.float32), np.float32) if grey.ndim == 4 else grey.astype(np.float32)
    height, width = pixels.shape[1:]
    if (height, width) == (SIDE, SIDE):
        return pixels
    return np.asarray(_resampling(height) @ pixels @ _resampling(width).T, np.float32)


@lru_cache(maxsize=16)
def _resampling(length: int) -> NDArray[np.float32]:
    """Rows of triangle weights, as wide as a pixel of the coarser side."""
    step = length / SIDE
    centres = (np.arange(SIDE) + 0.5) * step - 0.5
    weights = np.maximum(0, 1 - np.abs(np.arange(length) - centres[:, None]) / max(step, 1.0))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


class Poses(NamedTuple):
    """How one picture lies in another: the point ``p`` of the other shows ``centre + scale * (p - middle)`` of it.

    Points are (row, column) in pixels of the canvas and ``middle`` is the canvas's; mirrored pictures have a negative
    second scale.
    """

    centre: Floats
    """Shape (n, 2)."""
    scale: Floats
    """Shape (n, 2)."""


VIEWS = Poses(
    np.array([(MIDDLE + y, MIDDLE + x) for _ in ZOOMS for _ in (1, -1) for y in SHIFTS for x in SHIFTS], np.float32),
    np.array([(1 / z, side / z) for z in ZOOMS for side in (1, -1) for _ in SHIFTS for _ in SHIFTS], np.float32),
)
"""The poses that a picture is looked for under."""


def signatures(pictures: Floats) -> Floats:
    """Unit vectors of the pictures' middles, (n, 48, 48) to (n, :data:`DIM`); zeros where the middle is flat."""
    return _unit(_cosines(pictures, WINDOW, np.zeros(1))[:, 0, 0])


def views(pictures: Floats) -> Floats:
    """Signatures under all of :data:`VIEWS`, (n, 48, 48) to (n, v, :data:`DIM`)."""
    found = []
    for zoom in ZOOMS:
        cosines = _unit(_cosines(pictures, WINDOW / zoom, SHIFTS)).reshape(len(pictures), -1, DIM)
        found += [cosines, cosines * _MIRRORED]
    return np.concatenate(found, axis=1)


def _cosines(pictures: Floats, window: float, shifts: NDArray[np.float64]) -> Floats:
    """Cosines of windows at each shift down and across, (n, shifts, shifts, DIM)."""
    basis = np.concatenate([_basis(window, MIDDLE + shift) for shift in shifts])
    grid = (basis @ pictures @ basis.T).reshape(len(pictures), len(shifts), _ORDER, len(shifts), _ORDER)
    return np.ascontiguousarray(grid.transpose(0, 1, 3, 2, 4)[..., _ROW, _COLUMN])


def _basis(window: float, centre: float) -> Floats:
    """Cosines over a window of a line of pixels, read linearly between the pixels; (_ORDER, SIDE)."""
    steps = (np.arange(_SAMPLES) + 0.5) / _SAMPLES
    places = centre + (steps - 0.5) * window
    between = np.maximum(0, 1 - np.abs(np.arange(SIDE) - places[:, None]))
    cosines = np.cos(np.pi * np.arange(_ORDER)[:, None] * steps) / _SAMPLES
    return np.asarray(cosines @ between, np.float32)


def _unit(cosines: Floats) -> Floats:
    weighted = cosines * _WEIGHT
    lengths = np.linalg.norm(weighted, axis=-1, keepdims=True)
    return np.where(lengths > _FLAT, weighted / np.maximum(lengths, _FLAT), 0).astype(np.float32)
