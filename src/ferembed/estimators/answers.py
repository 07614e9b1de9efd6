"""What classifiers say, read as probabilities, and one order of classes for several of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import ArrayLike, NDArray

from ferembed.labels import canonical
from ferembed.probability import AnswerError, Array, Codes, Floats, as_probabilities, class_codes, softmax

Labels = NDArray[Any]


@contextmanager
def answers_of(member: str) -> Iterator[None]:
    """Name the member of an ensemble in any complaint about its answers."""
    try:
        yield
    except AnswerError as error:
        raise AnswerError(f"The member {member}: {error}") from error


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


def spelled_as(classes: Labels, labels: Labels) -> Labels:
    """Classes as the labels spell them: one that is no label becomes the label that means it, if there is one such.

    Examples
    --------
    >>> spelled_as(np.array(["Happiness", "sad", "bored"]), np.array(["happy", "sad"])).tolist()
    ['happy', 'sad', 'bored']
    """
    own, known = np.asarray(classes).tolist(), set(np.asarray(labels).tolist())
    meant = [canonical(name) for name in known if isinstance(name, str)]
    house = {canonical(name): name for name in known if isinstance(name, str) and meant.count(canonical(name)) == 1}
    spelled = [name if name in known or not isinstance(name, str) else house.get(canonical(name), name) for name in own]
    if spelled == own or len(set(spelled)) < len(own):
        return np.asarray(classes)
    return np.array(spelled, dtype=object if np.asarray(classes).dtype.kind == "O" else None)


def common_classes(orders: Sequence[Labels]) -> Labels:
    """The classes of all members: in the order they share, or else sorted."""
    if all(np.array_equal(order, orders[0]) for order in orders):
        return orders[0]
    return np.unique(np.concatenate(orders))


def aligned(proba: Array, own: Labels, classes: Labels) -> Array:
    """Columns moved from a member's classes to ``classes``; a class that the member does not know has probability 0.

    Examples
    --------
    >>> aligned(np.array([[0.9, 0.1]]), np.array(["sad", "happy"]), np.array(["fear", "happy", "sad"])).tolist()
    [[0.0, 0.1, 0.9]]
    """
    places = np.eye(len(classes))[encoded(own, classes)]
    result: Array = proba @ array_namespace(proba).asarray(places)
    return result


def encoded(labels: Labels, classes: Labels) -> Codes:
    """The column of each label in the members' ``classes``; a ValueError names a label that is not there."""
    return class_codes(labels, classes, "y holds the class {label!s}, which no member knows; they know {classes}.")
