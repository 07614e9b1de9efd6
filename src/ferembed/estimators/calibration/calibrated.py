"""A classifier and the calibration of its probabilities, as one classifier."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from ferembed.estimators.answers import Labels, probabilities_of
from ferembed.estimators.calibration.base import Calibration, CalibrationMethod
from ferembed.estimators.calibration.maps import calibration_from_dict, fit_calibration
from ferembed.estimators.meta import ClassifierWrapper, adopt_features
from ferembed.estimators.saved import classes_from_json, classes_to_json, read_state, write_state
from ferembed.probability import Codes, Floats, most_probable


class CalibratedClassifier(ClassifierWrapper):
    """A classifier whose probabilities are calibrated on data that it was not fitted to.

    Parameters
    ----------
    estimator : classifier
        With ``predict_proba``, or else ``decision_function``. Wrapped in scikit-learn's ``FrozenEstimator`` it is
        taken as it is, and all the data given to ``fit`` calibrate it. Otherwise ``fit`` fits a copy to all the data
        and calibrates on cross-validated predictions.
    method : {"temperature", "vector", "isotonic", "joint_isotonic"}, default="temperature"
        From stiff to supple: one number, two for each class, a curve for each class; or one curve for all classes.
        The first and the last never change which class is the most probable. See :class:`TemperatureScaling`,
        :class:`VectorScaling`, :class:`IsotonicCalibration` and :class:`JointIsotonicCalibration`.
    cv : int, splitter or iterable of splits, default=5
        Folds for an estimator that is not frozen, as in scikit-learn. A class with fewer rows than ``cv`` lowers it.

    Attributes
    ----------
    classes_ : ndarray of shape (c,)
        The estimator's classes, in its order.
    estimator_ : classifier
        The fitted estimator.
    calibration_ : Calibration
        The fitted map from probabilities to probabilities.

    Notes
    -----
    Weights given to ``fit`` count in the calibration, and in fitting an estimator that takes them.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger (2017), On calibration of modern neural networks, ICML.
    Zadrozny and Elkan (2002), Transforming classifier scores into accurate multiclass probability estimates, KDD.
    Zhang, Kailkhura and Han (2020), Mix-n-Match: ensemble and compositional methods for uncertainty calibration, ICML.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.frozen import FrozenEstimator
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> X, y = make_blobs(300, centers=3, cluster_std=4.0, random_state=0)
    >>> votes = KNeighborsClassifier(3).fit(X[:150], y[:150])
    >>> calibrated = CalibratedClassifier(FrozenEstimator(votes)).fit(X[150:], y[150:])
    >>> calibrated.calibration_.temperature > 1
    True
    """

    calibration_: Calibration

    def __init__(self, estimator: Any, method: CalibrationMethod = "temperature", *, cv: Any = 5) -> None:
        self.estimator = estimator
        self.method = method
        self.cv = cv

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> CalibratedClassifier:
        """Calibrate on ``X`` and ``y``; for an estimator that is not frozen, also fit it to them.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            What the estimator takes.
        y : array-like of shape (n,)
            Class labels.
        sample_weight : array-like of float, shape (n,), optional

        Raises
        ------
        ValueError
            If ``method`` or ``cv`` is out of range, or ``y`` holds a class that a frozen estimator does not know.
        """
        proba, codes, weights = self._fit_estimator(X, y, sample_weight)
        self.calibration_ = fit_calibration(self.method, proba, codes, weights)
        return self

    @classmethod
    def from_answers(
        cls,
        estimator: Any,
        answers: Floats,
        codes: Codes,
        method: CalibrationMethod = "temperature",
        sample_weight: Floats | None = None,
    ) -> CalibratedClassifier:
        """Calibrate a fitted estimator on what it said of rows it was not fitted to.

        Parameters
        ----------
        estimator : classifier
            Fitted; it is kept as it is.
        answers : ndarray of float64, shape (n, c)
            Its probabilities of the rows.
        codes : ndarray of int, shape (n,)
            Columns of the true classes.
        method, sample_weight
            As above.
        """
        return cls._joined(estimator, fit_calibration(method, answers, codes, sample_weight))

    def predict_proba(self, X: Any) -> Floats:
        """Calibrated probabilities, float64 of shape ``(n, c)``, columns in the order of ``classes_``."""
        check_is_fitted(self)
        return self.calibration_(probabilities_of(self.estimator_, X))

    def predict(self, X: Any) -> Labels:
        """The most probable class of each row, shape ``(n,)``."""
        codes = most_probable(self.predict_proba(X))
        labels: Labels = self.classes_[codes]
        return labels

    def save(self, path: str | Path) -> None:
        """Write the calibration into the folder ``path``. The estimator saves itself."""
        check_is_fitted(self)
        config = {"classes": classes_to_json(self.classes_), "calibration": self.calibration_.to_dict()}
        write_state(Path(path), type(self).__name__, config, {})

    @classmethod
    def load(cls, path: str | Path, estimator: Any) -> CalibratedClassifier:
        """Read a calibration written by :meth:`save` and join it to the estimator it was fitted for.

        Raises
        ------
        StorageError
            If the folder holds no calibrated classifier.
        ValueError
            If the estimator's classes are others than those saved.
        """
        config, _ = read_state(Path(path), cls.__name__)
        classes = classes_from_json(config["classes"])
        if not np.array_equal(classes, estimator.classes_):
            raise ValueError(f"{path} was calibrated for the classes {classes.tolist()}; the estimator has others.")
        return cls._joined(estimator, calibration_from_dict(config["calibration"]))

    @classmethod
    def _joined(cls, estimator: Any, calibration: Calibration) -> CalibratedClassifier:
        calibrated = cls(FrozenEstimator(estimator), calibration.method)
        calibrated.estimator_, calibrated.calibration_ = estimator, calibration
        calibrated.classes_ = np.asarray(estimator.classes_)
        adopt_features(calibrated, estimator)
        return calibrated
