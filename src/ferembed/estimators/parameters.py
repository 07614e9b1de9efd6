"""Kinds of parameter values, and how they are written as JSON."""

from __future__ import annotations

import inspect
from collections.abc import Collection
from typing import Any

import numpy as np
from sklearn import model_selection
from sklearn.model_selection import BaseCrossValidator


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
    """A parameter as JSON holds it.

    Raises
    ------
    TypeError
        If it is not a number, text, None, a dict of these or a splitter of scikit-learn with such parameters.

    Examples
    --------
    >>> plain(np.float64(0.5)), plain("auto"), plain({1: 2.0})
    (0.5, 'auto', {'pairs': [[1, 2.0]]})
    """
    if isinstance(value, dict):
        return {"pairs": [[plain(key), plain(entry)] for key, entry in value.items()]}
    if isinstance(value, BaseCrossValidator) and type(value) is getattr(model_selection, type(value).__name__, None):
        names = inspect.signature(type(value)).parameters
        return {"splitter": type(value).__name__, "parameters": {name: plain(getattr(value, name)) for name in names}}
    value = value.item() if isinstance(value, np.generic) else value
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise TypeError(f"a {type(value).__name__} has no form in JSON")


def from_plain(value: Any) -> Any:
    """The inverse of :func:`plain`.

    Examples
    --------
    >>> from_plain(plain({1: 2.0}))
    {1: 2.0}
    >>> from_plain(plain(model_selection.StratifiedKFold(3)))
    StratifiedKFold(n_splits=3, random_state=None, shuffle=False)
    """
    if not isinstance(value, dict):
        return value
    if "pairs" in value:
        return dict(value["pairs"])
    kind = getattr(model_selection, value["splitter"])
    if not (isinstance(kind, type) and issubclass(kind, BaseCrossValidator)):
        raise ValueError(f"{value['splitter']} is not a splitter of scikit-learn")
    return kind(**{name: from_plain(each) for name, each in value["parameters"].items()})


def plain_parameters(estimator: Any, without: Collection[str] = ()) -> dict[str, Any]:
    """An estimator's parameters as JSON holds them.

    Raises
    ------
    ValueError
        If one cannot be saved; the sentence names it and says what can.
    """
    saved = {}
    for name, value in estimator.get_params(deep=False).items():
        if name in without:
            continue
        try:
            saved[name] = plain(value)
        except (AttributeError, TypeError) as error:
            raise ValueError(
                f"{name} of {type(estimator).__name__}, a {type(value).__name__}, cannot be saved: numbers, text, "
                "None, dicts of these and scikit-learn's splitters can. Set another by set_params first."
            ) from error
    return saved
