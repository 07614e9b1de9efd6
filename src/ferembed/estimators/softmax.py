"""A linear softmax classifier over embeddings: fitted here, or a network's own trained head."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ferembed.estimators.saved import read_classifier, write_classifier
from ferembed.probability import most_probable, softmax

Floats = NDArray[np.floating[Any]]


class SoftmaxHead(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Linear scores of an embedding, turned into probabilities by the softmax.

    ``fit`` learns the scores by scikit-learn's multinomial logistic regression; :meth:`from_weights` takes them from
    the last layer of a trained network. Embeddings are used as they are, at the length they have.

    Parameters
    ----------
    C : float, default=1.0
        Inverse strength of the squared-norm penalty, above 0.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class in the likelihood, as for ``LogisticRegression``.
    max_iter : int, default=1000
        Most iterations of the L-BFGS solver.

    Attributes
    ----------
    classes_ : ndarray of shape (c,)
        Class labels, sorted.
    coef_ : ndarray of float64, shape (c, d)
        One row of weights for each class, of two classes too.
    intercept_ : ndarray of float64, shape (c,)
        The scores of the zero vector.
    n_features_in_ : int
        Length of the embeddings.
    n_iter_ : int
        Iterations taken; 0 for a network's head.

    See Also
    --------
    KNNClassifier : Neighbours' votes over the same embeddings.

    Examples
    --------
    >>> head = SoftmaxHead.from_weights([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0], ["sad", "happy"])
    >>> head.classes_.tolist(), head.predict_proba([[0.0, 2.0]]).round(2).tolist()
    (['happy', 'sad'], [[0.88, 0.12]])
    """

    classes_: NDArray[Any]
    coef_: NDArray[np.float64]
    intercept_: NDArray[np.float64]
    n_features_in_: int
    n_iter_: int

    def __init__(
        self,
        C: float = 1.0,
        *,
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
        max_iter: int = 1000,
    ) -> None:
        self.C = C
        self.class_weight = class_weight
        self.max_iter = max_iter

    @classmethod
    def from_weights(cls, coef: ArrayLike, intercept: ArrayLike, classes: ArrayLike) -> SoftmaxHead:
        """A network's own trained head.

        Parameters
        ----------
        coef : array-like of float, shape (c, d)
            Weights of its last linear layer.
        intercept : array-like of float, shape (c,)
            Biases.
        classes : array-like, shape (c,)
            Labels of the rows, in any order; rows are put in the order of the sorted labels.

        Raises
        ------
        ValueError
            If shapes disagree, a weight is not finite or labels repeat.
        """
        weights, biases = np.array(coef, dtype=np.float64), np.array(intercept, dtype=np.float64)
        labels = np.asarray(classes)
        order = np.argsort(labels)
        if weights.ndim != 2 or biases.shape != (len(weights),) or labels.shape != (len(weights),):
            raise ValueError(
                f"coef must have shape (c, d), intercept and classes (c,), "
                f"not {weights.shape}, {biases.shape} and {labels.shape}."
            )
        if not (np.isfinite(weights).all() and np.isfinite(biases).all()):
            raise ValueError("coef and intercept must be finite.")
        if len(np.unique(labels)) != len(labels):
            raise ValueError(f"classes must differ from each other, not {labels.tolist()}.")
        return cls()._with(weights[order], biases[order], labels[order], 0)

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> SoftmaxHead:
        """Learn the weights.

        Parameters
        ----------
        X : array-like of float, shape (n, d)
            Embeddings.
        y : array-like, shape (n,)
            Class labels, of two classes at least.
        sample_weight : array-like of float, shape (n,), optional
            Weight of each row in the likelihood; not negative.

        Returns
        -------
        SoftmaxHead
            Itself.
        """
        from sklearn.linear_model import LogisticRegression  # takes longer than to load a fitted head

        X, y = validate_data(self, X, y, dtype=np.float64)
        solver = LogisticRegression(C=self.C, class_weight=self.class_weight, max_iter=self.max_iter, tol=1e-6)
        solver.fit(X, y, sample_weight=sample_weight)
        coef, intercept = solver.coef_, solver.intercept_
        if len(solver.classes_) == 2:
            # One score against zero is two scores of half its size and opposite signs.
            coef, intercept = np.vstack([-coef, coef]) / 2, np.concatenate([-intercept, intercept]) / 2
        return self._with(coef, intercept, solver.classes_, int(solver.n_iter_.max()))

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Scores: shape (n, c); for two classes the second's minus the first's, shape (n,), as scikit-learn has it."""
        scores = self._scores(X)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Softmax of the scores, shape (n, c): rows sum to 1; columns follow ``classes_``."""
        return softmax(self._scores(X))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The most probable class of each row, shape (n,); of equally probable ones the first in ``classes_``."""
        best = most_probable(self.predict_proba(X))
        return self.classes_[best]

    def save(self, path: str | Path) -> None:
        """Write settings and weights into the folder ``path``.

        The folder as a whole is not atomic: wrap the call in :func:`ferembed.storage.atomic_folder`.
        """
        check_is_fitted(self)
        arrays = {"coef": self.coef_, "intercept": self.intercept_}
        write_classifier(Path(path), self, {"iterations": self.n_iter_}, arrays)

    @classmethod
    def load(cls, path: str | Path) -> SoftmaxHead:
        """Read a head written by :meth:`save`.

        Raises
        ------
        StorageError
            If a file is missing, altered or foreign.
        """
        head, found, arrays = read_classifier(Path(path), cls)
        return head._with(arrays["coef"], arrays["intercept"], head.classes_, found["iterations"])

    def _with(self, coef: Floats, intercept: Floats, classes: NDArray[Any], iterations: int) -> SoftmaxHead:
        self.coef_ = coef.astype(np.float64)
        self.intercept_ = intercept.astype(np.float64)
        self.classes_ = classes
        self.n_features_in_ = coef.shape[1]
        self.n_iter_ = iterations
        return self

    def _scores(self, X: ArrayLike) -> NDArray[np.float64]:
        check_is_fitted(self)
        checked: Floats = validate_data(self, X, reset=False, dtype=np.float64)
        scores: NDArray[np.float64] = checked @ self.coef_.T + self.intercept_
        return scores
