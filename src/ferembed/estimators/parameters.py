"""Kinds of parameter values, and how they are written as JSON."""

from __future__ import annotations

from typing import Any

import numpy as np

from ferembed.estimators.weights import WEIGHTINGS


def is_number(value: Any) -> bool:
    """Whether a value is an integer or a real number; a bool is not.

    Examples
    --------
    >>> is_number(0.5), is_number(np.int64(2)), is_number(True), is_number("2")
    (True, True, False, False)
    """
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def is_count(value: Any) -> bool:
    """Whether a value is a whole number from 1.

    Examples
    --------
    >>> is_count(1), is_count(0), is_count(1.0)
    (True, False, False)
    """
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and bool(value >= 1)


def plain(value: Any) -> Any:
    """A parameter as JSON holds it; None for an object that JSON cannot hold.

    Examples
    --------
    >>> plain(np.float64(0.5)), plain("auto"), plain({1: 2.0}), plain(object())
    (0.5, 'auto', {'pairs': [[1, 2.0]]}, None)
    """
    if isinstance(value, dict):
        return {"pairs": [[plain(key), plain(entry)] for key, entry in value.items()]}
    value = value.item() if isinstance(value, np.generic) else value
    return value if isinstance(value, (str, int, float, bool)) else None


def from_plain(value: Any) -> Any:
    """The inverse of :func:`plain`.

    Examples
    --------
    >>> from_plain(plain({1: 2.0}))
    {1: 2.0}
    """
    return dict(value["pairs"]) if isinstance(value, dict) else value


def check_vote_parameters(k: Any, weights: Any, temperature: Any, smoothing: Any, prototypes: Any) -> None:
    """Check the parameters of :class:`~ferembed.estimators.KNNClassifier`.

    Raises
    ------
    ValueError
        If one is unfit.
    """
    if k != "auto" and not is_count(k):
        raise ValueError(f"k must be a whole number from 1 or 'auto', not {k!r}.")
    if weights not in WEIGHTINGS:
        raise ValueError(f"weights must be one of {', '.join(WEIGHTINGS)}, not {weights!r}.")
    if temperature != "auto" and not (is_number(temperature) and 0 < temperature < np.inf):
        raise ValueError(f"temperature must be a number above 0 or 'auto', not {temperature!r}.")
    if not (is_number(smoothing) and 0 <= smoothing < 1):
        raise ValueError(f"smoothing must be a number from 0 to below 1, not {smoothing!r}.")
    if prototypes is not None and not is_count(prototypes):
        raise ValueError(f"prototypes must be a whole number from 1 or None, not {prototypes!r}.")
