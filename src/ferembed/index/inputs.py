"""Checks of what a caller hands to an index."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferembed.index.base import IndexStateError

_SAFE = 1e15
"""Lengths from 1/_SAFE to _SAFE are squared in float32 without over- or underflow."""


def unit_rows(values: ArrayLike, dim: int, name: str) -> NDArray[np.float32]:
    """Rows (n, dim) brought to length 1; a row of zeros, which has no direction, stays.

    Raises
    ------
    IndexStateError
        If the shape is wrong or a value is not a finite number.
    """
    try:
        rows = np.asarray(values)
        rows = rows if rows.dtype.char in "fd" else rows.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise IndexStateError(f"{name} must be numbers of shape (n, {dim}): {error}.") from error
    if rows.ndim != 2 or rows.shape[1] != dim:
        raise IndexStateError(f"{name} must have shape (n, {dim}), one vector a row, not {rows.shape}.")
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]  # einsum overflows without a warning
    if len(rows) and not (lengths.min() > 1 / _SAFE and lengths.max() < _SAFE):
        rows, lengths = _rescaled(rows, name)
    return np.ascontiguousarray(rows / lengths, dtype=np.float32)


def _rescaled(rows: NDArray[Any], name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    wrong = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if wrong.size:
        raise IndexStateError(f"{name} must be finite: row {wrong[0]} holds NaN or infinity ({wrong.size} such rows).")
    largest = np.abs(rows).max(axis=1, keepdims=True).astype(np.float64)
    scaled = rows / np.where(largest > 0, largest, 1)
    lengths = np.sqrt(np.einsum("ij,ij->i", scaled, scaled))[:, None]
    return scaled, np.where(lengths > 0, lengths, 1)


def integers(values: ArrayLike, name: str, count: int | None = None) -> NDArray[np.int64]:
    """A copy of whole numbers as int64, shape (n,); ``count`` of them where it is given.

    Raises
    ------
    IndexStateError
        If they are not whole numbers of 64 bits in one dimension, or not as many as they should be.
    """
    given = np.asarray(values)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        raise IndexStateError(f"{name} must be whole numbers of shape (n,), not {given.dtype} of shape {given.shape}.")
    if given.dtype.kind == "u" and given.size and given.max() > np.iinfo(np.int64).max:
        raise IndexStateError(f"{name} must fit in 64 signed bits: {given.max()} does not.")
    if count is not None and len(given) != count:
        raise IndexStateError(f"there must be one of {name} for each vector: {count}, not {len(given)}.")
    return given.astype(np.int64)


def positive(value: int, name: str) -> int:
    """A whole number of at least 1."""
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if number < 1:
        raise IndexStateError(f"{name} must be a whole number of at least 1, not {value!r}.")
    return number
