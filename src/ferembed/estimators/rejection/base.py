"""What a classifier that may say "unknown" is made of, whatever makes it doubt."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from ferembed.estimators.answers import Labels, probabilities_of
from ferembed.estimators.meta import ClassifierWrapper, Response, adopt_features
from ferembed.estimators.saved import (
    classes_from_json,
    classes_to_json,
    from_plain,
    is_number,
    plain_parameters,
    read_state,
    write_state,
)
from ferembed.probability import Codes, Floats, most_probable
from ferembed.storage import StorageError


class RejectingClassifier(ClassifierWrapper):
    """Names the likeliest class of the rows that an heir accepts, and says ``unknown_`` of the others."""

    unknown: Any
    unknown_: Any
    threshold_: float

    _found: tuple[str, ...]
    """The numbers that ``fit`` finds, which may be infinite; as attributes they end in an underscore."""

    def predict_proba(self, X: Any) -> Floats:
        """The estimator's own probabilities, float64 of shape ``(n, c)``; they hold no column for "unknown"."""
        check_is_fitted(self)
        return probabilities_of(self.estimator_, X)

    def predict(self, X: Any) -> Labels:
        """The most probable class of each row, or ``unknown_``; shape ``(n,)``."""
        proba = self.predict_proba(X)
        return named(self.classes_, most_probable(proba), self._accepts(X, proba), self.unknown_)

    def save(self, path: str | Path) -> None:
        """Write threshold and parameters into the folder ``path``. The estimator saves itself."""
        check_is_fitted(self)
        config = {
            "parameters": plain_parameters(self, without=["estimator"]),
            "classes": classes_to_json(self.classes_),
            "found": {name: str(getattr(self, f"{name}_")) for name in self._found},
        }
        write_state(Path(path), type(self).__name__, config, {})

    @classmethod
    def load(cls, path: str | Path, estimator: Any) -> Any:
        """Read a threshold written by :meth:`save` and join it to the estimator it was picked for.

        Raises
        ------
        StorageError
            If the folder holds something else.
        ValueError
            If the estimator's classes are others than those saved.
        """
        config, _ = read_state(Path(path), cls.__name__)
        try:
            classes = classes_from_json(config["classes"])
            found = {f"{name}_": float(config["found"][name]) for name in cls._found}
            parameters = {name: from_plain(value) for name, value in config["parameters"].items()}
            classifier: Any = cls(FrozenEstimator(estimator), **parameters)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise StorageError(f"{path} does not describe a {cls.__name__} ({error}).") from error
        if not np.array_equal(classes, estimator.classes_):
            raise ValueError(f"{path} was fitted for the classes {classes.tolist()}; the estimator has others.")
        vars(classifier).update(found, estimator_=estimator, classes_=classes)
        classifier.unknown_ = unknown_label(classes, classifier.unknown)
        adopt_features(classifier, estimator)
        return classifier

    @abstractmethod
    def _accepts(self, X: Any, proba: Floats) -> NDArray[np.bool_]:
        """Whether each row, of these probabilities, gets a name; shape ``(n,)``."""

    def _held_out_answers(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None, *response: Response) -> Any:
        """Fit the estimator and pick ``unknown_``; what was said of held-out rows, and their true columns."""
        said, codes, _ = self._fit_estimator(X, y, sample_weight, *response)
        check_unknown(self.classes_, self.unknown)
        self.unknown_ = unknown_label(self.classes_, self.unknown)
        return said, codes


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
