"""What meta-estimators share: members fitted or frozen, and their held-out predictions."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn import get_config
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import _safe_indexing, check_array, check_consistent_length, get_tags, indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d, has_fit_parameter

from ferembed.estimators.answers import Labels, encoded, probabilities_of
from ferembed.probability import Codes, Floats

Response = Callable[[Any, Any], Floats]


def checked_data(X: Any, y: Any, sample_weight: Any) -> tuple[Any, Labels, Floats | None]:
    """``X`` as it is (its members validate it), ``y`` as a vector of class labels, weights as float64 or None."""
    if y is None:
        raise ValueError("A classifier requires y to be passed, but the target y is None.")
    labels: Labels = column_or_1d(y, warn=True)
    check_classification_targets(labels)
    (X,) = indexable(X)
    check_consistent_length(X, labels)
    if sample_weight is None:
        return X, labels, None
    weights: Floats = check_array(sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight")
    if weights.shape != labels.shape:
        raise ValueError(f"sample_weight must have shape {labels.shape}, one weight a row; got shape {weights.shape}.")
    if (weights < 0).any():
        raise ValueError("sample_weight must hold no negative value.")
    if not weights.any():
        raise ValueError("sample_weight is zero for every row: at least one weight must be above 0.")
    return X, labels, weights


def is_frozen(estimator: Any) -> bool:
    """Whether cloning gives the very same object, as with ``FrozenEstimator``: such a one is never fitted again."""
    return hasattr(type(estimator), "__sklearn_clone__") and clone(estimator) is estimator


def held_out(
    estimator: Any, X: Any, y: Labels, cv: Any, fit_params: Mapping[str, Any], response: Response = probabilities_of
) -> tuple[Any, Floats]:
    """A fitted estimator, and what it says of rows that it was not fitted to.

    A frozen estimator is taken as it is and answers for all of ``X``. Any other is fitted to all of ``X``, and the
    answers are those of one copy for each fold of ``cv``, fitted without the rows that it answers for.

    Raises
    ------
    ValueError
        If it is not frozen and a class has but one row, or the folds do not hold out every row once.
    """
    if is_frozen(estimator):
        return estimator, response(estimator, X)
    fitted = clone(estimator).fit(X, y, **fit_params)
    answers: Floats | None = None
    for fit_rows, held_rows in _folds(X, y, cv):
        params = {name: _safe_indexing(value, fit_rows) for name, value in fit_params.items()}
        copy = clone(estimator).fit(_safe_indexing(X, fit_rows), y[fit_rows], **params)
        part = response(copy, _safe_indexing(X, held_rows))
        answers = np.empty((len(y), *part.shape[1:])) if answers is None else answers
        answers[held_rows] = part
    assert answers is not None
    return fitted, answers


def routed_fit_params(owner: Any, members: Mapping[str, Any], weights: Floats | None) -> dict[str, dict[str, Any]]:
    """The fit parameters of each member: the weights, for those that ask for them or, without routing, take them."""
    if get_config()["enable_metadata_routing"]:
        routed = process_routing(owner, "fit", sample_weight=weights)
        return {name: dict(routed[name].fit) for name in members}
    if weights is None:
        return {name: {} for name in members}
    takes = {name: has_fit_parameter(member, "sample_weight") for name, member in members.items()}
    return {name: {"sample_weight": weights} if takes[name] else {} for name in members}


def router(owner: Any, members: Mapping[str, Any]) -> MetadataRouter:
    """Routing of ``fit``: the owner's own request, and each member's."""
    routing = MetadataRouter(owner=owner).add_self_request(owner)
    return routing.add(**members, method_mapping=MethodMapping().add(caller="fit", callee="fit"))


def adopt_features(owner: Any, member: Any) -> None:
    """Take over the member's ``n_features_in_`` and ``feature_names_in_``, where it has them."""
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(member, name):
            setattr(owner, name, getattr(member, name))


def warn_of_absent(labels: Labels, classes: Labels, who: str) -> None:
    """Warn of classes of which there is no label; ``who`` knows them and begins the sentence."""
    absent = classes[~np.isin(classes, labels)]
    if absent.size:
        warnings.warn(
            f"{who} knows {', '.join(map(str, absent))}, of which y holds no row: what it says of it goes unmeasured.",
            UserWarning,
            stacklevel=4,
        )


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


def _folds(X: Any, y: Labels, cv: Any) -> list[tuple[Codes, Codes]]:
    """Rows to fit and rows held out, stratified where ``cv`` is a number; fewer folds where a class has fewer rows."""
    from sklearn.model_selection import check_cv

    if isinstance(cv, (int, np.integer)):
        classes, counts = np.unique(y, return_counts=True)
        if counts.min() < 2:
            raise ValueError(
                f"The class {classes[counts.argmin()]!s} has 1 sample: calibration needs two of each class, "
                "or a fitted classifier wrapped in FrozenEstimator."
            )
        cv = min(int(cv), int(counts.min()))
    folds = list(check_cv(cv, y, classifier=True).split(X, y))
    if not np.array_equal(np.sort(np.concatenate([held for _, held in folds])), np.arange(len(y))):
        raise ValueError("cv must hold out every row once: use folds, not random or repeated splits.")
    return folds
