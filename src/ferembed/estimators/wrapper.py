"""The base of classifiers that wrap one other classifier."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import MetadataRouter

from ferembed.estimators.held_out import (
    Labels,
    Response,
    adopt_features,
    checked_data,
    encoded,
    held_out,
    routed_fit_params,
    router,
    warn_of_absent,
)
from ferembed.estimators.parameters import is_number
from ferembed.probability import Codes, Floats, probabilities_of


class ClassifierWrapper(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """Fits its ``estimator`` where that is not frozen, and hands its held-out answers to the heir."""

    estimator: Any
    cv: Any
    classes_: Labels
    estimator_: Any

    def _fit_estimator(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None, response: Response = probabilities_of
    ) -> tuple[Floats, Codes, Floats | None]:
        """Set ``estimator_`` and ``classes_``; give its held-out answers, the true columns and the checked weights."""
        X, labels, weights = checked_data(X, y, sample_weight)
        params = routed_fit_params(self, {"estimator": self.estimator}, weights)["estimator"]
        self.estimator_, answers = held_out(self.estimator, X, labels, self.cv, params, response)
        self.classes_ = np.asarray(self.estimator_.classes_)
        adopt_features(self, self.estimator_)
        codes = encoded(labels, self.classes_)
        warn_of_absent(labels, self.classes_, type(self.estimator_).__name__)
        return answers, codes, weights

    def get_metadata_routing(self) -> MetadataRouter:
        """How scikit-learn's metadata routing passes ``sample_weight`` on to the estimator's ``fit``."""
        return router(self, {"estimator": self.estimator})

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator).input_tags
        tags.input_tags.sparse, tags.input_tags.allow_nan = inner.sparse, inner.allow_nan
        return tags


def unknown_label(classes: Labels, unknown: Any) -> Any:
    """The label that stands for "none of them": as given, or "unknown" beside names and a free number beside numbers.

    Raises
    ------
    ValueError
        If the label that was given is a class.

    Examples
    --------
    >>> unknown_label(np.array(["happy", "sad"]), None), unknown_label(np.array([0, 1]), None)
    ('unknown', -1)
    """
    if unknown is None:
        unknown = min(-1, int(np.floor(classes.min())) - 1) if classes.dtype.kind in "iuf" else "unknown"
        if classes.dtype.kind == "b":
            raise ValueError("Beside the classes True and False no label is free for unknown: use 0 and 1 as classes.")
    if unknown in classes.tolist():
        raise ValueError(f"unknown={unknown!r} is the name of a class: choose another.")
    return unknown


def check_unknown(classes: Labels, unknown: Any) -> None:
    """Check that a given label for "none of them" is of the classes' kind: beside another it would equal nothing.

    Raises
    ------
    ValueError
        If it is not text beside names, or not a number beside numbers.
    """
    names = all(isinstance(label, str) for label in classes.tolist())
    if unknown is not None and not (isinstance(unknown, str) if names else is_number(unknown)):
        kind = "text" if names else "a number"
        raise ValueError(f"unknown={unknown!r} must be {kind}, as the classes {', '.join(map(str, classes))} are.")


def named(classes: Labels, codes: Codes, accepted: NDArray[np.bool_], unknown: Any) -> Labels:
    """The class of each code where it is accepted, and ``unknown`` elsewhere; shape ``(n,)``.

    Examples
    --------
    >>> named(np.array(["sad", "joy"]), np.array([0, 1]), np.array([True, False]), "unknown").tolist()
    ['sad', 'unknown']
    """
    dtype = np.result_type(classes.dtype, np.asarray(unknown).dtype)
    result: Labels = classes.astype(dtype)[codes]
    result[~accepted] = unknown
    return result
