"""Saying "unknown" rather than being wrong: thresholds on confidence that carry a finite-sample guarantee."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferembed.estimators.rejection.base import RejectingClassifier
from ferembed.probability import Floats, most_probable

Risk = Literal["joint", "selective"]

_COVERAGES = np.arange(1, 21) / 20
"""Shares of the validation data that the selective guarantee tries to answer."""


def conformal_threshold(confidence: ArrayLike, wrong: ArrayLike, max_error: float) -> float:
    """The lowest threshold at which conformal risk control bounds wrong answers (Angelopoulos et al. 2022).

    Answering where ``confidence > threshold``, the probability that a new row is answered and the answer is wrong is
    at most ``max_error``, for rows exchangeable with these ``n``, on average over the drawing of both. The loss
    "answered and wrong" falls as the threshold rises, which the method needs, and lies in 0 to 1.

    Parameters
    ----------
    confidence : array-like of float, shape (n,)
        How sure the answer to each row is, in any unit.
    wrong : array-like of bool, shape (n,)
        Whether the answer is wrong.
    max_error : float
        Above 0, below 1.

    Returns
    -------
    float
        Minus infinity to answer everything; infinity to answer nothing, where ``n < 1 / max_error - 1``.

    Examples
    --------
    >>> conformal_threshold([0.9, 0.8, 0.7, 0.6], [False, True, False, True], 0.4)
    0.6
    """
    sure, errors = np.asarray(confidence, dtype=np.float64), np.asarray(wrong, dtype=bool)
    allowed = int(np.floor(_checked(max_error, "max_error") * (len(sure) + 1) + 1e-9)) - 1
    if allowed < 0:
        return float("inf")
    falling = np.sort(sure[errors])[::-1]
    return float(falling[allowed]) if allowed < len(falling) else float("-inf")


def selective_threshold(confidence: ArrayLike, wrong: ArrayLike, max_error: float, delta: float) -> float:
    """The lowest threshold at which the error among answered rows is bounded (after Geifman and El-Yaniv 2017).

    With probability at least ``1 - delta`` over the drawing of these ``n`` independent rows, the share of wrong answers
    among new rows with ``confidence > threshold`` is at most ``max_error``. Twenty thresholds, which answer 5%, 10%
    ... 100% of the rows, are each held to an exact binomial (Clopper-Pearson) bound at level ``delta / 20``; the one
    that answers most is taken.

    Parameters
    ----------
    confidence, wrong, max_error
        As for :func:`conformal_threshold`.
    delta : float
        Above 0, below 1.

    Returns
    -------
    float
        Minus infinity to answer everything; infinity to answer nothing, where no threshold passes.

    Examples
    --------
    >>> selective_threshold([0.9] * 200 + [0.1] * 100, [False] * 200 + [True] * 100, 0.1, 0.05)
    0.1
    """
    from scipy.stats import beta

    sure, errors = np.asarray(confidence, dtype=np.float64), np.asarray(wrong, dtype=bool)
    level = 1.0 - _checked(delta, "delta") / len(_COVERAGES)
    falling = np.sort(sure)[::-1]
    for coverage in _COVERAGES[::-1]:
        answered = int(np.floor(coverage * len(sure) + 1e-9))
        threshold = float(falling[answered]) if answered < len(sure) else float("-inf")
        count, failed = int((sure > threshold).sum()), int(errors[sure > threshold].sum())
        bound = 1.0 if failed == count else float(beta.ppf(level, failed + 1, count - failed))
        if bound <= _checked(max_error, "max_error"):
            return threshold
    return float("inf")


class RejectOption(RejectingClassifier):
    """A classifier that says "unknown" where it is not sure enough.

    An answer's confidence is the probability of its class. The threshold is the lowest that validation data allow
    under a guarantee:

    - ``risk="joint"``: of all rows, known and unknown taken together, at most ``max_error`` get a wrong name. Holds on
      average over the drawing of validation and new data (conformal risk control, Angelopoulos et al. 2022). Of the
      rows that get a name, more than ``max_error`` may be wrong.
    - ``risk="selective"``: of the rows that get a name, at most ``max_error`` are wrong. Holds with probability
      ``1 - delta`` over the drawing of the validation data (after Geifman and El-Yaniv 2017). It answers less.

    Parameters
    ----------
    estimator : classifier
        With ``predict_proba``, or else ``decision_function``. Wrapped in scikit-learn's ``FrozenEstimator`` it is taken
        as it is. Otherwise ``fit`` fits it, and picks the threshold on cross-validated predictions.
    max_error : float, default=0.1
        Above 0, below 1.
    risk : {"joint", "selective"}, default="joint"
    delta : float, default=0.05
        Used by ``risk="selective"`` alone.
    unknown : str or int, optional
        What ``predict`` says of a row without an answer. By default ``"unknown"`` beside class names; beside numbers
        -1, or the first free number below it.
    cv : int, splitter or iterable of splits, default=5
        Folds for an estimator that is not frozen, as in scikit-learn. A class with fewer rows than ``cv`` lowers it.

    Attributes
    ----------
    classes_ : ndarray of shape (c,)
        The estimator's classes, without ``unknown_``.
    estimator_ : classifier
    threshold_ : float
        A row is answered where its confidence is above it.
    coverage_ : float
        Share of the validation rows that are answered, 0 to 1.
    error_ : float
        Share of the validation rows that are answered wrongly (``"joint"``), or of the answered rows that are wrong
        (``"selective"``; 0 where none is answered).
    unknown_ : str or int

    Notes
    -----
    The guarantee is for a frozen estimator, validation data that neither fitted nor calibrated it, and new data from
    the same source. For an estimator that ``fit`` fits, cross-validation makes it an estimate. The threshold counts
    every row once: ``sample_weight`` goes to fitting the estimator alone.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.frozen import FrozenEstimator
    >>> from sklearn.linear_model import LogisticRegression
    >>> X, y = make_blobs(600, centers=3, cluster_std=3.0, random_state=0)
    >>> softmax = LogisticRegression().fit(X[:200], y[:200])
    >>> careful = RejectOption(FrozenEstimator(softmax), max_error=0.05).fit(X[200:400], y[200:400])
    >>> bool((careful.predict(X[400:]) == -1).any())
    True
    """

    coverage_: float
    error_: float
    _found = ("threshold", "coverage", "error")

    def __init__(
        self,
        estimator: Any,
        max_error: float = 0.1,
        *,
        risk: Risk = "joint",
        delta: float = 0.05,
        unknown: Any = None,
        cv: Any = 5,
    ) -> None:
        self.estimator = estimator
        self.max_error = max_error
        self.risk = risk
        self.delta = delta
        self.unknown = unknown
        self.cv = cv

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> RejectOption:
        """Pick the threshold on ``X`` and ``y``; for an estimator that is not frozen, also fit it to them.

        Raises
        ------
        ValueError
            If a parameter is out of range, or ``y`` holds a class that a frozen estimator does not know.
        """
        if self.risk not in ("joint", "selective"):
            raise ValueError(f"Unknown risk {self.risk!r}: choose from joint, selective.")
        proba, codes = self._held_out_answers(X, y, sample_weight)
        confidence, wrong = proba.max(axis=1), most_probable(proba) != codes
        if self.risk == "joint":
            self.threshold_ = conformal_threshold(confidence, wrong, self.max_error)
        else:
            self.threshold_ = selective_threshold(confidence, wrong, self.max_error, self.delta)
        answered = confidence > self.threshold_
        self.coverage_ = float(answered.mean())
        among = answered.sum() if self.risk == "selective" else len(answered)
        self.error_ = float((answered & wrong).sum() / max(among, 1))
        return self

    def answers(self, X: Any) -> NDArray[np.bool_]:
        """Whether each row is sure enough to be answered, shape ``(n,)``."""
        return self._accepts(X, self.predict_proba(X))

    def _accepts(self, X: Any, proba: Floats) -> NDArray[np.bool_]:
        result: NDArray[np.bool_] = proba.max(axis=1) > self.threshold_
        return result


def _checked(share: float, name: str) -> float:
    if not 0.0 < share < 1.0:
        raise ValueError(f"{name} must be above 0 and below 1; got {share!r}.")
    return share
