"""How much held-out rows say, and what counts beside them: what stood before, as if it had been seen in a few rows."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from ferembed.probability import Codes, Floats

PRIOR_ROWS = 20
"""Rows that what stood before a fit counts as: after so many of its own, the data have half the say."""

CLASS_ROWS = 10
"""The same for each class, where the classes are fitted apart."""

LITTLE = 100
"""Held-out rows below which a fit warns that it has little to go by."""

_QUIET: ContextVar[bool] = ContextVar("quiet", default=False)


def evidence(rows: int, sample_weight: Floats | None = None) -> float:
    """How many rows the weighted ones are worth.

    Whole-number weights are copies and count as such. Of any others only the ratios matter: they are worth Kish's
    effective sample size, the square of their sum over the sum of their squares.

    Examples
    --------
    >>> evidence(2), evidence(2, np.array([3.0, 1.0])), evidence(2, np.array([0.5, 0.5]))
    (2.0, 4.0, 2.0)
    """
    if sample_weight is None:
        return float(rows)
    if (sample_weight == np.rint(sample_weight)).all():
        return float(sample_weight.sum())
    relative = sample_weight / sample_weight.max()
    return float(relative.sum() ** 2 / (relative**2).sum())


def targets(
    before: Floats, codes: Codes, sample_weight: Floats | None = None, prior_rows: float = PRIOR_ROWS
) -> Floats:
    """What each row is to be called: its label, mixed with what was said of it before.

    To fit these is to fit the labels beside ``prior_rows`` more rows that are labelled as was said before, so that the
    labels' share grows with the evidence.

    Parameters
    ----------
    before : ndarray of float64, shape (n, c)
        Distributions before the fit.
    codes : ndarray of int, shape (n,)
        Columns of the true classes.
    sample_weight : ndarray of float64, shape (n,), optional
    prior_rows : float
        How many rows what was said before counts as.

    Returns
    -------
    ndarray of float64, shape (n, c)
        Rows sum to 1.

    Examples
    --------
    >>> targets(np.array([[0.5, 0.5]] * 4), np.array([0, 1, 1, 1]), prior_rows=4)[0].tolist()
    [0.75, 0.25]
    """
    seen = evidence(len(codes), sample_weight)
    share = seen / (seen + prior_rows)
    mixed: Floats = (1.0 - share) * before / before.sum(axis=1, keepdims=True)
    mixed[np.arange(len(codes)), codes] += share
    return mixed


@contextmanager
def quiet() -> Iterator[None]:
    """Fits inside are parts of a larger one, which warns of little evidence once."""
    token = _QUIET.set(True)
    try:
        yield
    finally:
        _QUIET.reset(token)


def warn_of_little(what: str, rows: int, sample_weight: Floats | None = None) -> None:
    """Warn where rows are worth fewer than :data:`LITTLE`; ``what`` begins the sentence."""
    seen = evidence(rows, sample_weight)
    if seen < LITTLE and not _QUIET.get():
        warnings.warn(
            f"{what} {seen:.4g} held-out rows, fewer than {LITTLE}: it stays near what stood before, and what it "
            "changes is uncertain.",
            UserWarning,
            stacklevel=3,
        )
