"""Pictures in even light."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ferembed.data.images import LUMA

Light = Literal["equalise", "standardise"]

MEAN, CONTRAST = 129.5, 54.05
"""Mean level, and mean over the images of the standard deviation of the levels, of FER2013's training faces."""


def equalise(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Each image with its levels spread so that all are about equally frequent (histogram equalisation).

    Parameters
    ----------
    images : ndarray of uint8, shape (n, h, w) or (n, h, w, 3)
        Of colour the luminance (ITU-R BT.601) is changed.

    Returns
    -------
    ndarray of uint8
        Of the same shape. The darkest level becomes 0 and the brightest 255; an image of one level stays as it is.

    Examples
    --------
    >>> equalise(np.array([[[100, 101], [101, 110]]], np.uint8)).tolist()
    [[[0, 170], [170, 255]]]
    """
    return _with_levels(images, _equalised)


def standardise(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Each image at zero mean and unit norm, shown with mean level and contrast as FER2013's training faces have them.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, h, w) or (n, h, w, 3)
        Of colour the luminance (ITU-R BT.601) is changed.

    Returns
    -------
    ndarray of uint8
        Of the same shape: mean :data:`MEAN` and standard deviation :data:`CONTRAST`, but for levels cut at 0 and 255.
        An image of one level becomes flat at the mean.
    """
    return _with_levels(images, _standardised)


LIGHTS: dict[Light, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    "equalise": equalise,
    "standardise": standardise,
}
"""The changes of light by name."""


def _with_levels(
    images: NDArray[np.uint8], change: Callable[[NDArray[np.uint8]], NDArray[np.float64]]
) -> NDArray[np.uint8]:
    """Images whose luminance, (n, pixels), is changed, while the differences of the colours stay."""
    if images.ndim == 3:
        changed = _eight_bits(change(images.reshape(len(images), -1)))
        return changed.reshape(images.shape)
    luminance = _eight_bits(images @ np.array(LUMA)).reshape(len(images), -1)
    brighter = (change(luminance) - luminance).reshape(*images.shape[:3], 1)
    return _eight_bits(images + brighter)


def _equalised(levels: NDArray[np.uint8]) -> NDArray[np.float64]:
    n, pixels = levels.shape
    places = levels + 256 * np.arange(n)[:, None]
    as_dark = np.bincount(places.ravel(), minlength=256 * n).reshape(n, 256).cumsum(axis=1)
    darkest = np.take_along_axis(as_dark, levels.min(axis=1, keepdims=True).astype(int), axis=1)
    spread = 255 * (as_dark - darkest) / np.maximum(pixels - darkest, 1)
    table = np.where(darkest < pixels, spread, np.arange(256))
    equal: NDArray[np.float64] = table.ravel()[places]
    return equal


def _standardised(levels: NDArray[np.uint8]) -> NDArray[np.float64]:
    centred = levels - levels.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = centred / np.where(norm > 0, norm, 1)
    shown: NDArray[np.float64] = MEAN + CONTRAST * np.sqrt(levels.shape[1]) * unit
    return shown


def _eight_bits(levels: NDArray[np.floating]) -> NDArray[np.uint8]:
    rounded: NDArray[np.uint8] = np.rint(levels).clip(0, 255).astype(np.uint8)
    return rounded
