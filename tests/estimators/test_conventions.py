"""Meta-estimators under scikit-learn's own checks, and in its pipelines, searches and routing."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from ferembed.estimators import CalibratedClassifier, OpenSet, RejectOption, StackingEnsemble, VotingEnsemble


class ScoringNaiveBayes(GaussianNB):
    """A classifier with scores, for OpenSet."""

    def score_samples(self, X):
        return self.predict_joint_log_proba(X).max(axis=1)


def pair():
    return [("softmax", LogisticRegression()), ("bayes", GaussianNB())]


CHECKED = [
    CalibratedClassifier(LogisticRegression(), "vector"),
    VotingEnsemble(pair()),
    StackingEnsemble(pair()),
    RejectOption(LogisticRegression()),
    OpenSet(ScoringNaiveBayes()),
]


def expected_failures(estimator):
    if isinstance(estimator, OpenSet):
        return {
            "check_classifiers_train": "predict says unknown of some rows, where the check wants the likeliest class"
        }
    return {}


@parametrize_with_checks(CHECKED, expected_failed_checks=expected_failures)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def data():
    return make_blobs(300, centers=3, n_features=4, cluster_std=4.0, random_state=0)


BUILT = [
    pytest.param(lambda: CalibratedClassifier(LogisticRegression()), "estimator__C", id="calibrated"),
    pytest.param(lambda: VotingEnsemble(pair()), "softmax__C", id="voting"),
    pytest.param(lambda: StackingEnsemble(pair()), "softmax__C", id="stacking"),
    pytest.param(lambda: RejectOption(LogisticRegression()), "estimator__C", id="reject"),
    pytest.param(lambda: OpenSet(ScoringNaiveBayes()), "estimator__var_smoothing", id="open set"),
]


@pytest.mark.parametrize(("build", "parameter"), BUILT)
def test_in_pipelines_searches_and_cross_validation(data, build, parameter):
    X, y = data
    pipeline = make_pipeline(StandardScaler(), build())
    step = pipeline.steps[-1][0]
    search = GridSearchCV(pipeline, {f"{step}__{parameter}": [0.01, 1.0]}, cv=3).fit(X, y)
    assert search.best_score_ > 0.6
    assert cross_val_score(pipeline, X, y, cv=3).min() > 0.5
    copy = clone(build().set_params(**{parameter: 0.5}))
    assert copy.get_params()[parameter] == 0.5


@pytest.mark.parametrize(("build", "parameter"), BUILT)
def test_takes_the_frames_that_set_output_makes(data, build, parameter):
    pytest.importorskip("pandas")
    X, y = data
    pipeline = make_pipeline(StandardScaler().set_output(transform="pandas"), build()).fit(X, y)
    assert pipeline[-1].feature_names_in_.tolist() == ["x0", "x1", "x2", "x3"]
    assert pipeline[-1].n_features_in_ == 4


class Recording(LogisticRegression):
    """Logistic regression with scores that remembers the weights it was fitted with."""

    def fit(self, X, y, sample_weight=None):
        self.weights_ = sample_weight
        return super().fit(X, y, sample_weight)

    def score_samples(self, X):
        return self.decision_function(X).max(axis=1)


@pytest.mark.parametrize(
    "build",
    [
        lambda member: CalibratedClassifier(member),
        lambda member: VotingEnsemble([("m", member), ("bayes", GaussianNB().set_fit_request(sample_weight=False))]),
        lambda member: StackingEnsemble([("m", member)]),
        lambda member: RejectOption(member),
        lambda member: OpenSet(member),
    ],
    ids=["calibrated", "voting", "stacking", "reject", "open set"],
)
@pytest.mark.parametrize("asked", [True, False])
def test_sample_weight_is_routed_to_members_that_ask(data, build, asked):
    X, y = data
    weights = np.random.default_rng(0).random(len(y))
    with config_context(enable_metadata_routing=True):
        member = Recording().set_fit_request(sample_weight=asked)
        classifier = build(member).set_fit_request(sample_weight=True)
        pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), classifier)
        pipeline.fit(X, y, sample_weight=weights)
    fitted = pipeline[-1]
    inner = fitted.estimators_[0] if hasattr(fitted, "estimators_") else fitted.estimator_
    if asked:
        np.testing.assert_array_equal(inner.weights_, weights)
    else:
        assert inner.weights_ is None


def test_weights_count_in_calibration_even_where_members_take_none(data):
    X, y = data
    weights = np.where(y == 0, 5.0, 1.0)
    knn = KNeighborsClassifier(9)
    plain, weighted = (
        CalibratedClassifier(knn, "vector").fit(X, y, w).predict_proba(X)[:, 0].mean() for w in (None, weights)
    )
    assert weighted > plain + 0.02


def test_frozen_members_keep_to_themselves_in_a_search(data):
    X, y = data
    softmax = LogisticRegression().fit(X[:100], y[:100])
    search = GridSearchCV(
        VotingEnsemble([("softmax", FrozenEstimator(softmax))]), {"pool": ["arithmetic", "log"]}, cv=3
    )
    search.fit(X[100:], y[100:])
    assert search.best_estimator_.named_estimators_["softmax"].estimator is softmax
