"""SoftmaxHead: scikit-learn's logistic regression, or a network's last layer."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from ferembed.estimators import SoftmaxHead
from ferembed.storage import StorageError

NAMES = np.array(["sad", "happy", "angry"])


@pytest.fixture(scope="module")
def flowers():
    X, y = load_iris(return_X_y=True)
    return X, NAMES[y]


@pytest.mark.parametrize("kept", [NAMES, NAMES[:2], NAMES[1:]])
@pytest.mark.parametrize("class_weight", [None, "balanced", {"happy": 5.0}])
def test_fitted_it_is_logistic_regression(flowers, kept, class_weight):
    X, y = flowers
    rows = np.flatnonzero(np.isin(y, kept))[10:]
    theirs = LogisticRegression(C=0.3, class_weight=class_weight, tol=1e-6, max_iter=1000).fit(X[rows], y[rows])
    ours = SoftmaxHead(C=0.3, class_weight=class_weight).fit(X[rows], y[rows])
    assert ours.coef_.shape == (len(kept), 4)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-7)
    assert_allclose(ours.decision_function(X), theirs.decision_function(X), atol=1e-7)
    assert_array_equal(ours.predict(X), theirs.predict(X))


def test_a_networks_head_answers_by_name_in_any_order():
    rng = np.random.default_rng(0)
    coef, intercept, X = rng.normal(size=(3, 5)), rng.normal(size=3), rng.normal(size=(20, 5))
    head = SoftmaxHead.from_weights(coef.astype(np.float32), intercept, NAMES)
    scores = X @ coef.T + intercept
    softmax = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert head.classes_.tolist() == ["angry", "happy", "sad"]
    assert_allclose(head.predict_proba(X), softmax[:, [2, 1, 0]], atol=1e-6)
    assert_array_equal(head.predict(X), NAMES[scores.argmax(axis=1)])


def test_scores_of_any_size_give_probabilities():
    head = SoftmaxHead.from_weights([[1e4], [0.0]], [0, 0], [0, 1])
    assert_allclose(head.predict_proba([[1.0], [-1.0]]), [[1, 0], [0, 1]])


@pytest.mark.parametrize(
    ("coef", "intercept", "classes", "sentence"),
    [
        ([[1.0, 2.0]], [0.0, 0.0], ["a"], r"\(1, 2\)"),
        ([[1.0], [2.0]], [0.0, 0.0], ["a", "a"], "differ"),
        ([[np.nan], [2.0]], [0.0, 0.0], ["a", "b"], "finite"),
    ],
)
def test_unfit_weights_are_refused(coef, intercept, classes, sentence):
    with pytest.raises(ValueError, match=sentence):
        SoftmaxHead.from_weights(coef, intercept, classes)


@pytest.mark.parametrize("class_weight", [None, "balanced", {"happy": 5.0}])
def test_saved_and_loaded_it_answers_the_same(tmp_path, flowers, class_weight):
    X, y = flowers
    fitted = SoftmaxHead(C=0.3, class_weight=class_weight).fit(X, y)
    network = SoftmaxHead.from_weights(fitted.coef_, fitted.intercept_, fitted.classes_)
    for name, head in {"fitted": fitted, "network": network}.items():
        head.save(tmp_path / name)
        loaded = SoftmaxHead.load(tmp_path / name)
        assert loaded.get_params() == head.get_params()
        assert loaded.n_iter_ == head.n_iter_
        assert_array_equal(loaded.predict(X), head.predict(X))
        assert_allclose(loaded.predict_proba(X), head.predict_proba(X), atol=1e-7)


def test_a_truncated_file_is_refused(tmp_path, flowers):
    SoftmaxHead().fit(*flowers).save(tmp_path)
    arrays = tmp_path / "arrays.safetensors"
    arrays.write_bytes(arrays.read_bytes()[:-8])
    with pytest.raises(StorageError, match="truncated or altered"):
        SoftmaxHead.load(tmp_path)
