"""Bootstrap intervals: the same figures over images drawn again and again with replacement."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ferembed.evaluation.intervals import ROUNDING, Interval
from ferembed.probability import Codes, Floats, most_probable, safe_log

RESAMPLES = 1000
_BLOCK = 2_000_000


def interval(resampled: Floats) -> Interval | None:
    """The 2.5th and 97.5th percentile of a figure over resamples (Efron 1979); NaN, an undefined figure, is left out.

    None where every resample is undefined, or all are alike, as where no row is named wrongly: images drawn again can
    show only what is among those at hand, and then say nothing of how sure the figure is.

    Examples
    --------
    >>> interval(np.arange(1001.0))
    Interval(low=25.0, high=975.0)
    """
    defined = resampled[~np.isnan(resampled)]
    if not defined.size or np.ptp(defined) < ROUNDING:
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


def resampled_figures(proba: Floats, codes: Codes, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Floats]:
    """The figures of :func:`evaluate_probabilities` whose intervals need resampled images.

    Parameters
    ----------
    proba : ndarray of float64, shape (n, c)
    codes : ndarray of int, shape (n,)
        Columns of the true classes.
    resamples, seed : int

    Returns
    -------
    dict of str to ndarray of float64
        ``macro_f1``, ``nll`` and ``brier`` of shape (resamples,); ``f1`` of each class of shape (resamples, c), NaN
        where a resample leaves it undefined. Memory and time grow with the number of classes, not with its square.
    """
    n, c = proba.shape
    indicator = np.eye(c)
    truth, answers = indicator[codes], indicator[most_probable(proba)]
    losses = -safe_log(proba[np.arange(n), codes])
    features = np.column_stack([losses, ((proba - truth) ** 2).sum(axis=1), truth * answers, truth + answers])
    means = resampled_means(features, resamples, seed)
    right, either = means[:, 2 : 2 + c], means[:, 2 + c :]
    with np.errstate(invalid="ignore"):
        f1 = 2 * right / either
    return {"macro_f1": np.nanmean(f1, axis=1), "nll": means[:, 0], "brier": means[:, 1], "f1": f1}
