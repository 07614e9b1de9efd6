"""Bootstrap intervals: the same figures over images drawn again and again with replacement."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ferembed.estimators.probabilities import Codes, Floats, safe_log
from ferembed.ties import most_probable

RESAMPLES = 1000
BINS = 15
_BLOCK = 2_000_000


class Interval(NamedTuple):
    """The middle 95% of the resampled figures; in JSON a pair of numbers."""

    low: float
    high: float


def interval(resampled: Floats) -> Interval | None:
    """The 2.5th and 97.5th percentile over the first axis (Efron 1979); NaN, an undefined figure, is left out.

    None where every resample is undefined.

    Examples
    --------
    >>> interval(np.arange(1001.0))
    Interval(low=25.0, high=975.0)
    """
    defined = resampled[~np.isnan(resampled)]
    if not defined.size:
        return None
    low, high = np.percentile(defined, [2.5, 97.5])
    return Interval(float(low), float(high))


def draw_counts(n: int, resamples: int, seed: int) -> Iterator[Floats]:
    """How often each of ``n`` images is drawn in each resample, in blocks of shape (b, n) that bound the memory.

    The same ``n``, ``resamples`` and ``seed`` draw the same images, so that two systems can be compared image by image.

    Raises
    ------
    ValueError
        If there is no image, or ``resamples`` is below 1.
    """
    if n < 1 or resamples < 1:
        raise ValueError(f"a bootstrap needs one image and one resample or more; got {n} and {resamples}.")
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK // n)
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        drawn = rng.integers(0, n, (size, n)) + n * np.arange(size)[:, None]
        yield np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)


def resampled_means(values: Floats, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """Means of columns over resampled rows.

    Parameters
    ----------
    values : ndarray of float64, shape (n, m)
        NaN, an undefined value, is left out of its column's means.
    resamples, seed : int

    Returns
    -------
    ndarray of float64, shape (resamples, m)
        NaN where a resample has no defined value.
    """
    defined = ~np.isnan(values)
    filled, counted = np.where(defined, values, 0.0), defined.astype(np.float64)
    with np.errstate(invalid="ignore"):
        parts = [(counts @ filled) / (counts @ counted) for counts in draw_counts(len(values), resamples, seed)]
    return np.concatenate(parts)


def resampled_figures(
    proba: Floats, codes: Codes, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, NDArray[np.float64]]:
    """The figures of :func:`evaluate_probabilities` over resampled images.

    Parameters
    ----------
    proba : ndarray of float64, shape (n, c)
    codes : ndarray of int, shape (n,)
        Columns of the true classes.
    resamples, seed : int

    Returns
    -------
    dict of str to ndarray of float64
        ``accuracy``, ``balanced_accuracy``, ``macro_f1``, ``nll``, ``brier`` and ``ece`` of shape (resamples,);
        ``recall``, ``precision`` and ``f1`` of each class of shape (resamples, c), NaN where a resample leaves them
        undefined.
    """
    n, c = proba.shape
    answers = most_probable(proba)
    errors = ((proba - np.eye(c)[codes]) ** 2).sum(axis=1)
    losses = -safe_log(proba[np.arange(n), codes])
    cells = np.eye(c * c)[codes * c + answers]
    features = np.column_stack([losses, errors, cells, _gaps(proba.max(axis=1), answers == codes)])
    means = np.concatenate([counts @ features for counts in draw_counts(n, resamples, seed)]) / n
    confusion, gaps = means[:, 2 : 2 + c * c].reshape(-1, c, c), means[:, 2 + c * c :]
    right, support, called = np.einsum("rii->ri", confusion), confusion.sum(axis=2), confusion.sum(axis=1)
    with np.errstate(invalid="ignore"):
        recall, precision, f1 = right / support, right / called, 2 * right / (support + called)
    return {
        "accuracy": right.sum(axis=1),
        "balanced_accuracy": np.nanmean(recall, axis=1),
        "macro_f1": np.nanmean(f1, axis=1),
        "nll": means[:, 0],
        "brier": means[:, 1],
        "ece": np.abs(gaps).sum(axis=1),
        "recall": recall,
        "precision": precision,
        "f1": f1,
    }


def _gaps(confidence: Floats, correct: NDArray[np.bool_]) -> Floats:
    """Confidence less correctness in the column of the row's bin of equal width, (n, BINS), 0 elsewhere."""
    edges = np.linspace(0.0, 1.0, BINS + 1)
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, BINS - 1)
    gaps: Floats = np.eye(BINS)[place] * (confidence - correct)[:, None]
    return gaps
