"""Whether two pictures show one photo: one is laid over the other as well as shift, scale and mirroring allow.

The pose is refined from a first guess, from coarse to fine, by Gauss-Newton steps on the squared difference under a
free gain and offset; its minimum is the maximum of the normalised cross-correlation (Lewis, "Fast Normalized
Cross-Correlation", 1995; Evangelidis and Psarakis, "Parametric Image Alignment Using Enhanced Correlation Coefficient
Maximization", 2008). All pairs of a batch step together.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ferembed.auditing.copies.views import MIDDLE, SIDE, Floats, Poses

BAND = (0.8, 2.5)
"""The finest and the coarsest standard deviation, in pixels, of the band whose correlation tells copies apart."""

WINDOW = 5
"""Side, in pixels, of the windows in each of which the band is compared."""

FAINT = 0.5
"""Standard deviation, in grey levels, of about what rounding alone leaves in a window of the band."""

PROMISING = 0.9
"""Correlation after the coarse steps from which a pair is aligned finely."""

_COARSE, _FINE = (2.0, 2, 4), (1.0, 1, 4)  # standard deviation of the blur, every which pixel, steps
_LARGEST_SCALE = 1.6
_LONGEST_STEP = np.array([2, 2, 0.1])  # pixels down and across, share of the scale
_RIDGE = 1e-6
_MARGIN = 2


class Alignment(NamedTuple):
    """How well pairs of pictures lie over each other; all of shape (n,).

    Attributes
    ----------
    detail : ndarray of float32
        How far the pictures' middle frequencies agree, -1 to 1: the mean over small windows of the overlap of the
        correlation in each (the structure term of Wang et al., "Image Quality Assessment: From Error Visibility to
        Structural Similarity", 2004). Over the whole picture one strong edge would do, and drawings of two persons or
        two stretches of one wall have it in common; two crops of one photo agree everywhere. Windows that show nothing
        but noise agree in nothing, and count. 0 where the coarse steps came to nothing.
    poses : Poses
        How the second picture lies in the first.
    """

    detail: Floats
    poses: Poses


def align(first: Floats, second: Floats, poses: Poses) -> Alignment:
    """Lay the second picture of each pair over the first.

    Parameters
    ----------
    first, second : ndarray of float32, shape (n, 48, 48)
    poses : Poses
        Guesses that are right to about a pixel and a half, and a tenth of the scale.

    Returns
    -------
    Alignment
    """
    if not len(first):
        return Alignment(np.zeros(0, np.float32), poses)
    poses, correlation = _refined(first, second, poses, *_COARSE)
    rows = np.flatnonzero(correlation >= PROMISING)
    detail = np.zeros(len(first), np.float32)
    if not len(rows):
        return Alignment(detail, poses)
    first, second = first[rows], second[rows]
    fine, _ = _refined(first, second, Poses(poses.centre[rows], poses.scale[rows]), *_FINE)
    poses.centre[rows], poses.scale[rows] = fine
    grid = _grid(1)
    sharp, covered = _laid_over(_blurred(first, BAND[0]), fine, grid)
    smooth, _ = _laid_over(_blurred(first, BAND[1]), fine, grid)
    band = _blurred(second, BAND[0]) - _blurred(second, BAND[1])
    within = (np.abs(grid) <= MIDDLE - _MARGIN).astype(np.float32)  # Blurs meet what is not in the picture at its rim.
    detail[rows] = _agreement(sharp - smooth, band, covered * within[:, None] * within)
    return Alignment(detail, poses)


def _refined(first: Floats, second: Floats, poses: Poses, blur: float, every: int, steps: int) -> tuple[Poses, Floats]:
    """The poses after some steps at one blur, and the correlation there."""
    grid = _grid(every)
    moving = _blurred(first, blur)
    fixed = _blurred(second, blur)[:, every // 2 :: every, every // 2 :: every]
    for _ in range(steps):
        poses = _step(moving, fixed, poses, grid)
    laid, covered = _laid_over(moving, poses, grid)
    return poses, _correlation(laid, fixed, covered)


def _step(moving: Floats, fixed: Floats, poses: Poses, grid: Floats) -> Poses:
    """One Gauss-Newton step: gain, offset, two shifts and a scale by least squares over the overlap."""
    laid, covered = _laid_over(moving, poses, grid)
    down, across = np.gradient(laid, float(grid[1] - grid[0]), axis=(1, 2))
    zoom = down * grid[:, None] + across * grid
    terms = np.stack([laid, np.ones_like(laid), down, across, zoom], axis=1).reshape(len(laid), 5, -1)
    weighted = terms * covered.reshape(len(laid), 1, -1)
    normal = (weighted @ terms.transpose(0, 2, 1)).astype(np.float64)
    normal += _RIDGE * (1 + np.trace(normal, axis1=1, axis2=2)[:, None, None]) * np.eye(5)
    solved = np.linalg.solve(normal, (weighted @ fixed.reshape(len(laid), -1, 1)).astype(np.float64))[..., 0]
    gain = np.where(solved[:, :1] > 0.1, solved[:, :1], np.inf)
    change = np.clip(solved[:, 2:] / gain, -_LONGEST_STEP, _LONGEST_STEP).astype(np.float32)
    scale = poses.scale * (1 + change[:, 2:])
    scale = np.sign(scale) * np.clip(np.abs(scale), 1 / _LARGEST_SCALE, _LARGEST_SCALE)
    return Poses(poses.centre + poses.scale * change[:, :2], scale)


def _laid_over(pictures: Floats, poses: Poses, grid: Floats) -> tuple[Floats, Floats]:
    """The pictures as they lie under the second ones, read linearly, and 1 where they cover them, else 0."""
    places = poses.centre[:, :, None] + poses.scale[:, :, None] * grid
    inside = ((places >= 0) & (places <= SIDE - 1)).astype(np.float32)
    places = np.clip(places, 0, SIDE - 1)
    read = np.maximum(0, 1 - np.abs(places[..., None] - np.arange(SIDE, dtype=np.float32)))
    return read[:, 0] @ pictures @ read[:, 1].transpose(0, 2, 1), inside[:, 0, :, None] * inside[:, 1, None, :]


def _correlation(one: Floats, other: Floats, weights: Floats) -> Floats:
    total = np.maximum(weights.sum(axis=(1, 2)), 1)

    def mean(values: Floats) -> Floats:
        return np.asarray((values * weights).sum(axis=(1, 2)) / total)

    one = one - mean(one)[:, None, None]
    other = other - mean(other)[:, None, None]
    spread = np.sqrt(np.maximum(mean(one * one) * mean(other * other), 1e-6))
    return np.asarray(mean(one * other) / spread, np.float32)


def _agreement(one: Floats, other: Floats, weights: Floats) -> Floats:
    """The mean over windows, as far as they are covered, of the correlation in each."""
    windows = _windows()

    def total(values: Floats) -> Floats:
        return np.asarray(windows @ values @ windows.T)

    pixels = total(weights)
    shared = np.maximum(pixels, 1)

    def covariance(a: Floats, b: Floats) -> Floats:
        return np.asarray(total(weights * a * b) / shared - total(weights * a) * total(weights * b) / shared**2)

    spread = (np.maximum(covariance(x, x), 0) + FAINT**2 for x in (one, other))
    correlation = covariance(one, other) / np.sqrt(np.multiply(*spread))
    counted = pixels > WINDOW**2 / 2
    return np.asarray((correlation * counted).sum(axis=(1, 2)) / np.maximum(counted.sum(axis=(1, 2)), 1), np.float32)


@lru_cache(maxsize=1)
def _windows() -> Floats:
    """Which pixels of a line each window holds; every second window of all there are."""
    starts = np.arange(0, SIDE - WINDOW + 1, 2)[:, None]
    steps = np.arange(SIDE)
    return np.asarray((steps >= starts) & (steps < starts + WINDOW), np.float32)


def _blurred(pictures: Floats, sigma: float) -> Floats:
    kernel = _gaussian(sigma)
    return np.asarray(kernel @ pictures @ kernel.T)


@lru_cache(maxsize=8)
def _gaussian(sigma: float) -> Floats:
    """A Gaussian blur of a line of pixels as a matrix; at its ends the last pixel goes on."""
    steps = np.arange(SIDE)
    kernel = np.exp(-((steps - np.arange(-SIDE, 2 * SIDE)[:, None]) ** 2) / (2 * sigma**2))
    kernel[SIDE] += kernel[:SIDE].sum(axis=0)
    kernel[2 * SIDE - 1] += kernel[2 * SIDE :].sum(axis=0)
    inner = kernel[SIDE : 2 * SIDE].T
    return np.asarray(inner / inner.sum(axis=1, keepdims=True), np.float32)


@lru_cache(maxsize=2)
def _grid(every: int) -> Floats:
    """Where the pixels of the second picture lie from its middle."""
    return np.asarray(np.arange(every // 2, SIDE, every) - MIDDLE, np.float32)
