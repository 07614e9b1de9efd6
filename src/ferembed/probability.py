"""Arithmetic on class probabilities, and what is chosen where two differ by rounding alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

TIE = 1e-5
"""Losses, and probabilities, that differ from the best by less than this share of it count as equal to it.

The order of a sum, which threads and a processor's instructions change, moves similarities in single precision by some
1e-7 and a vote at a temperature of 0.05 by some 4e-6. What is chosen must not hang on that.
"""

ALIKE = 2e-6
"""Similarities that differ by less are equal: single precision moves those of unit vectors by about half of it."""


def first_of_the_best(losses: Sequence[float]) -> int:
    """The place of the first loss that is no worse than the least but for :data:`TIE`.

    Candidates stand in the order in which they are to be preferred where nothing tells them apart. A loss below
    :data:`TIE` is as good as none: there the difference is measured in shares of :data:`TIE`.

    Examples
    --------
    >>> first_of_the_best([0.9, 0.5 + 1e-7, 0.5])
    1
    """
    values = np.asarray(losses, dtype=np.float64)
    least = values.min()
    return int((values <= least + TIE * max(abs(least), TIE)).argmax())


def most_probable(proba: NDArray[np.floating]) -> NDArray[np.intp]:
    """The column of the most probable class of each row, shape ``(n,)``; the first of those equal but for :data:`TIE`.

    Examples
    --------
    >>> most_probable(np.array([[0.2, 0.4 - 1e-9, 0.4], [0.2, 0.3, 0.5]])).tolist()
    [1, 2]
    """
    codes: NDArray[np.intp] = (proba >= (1.0 - TIE) * proba.max(axis=1, keepdims=True)).argmax(axis=1)
    return codes


Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

FLOOR = 1e-12
"""Probabilities below this count as this wherever a logarithm is taken."""

VOTE_SMOOTHING = 0.05
"""Part of a vote that is made uniform before its logarithm, where votes hold exact zeros."""


class AnswerError(ValueError):
    """What a classifier says is not what a classifier can say."""


@contextmanager
def answers_of(member: str) -> Iterator[None]:
    """Name the member of an ensemble in any complaint about its answers."""
    try:
        yield
    except AnswerError as error:
        raise AnswerError(f"The member {member}: {error}") from error


def as_probabilities(proba: ArrayLike) -> Floats:
    """The argument as float64 of shape ``(n, c)``, once it is seen to hold distributions.

    Raises
    ------
    AnswerError
        If it is not two-dimensional, holds a negative value or NaN, or has a row that does not sum to 1 within 0.001.

    Examples
    --------
    >>> as_probabilities([[0.5, 0.5], [0.9, 0.3]])
    Traceback (most recent call last):
        ...
    ferembed.probability.AnswerError: Row 1 of the probabilities sums to 1.2, not to 1.
    """
    values: Floats = np.asarray(proba, dtype=np.float64)
    if values.ndim != 2:
        raise AnswerError(f"Probabilities must have shape (n, c), one row an image; got shape {values.shape}.")
    if not (values >= 0).all():
        row = int(np.flatnonzero(~(values >= 0).all(axis=1))[0])
        raise AnswerError(f"Row {row} of the probabilities holds a negative value or NaN.")
    sums = values.sum(axis=1)
    wrong = np.flatnonzero(np.abs(sums - 1.0) > 1e-3)
    if wrong.size:
        raise AnswerError(f"Row {wrong[0]} of the probabilities sums to {sums[wrong[0]]:.4g}, not to 1.")
    return values


def smooth(proba: Floats, amount: float) -> Floats:
    """Mix distributions with the uniform one, which is what ``amount`` of the result is.

    Examples
    --------
    >>> smooth(np.array([[1.0, 0.0]]), 0.5).tolist()
    [[0.75, 0.25]]
    """
    mixed: Floats = (1.0 - amount) * proba + amount / proba.shape[1]
    return mixed


def smoothings(proba: Floats) -> tuple[float, ...]:
    """The amounts of smoothing to try: none, and :data:`VOTE_SMOOTHING` first where a probability is exactly zero."""
    return (0.0,) if (proba > 0).all() else (VOTE_SMOOTHING, 0.0)


def safe_log(proba: Floats) -> Floats:
    """Natural logarithm; probabilities below :data:`FLOOR` count as it."""
    result: Floats = np.log(np.maximum(proba, FLOOR))
    return result


def log_softmax(scores: Floats) -> Floats:
    """Logarithm of the softmax over the last axis."""
    shifted = scores - scores.max(axis=-1, keepdims=True)
    result: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def softmax(scores: Floats) -> Floats:
    """Softmax over the last axis.

    Examples
    --------
    >>> softmax(np.log([[1.0, 3.0]])).round(6).tolist()
    [[0.25, 0.75]]
    """
    result: Floats = np.exp(log_softmax(scores))
    return result


def finite_softmax(scores: Floats, who: str) -> Floats:
    """Softmax of a classifier's scores.

    Raises
    ------
    AnswerError
        If a row holds NaN or plus infinity; the sentence begins with ``who`` said it.
    """
    with np.errstate(invalid="ignore"):
        proba = softmax(scores)
    wrong = np.flatnonzero(~np.isfinite(proba).all(axis=1))
    if wrong.size:
        raise AnswerError(f"{who} answers row {wrong[0]} with NaN or infinity ({wrong.size} such rows).")
    return proba


def log_loss(proba: Floats, codes: Codes, sample_weight: Floats | None = None) -> float:
    """Mean negative log-likelihood of the true classes, in nats.

    Parameters
    ----------
    proba : ndarray of float64, shape (n, c)
        Probabilities; below :data:`FLOOR` they count as it, so that one certain mistake costs 27.6 nats, not infinity.
    codes : ndarray of int, shape (n,)
        Columns of the true classes.
    sample_weight : ndarray of float64, shape (n,), optional
        Not negative.

    Examples
    --------
    >>> round(log_loss(np.array([[0.5, 0.5], [0.25, 0.75]]), np.array([0, 1])), 4)
    0.4904
    """
    return float(np.average(-safe_log(proba[np.arange(len(codes)), codes]), weights=sample_weight))


def cross_entropy(proba: Floats, targets: Floats, sample_weight: Floats | None = None) -> float:
    """Mean negative log-likelihood of target distributions, both of shape (n, c), in nats.

    As :func:`log_loss`, which it equals where each target is certain.

    Examples
    --------
    >>> round(cross_entropy(np.array([[0.5, 0.5], [0.25, 0.75]]), np.eye(2)), 4)
    0.4904
    """
    return float(np.average(-(targets * safe_log(proba)).sum(axis=1), weights=sample_weight))


def in_order(answers: Any, classes: ArrayLike) -> Any:
    """A classifier's answers with their columns in the order of ``classes``: a data frame's are read by name.

    A frame none of whose columns is named as a class is read by position, like an array; so is an array.

    Raises
    ------
    ValueError
        If a frame has columns for some of the classes only, or two for one.
    """
    if not hasattr(answers, "columns"):
        return answers
    names, wanted = [str(name) for name in answers.columns], [str(label) for label in np.asarray(classes).tolist()]
    if not set(wanted) & set(names):
        return np.asarray(answers)
    for label in wanted:
        if names.count(label) != 1:
            raise ValueError(
                f"A frame of answers needs one column for each class: {names.count(label)} are named {label}; "
                f"its columns are {', '.join(names)}."
            )
    return np.asarray(answers)[:, [names.index(label) for label in wanted]]


def probabilities_of(estimator: Any, X: Any) -> Floats:
    """Class probabilities of a fitted classifier, shape ``(n, c)``, columns in the order of its ``classes_``.

    A data frame's columns are read by name. A classifier without ``predict_proba`` (a linear SVM, say) gives the
    softmax of its ``decision_function``, which ranks as the scores do and means little until it is calibrated.

    Raises
    ------
    TypeError
        If it has neither.
    """
    if hasattr(estimator, "predict_proba"):
        return as_probabilities(in_order(estimator.predict_proba(X), estimator.classes_))
    if not hasattr(estimator, "decision_function"):
        raise TypeError(f"{type(estimator).__name__} has neither predict_proba nor decision_function.")
    scores: Floats = np.asarray(in_order(estimator.decision_function(X), estimator.classes_), np.float64)
    if scores.ndim == 1:
        scores = np.stack([np.zeros_like(scores), scores], axis=1)
    return finite_softmax(scores, type(estimator).__name__)
