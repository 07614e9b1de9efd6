"""What any system has to beat: the most frequent class, and neighbours over gradients without learning."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

CELL, BINS = 8, 9
COMPONENTS = 128
_STEADY = 1e-5


def hog(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Histograms of oriented gradients (Dalal and Triggs 2005).

    Parameters
    ----------
    images : ndarray of uint8, shape (n, h, w)
        Grey; sides are multiples of 8.

    Returns
    -------
    ndarray of float32, shape (n, blocks * 36)
        Nine unsigned directions in cells of 8 x 8 pixels, blocks of 2 x 2 cells, L2-hys.
    """
    cells = np.concatenate([_cells(images[start : start + 1024]) for start in range(0, len(images), 1024)])
    blocks = np.stack(
        [cells[:, y : y + cells.shape[1] - 1, x : x + cells.shape[2] - 1] for y in (0, 1) for x in (0, 1)], 3
    )
    blocks = blocks.reshape(*blocks.shape[:3], -1)
    clipped = np.minimum(_unit(blocks), 0.2)
    result: NDArray[np.float32] = _unit(clipped).reshape(len(images), -1).astype(np.float32)
    return result


def _cells(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    pixels = np.sqrt(images.astype(np.float32))
    down, right = np.gradient(pixels, axis=(1, 2))
    strength = np.hypot(down, right)
    direction = np.mod(np.arctan2(down, right), np.pi) * BINS / np.pi - 0.5
    low = np.floor(direction)
    share = direction - low
    cells = np.zeros((len(images), images.shape[1] // CELL, images.shape[2] // CELL, BINS), np.float32)
    for offset, part in ((0, 1 - share), (1, share)):
        bins = np.mod(low + offset, BINS)
        for place in range(BINS):
            cells[..., place] += _summed(np.where(bins == place, strength * part, 0))
    return cells


def _summed(pixels: NDArray[Any]) -> NDArray[Any]:
    """Sums over cells."""
    n, height, width = pixels.shape
    return np.asarray(pixels.reshape(n, height // CELL, CELL, width // CELL, CELL).sum(axis=(2, 4)))


def _unit(vectors: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(vectors / np.sqrt((vectors**2).sum(axis=-1, keepdims=True) + _STEADY**2))


class Gradients:
    """HOG and its principal components, as many as 128, fitted to training images."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        features = hog(images)
        self._pca = PCA(min(COMPONENTS, *features.shape), random_state=0).fit(features)
        self.fitted: NDArray[np.float32] = self._pca.transform(features).astype(np.float32)

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Vectors (n, d) of images."""
        vectors: NDArray[np.float32] = self._pca.transform(hog(images)).astype(np.float32)
        return vectors


def majority(codes: NDArray[np.int64], classes: int, rows: int) -> NDArray[np.float64]:
    """The same answer for every image: the classes' frequencies in training."""
    frequencies = np.bincount(codes, minlength=classes) / len(codes)
    return np.tile(frequencies, (rows, 1))
