"""The classifiers over embeddings under scikit-learn's own checks and tools."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from ferembed.estimators import KNNClassifier, SoftmaxHead


def expected_failures(estimator):
    if getattr(estimator, "k", None) != "auto":
        return {}
    return {
        "check_sample_weight_equivalence_on_dense_data": "a row left out takes its weight along; its copies would stay"
    }


@parametrize_with_checks(
    [
        KNNClassifier(),
        KNNClassifier(index="exact"),
        KNNClassifier(weights="uniform", index="exact"),
        KNNClassifier(weights="distance", smoothing=0.0, index="exact"),
        KNNClassifier(balanced=True, index="exact"),
        KNNClassifier(k="auto", temperature="auto", index="exact"),
        KNNClassifier(prototypes=1, index="exact"),
        KNNClassifier(prototypes=3, index="exact"),
        SoftmaxHead(),
    ],
    expected_failed_checks=expected_failures,
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def flowers():
    return load_iris(return_X_y=True)


@pytest.mark.parametrize("classifier", [KNNClassifier(k=10, index="exact"), SoftmaxHead()])
def test_in_a_pipeline_and_cross_validation(flowers, classifier):
    X, y = flowers
    pipeline = make_pipeline(StandardScaler(), PCA(3), classifier)
    assert cross_val_score(pipeline, X, y, scoring="accuracy").mean() > 0.8
    assert cross_val_score(pipeline, X, y, scoring="neg_log_loss").mean() > -0.5


def test_grid_search_over_votes(flowers):
    X, y = flowers
    grid = {"k": [1, 10, 40], "weights": ["uniform", "softmax"], "temperature": [0.02, 0.2]}
    search = GridSearchCV(KNNClassifier(index="exact"), grid, scoring="neg_log_loss", cv=3, n_jobs=2).fit(
        X - X.mean(0), y
    )
    assert len(set(search.cv_results_["mean_test_score"])) > 4
    assert search.best_estimator_.k_ == search.best_params_["k"]


@pytest.mark.parametrize("classifier", [KNNClassifier(k=10, index="exact"), SoftmaxHead()])
def test_sample_weight_is_routed(flowers, classifier):
    X, y = flowers
    X = X - X.mean(0)
    weight = np.where(y == 2, 0.0, 1.0)
    with config_context(enable_metadata_routing=True):
        routed = clone(classifier).set_fit_request(sample_weight=True)
        pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), routed)
        unweighted_accuracy = get_scorer("accuracy").set_score_request(sample_weight=False)
        scores = cross_validate(
            pipeline, X, y, scoring=unweighted_accuracy, params={"sample_weight": weight}, return_estimator=True
        )
    for fitted in scores["estimator"]:
        unweighted = clone(pipeline).fit(X, y)
        assert (fitted.predict(X) == 2).sum() < (unweighted.predict(X) == 2).sum() / 2


def test_votes_are_cut_with_the_rows(flowers):
    X, y = flowers
    votes = np.eye(3)[(y + 1) % 3]
    with config_context(enable_metadata_routing=True):
        routed = KNNClassifier(k=10, index="exact").set_fit_request(votes=True)
        accuracy = cross_val_score(routed, X - X.mean(0), y, params={"votes": votes})
    assert accuracy.max() < 0.3


@pytest.mark.parametrize("classifier", [KNNClassifier(k=10, index="exact"), SoftmaxHead()])
def test_column_names_of_a_data_frame_are_kept(flowers, classifier, tmp_path):
    pandas = pytest.importorskip("pandas")
    X, y = flowers
    frame = pandas.DataFrame(X, columns=[f"x{i}" for i in range(4)])
    fitted = clone(classifier).fit(frame, y)
    fitted.save(tmp_path / "saved")
    loaded = type(fitted).load(tmp_path / "saved")
    assert_array_equal(loaded.feature_names_in_, frame.columns)
    with pytest.raises(ValueError, match="feature names"):
        loaded.predict(frame[["x1", "x0", "x2", "x3"]])
    with pytest.warns(UserWarning, match="feature names"):
        assert_allclose(loaded.predict_proba(X), fitted.predict_proba(frame), atol=1e-7)
