"""Every picture brought to one small grey canvas, so that pictures of any size and colour can be compared."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

SIDE = 48
"""Height and width of the canvas in pixels: FER2013's."""

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


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
    pixels = grey @ _LUMA if grey.ndim == 4 else grey.astype(np.float32)
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
